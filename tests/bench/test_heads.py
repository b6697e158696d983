"""The loop on features: the plain loop's steps, the same start and batches for every loss, patience, averages."""

import pytest
import torch
from torch import nn

from isometry.bench.heads import HeadTraining, seeded
from isometry.expression import parse
from isometry.pace import share_of_rate
from isometry.schedules import Cosine
from tests.bench.studies import cell, opened


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("cache"))


def test_it_makes_the_steps_of_the_plain_loop(study):
    """Written out: torch's own layer, optimizer and loop over the sampler's batches."""
    run = HeadTraining(study, cell(study, "Contrastive()", seed=5))
    part, layer, loss = study.part(0), nn.Linear(study.rows.shape[1], 8), parse("Contrastive()")
    layer.load_state_dict({name.removeprefix("layer."): t for name, t in run.top.head.state_dict().items()})
    groups = [{"params": [layer.weight], "weight_decay": 0.01}, {"params": [layer.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, fused=True)
    batches = parse("ClassesTimesInstances(classes=4, instances=4, seed=5)").bind(part.train.labels)
    step = 0
    while step < 12:
        for index in batches:
            if step == 12:
                break
            for group in optimizer.param_groups:
                group["lr"] = 3e-3 * share_of_rate(Cosine(), step, 12, 0.05, len(batches))
            optimizer.zero_grad()
            loss(layer(study.rows[part.train_rows[index]]), part.train.labels[index]).backward()
            optimizer.step()
            step += 1
    run.fit()
    torch.testing.assert_close(run.top.head.layer.weight, layer.weight, rtol=0, atol=1e-7)
    assert [row["step"] for row in run.curve] == [4, 8, 12]


def test_all_methods_start_from_one_head_and_see_one_order_of_batches(study):
    runs = [
        HeadTraining(study, cell(study, loss, seed=3)) for loss in ("Contrastive()", "ProxyAnchor()", "SoftTriple()")
    ]
    starts = [run.top.head.layer.weight for run in runs]
    assert all(torch.equal(start, starts[0]) for start in starts)
    orders = [list(run.batches) for run in runs]
    assert all(order == orders[0] for order in orders)
    other = HeadTraining(study, cell(study, "Contrastive()", seed=4))
    assert not torch.equal(other.top.head.layer.weight, starts[0])
    assert list(other.batches) != orders[0]


def test_the_best_head_is_kept_and_not_the_last(tmp_path):
    steady = {"schedule": "Constant()", "warmup": 0.0}
    study = opened(tmp_path, budget="40 steps", validations=10, **steady)
    run = HeadTraining(study, cell(study, lr=0.03))
    run.fit()
    assert run.best == max(row["validation"] for row in run.curve)
    assert run.best_step < 40
    shorter = opened(tmp_path, budget=f"{run.best_step} steps", validations=1, **steady)
    again = HeadTraining(shorter, cell(shorter, lr=0.03))
    again.fit()
    assert torch.equal(again.top.head.layer.weight, run.kept.head.layer.weight)


def test_patience_ends_it(tmp_path):
    study = opened(tmp_path, patience=1, budget="40 steps", validations=10)
    run = HeadTraining(study, cell(study, lr=1e-12))  # nothing learns: the second validation is the last
    run.fit()
    assert run.step == 8


def test_the_average_of_the_weights_is_what_is_kept(tmp_path):
    study = opened(tmp_path, ema=0.9, validations=1)
    run = HeadTraining(study, cell(study))
    run.fit()
    assert torch.equal(run.kept.head.layer.weight, run.ema.module.head.layer.weight)
    assert not torch.equal(run.kept.head.layer.weight, run.top.head.layer.weight)


def test_a_samplers_seed_is_that_of_the_cell():
    assert repr(seeded("ClassesTimesInstances(classes=4)", 7)) == "ClassesTimesInstances(classes=4, seed=7)"

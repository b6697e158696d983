"""A cell: the same numbers from the same cell, whatever happened on the way, and an outcome for everything that can happen."""

import json
import re
import signal
import subprocess
import sys

import pytest
import torch

from isometry.bench.training import alike, train_cell
from isometry.bench.whole import WholeTraining, settings
from isometry.evaluation import Embeddings, measure
from isometry.training import STATE, Interrupted
from tests.bench.studies import cell, opened


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("cache"), frozen=False, pool="Average()")


def numbers(outcome):
    """What must not differ: all but times."""
    curve = [(row["step"], row["validation"]) for row in outcome.curve]
    return outcome.state, outcome.validation, curve, outcome.step, outcome.parameters


def test_a_head_gives_what_the_contract_promises(study, tmp_path):
    outcome, tensors = train_cell(study, cell(study, "SupCon()"), tmp_path)
    assert outcome.state == "done"
    assert outcome.validation.keys() == {"Recall(k=1)", "MAPAtR()"}
    assert outcome.validation["MAPAtR()"] == max(row["validation"] for row in outcome.curve)
    assert outcome.parameters == 256 * 8 + 8
    assert tensors["z"].shape == (len(study.test), 8)
    assert tensors["z"].dtype == torch.float32
    assert not list(tmp_path.iterdir())
    assert outcome.environment.keys() == {"isometry", "torch", "python", "device", "threads", "processor"}
    json.dumps(outcome.as_json())


def test_a_search_never_embeds_the_test_part(study, whole, tmp_path):
    assert train_cell(study, cell(study, tested=False), tmp_path)[1] == {}
    assert train_cell(whole, cell(whole, tested=False), tmp_path / "whole")[1] == {}


def test_a_tested_cell_is_trained_as_an_untested_one(study, tmp_path):
    found = [train_cell(study, cell(study, "ProxyAnchor()", tested=tested), tmp_path)[0] for tested in (True, False)]
    assert numbers(found[0]) == numbers(found[1])


CODE = """
import sys, torch
from pathlib import Path
from isometry.bench.training import train_cell
from tests.bench.studies import cell, opened
study = opened(Path(sys.argv[1]))
outcome, tensors = train_cell(study, cell(study, "MultiSimilarity()"), Path(sys.argv[1]))
print(cell(study, "MultiSimilarity()").key, outcome.validation, tensors["z"].numpy().tobytes().hex())
"""


def test_another_process_gives_the_same_bits(study, tmp_path):
    outcome, tensors = train_cell(study, cell(study, "MultiSimilarity()"), tmp_path)
    run = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=True)
    key, rest = run.stdout.strip().split(" ", 1)
    assert key == cell(study, "MultiSimilarity()").key
    assert rest == f"{outcome.validation} {tensors['z'].numpy().tobytes().hex()}"


def test_a_whole_model_starts_alike_for_every_loss(whole, tmp_path):
    runs = [WholeTraining(whole, cell(whole, loss), tmp_path / loss) for loss in ("Contrastive()", "ProxyAnchor()")]
    first, other = (run.training.plain.state_dict() for run in runs)
    assert all(torch.equal(first[name], other[name]) for name in first)
    assert settings(whole, cell(whole, seed=9)).sampler.endswith("seed=9)")


def test_a_whole_model_that_is_interrupted_goes_on_bit_for_bit(whole, tmp_path):
    one = cell(whole, "ProxyAnchor()")
    expected, z = train_cell(whole, one, tmp_path / "through")
    run = WholeTraining(whole, one, tmp_path / "broken")
    heard = run._heard

    def interrupt(row):
        heard(row)
        if "validation" in row and row["step"] == 4:
            signal.raise_signal(signal.SIGINT)

    run.training.show = interrupt
    with pytest.raises(Interrupted):
        run.fit()
    assert (tmp_path / "broken" / STATE).is_file()
    outcome, again = train_cell(whole, one, tmp_path / "broken")
    assert numbers(outcome) == numbers(expected)
    assert torch.equal(again["z"], z["z"])
    finished, once_more = train_cell(whole, one, tmp_path / "broken")  # killed after training, before it was put away
    assert numbers(finished) == numbers(expected)
    assert torch.equal(once_more["z"], z["z"])


def test_a_folder_that_is_damaged_or_anothers_is_begun_anew(whole, tmp_path):
    one = cell(whole, "ProxyAnchor()")
    expected, _ = train_cell(whole, one, tmp_path / "fresh")
    assert numbers(train_cell(whole, cell(whole, "Contrastive()"), tmp_path / "used")[0]) != numbers(expected)
    assert numbers(train_cell(whole, one, tmp_path / "used")[0]) == numbers(expected)
    (tmp_path / "used" / STATE).write_bytes(b"half of a checkpoint")
    assert numbers(train_cell(whole, one, tmp_path / "used")[0]) == numbers(expected)


@pytest.mark.parametrize("which", ["study", "whole"])
def test_a_loss_that_overflows_has_diverged(which, request, tmp_path):
    opened_study = request.getfixturevalue(which)
    outcome, tensors = train_cell(opened_study, cell(opened_study, "Contrastive(positive=1e38, power=2.0)"), tmp_path)
    assert (outcome.state, outcome.validation, tensors) == ("diverged", {}, {})
    assert "step 1" in outcome.message
    assert str(tmp_path) not in outcome.message


def test_weights_that_overflow_have_diverged(study, tmp_path):
    outcome, _ = train_cell(study, cell(study, lr=1e38), tmp_path)
    assert outcome.state == "diverged"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"loss": "Contrastive(alpha=3)"}, "ValueError: Contrastive has no parameter 'alpha'"),
        ({"sampler": "ClassesTimesInstances(classes=99, instances=4)"}, "ValueError: .*cannot fill a batch"),
        ({"fold": 7}, "ValueError: There is no fold 7"),
    ],
    ids=["loss", "sampler", "fold"],
)
def test_an_error_is_an_outcome_of_one_line(study, tmp_path, changed, says):
    outcome, tensors = train_cell(study, cell(study, **changed), tmp_path)
    assert (outcome.state, tensors) == ("failed", {})
    assert re.match(says, outcome.message)
    assert "\n" not in outcome.message


def test_embeddings_that_became_alike_have_collapsed(tmp_path):
    """Decay takes the weights to 0 at the first step, and leaves the bias: one point for all pictures."""
    settings = {"optimizer": "SGD()", "schedule": "Constant()", "weight_decay": 1e6, "warmup": 0.0}
    study = opened(tmp_path, **settings)
    outcome, tensors = train_cell(study, cell(study, lr=1e-6), tmp_path)
    assert (outcome.state, outcome.validation, tensors) == ("collapsed", {}, {})
    assert outcome.message.startswith("mean cosine 1.0000 at step")


def test_how_alike_embeddings_are():
    assert alike(torch.randn(50, 8).abs() + 100) > 0.99
    assert alike(torch.zeros(5, 8)) == 1.0
    assert abs(alike(torch.eye(4))) < 1e-12


def test_the_outcomes_validation_is_what_measuring_gives(study, tmp_path):
    outcome, tensors = train_cell(study, cell(study), tmp_path)
    found = measure(Embeddings(tensors["z"], study.test), "MAPAtR()", samples=0)
    assert 0 < float(found["MAPAtR()"]) <= 1
    assert outcome.step in [row["step"] for row in outcome.curve]

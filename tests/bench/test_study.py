"""What is held constant is in the hash, and nothing else."""

import pytest
import torch

from isometry.bench.study import Study, head_only
from tests.bench.studies import cell, opened, recipe
from tests.small import digits


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_a_second_opening_is_the_same_study(cache):
    first, again = opened(cache), opened(cache)
    assert first.held == again.held
    assert first.held_hash == again.held_hash
    assert cell(first).key == cell(again).key


@pytest.mark.parametrize(
    "changed",
    [
        {"budget": "13 steps"},
        {"optimizer": "SGD()"},
        {"schedule": "Constant()"},
        {"weight_decay": 0.1},
        {"warmup": 0.2},
        {"clip": 1.0},
        {"ema": 0.9},
        {"validations": 4},
        {"patience": 2},
        {"threads": 2},
        {"sampler": "ClassesTimesInstances(classes=2, instances=4)"},
        {"transform": "Chain()"},
        {"folds": {"count": 3}},
        {"folds": {"windows": True}},
        {"pool": "Average()"},
        {"trunk": "ConvNet(widths=(8, 12), size=8)"},
        {"frozen": False},
        {"frozen": False, "augment": "RandomAffine()"},
        {"frozen": False, "precision": "bf16"},
    ],
    ids=str,
)
def test_all_that_is_held_constant_is_in_the_hash(cache, changed):
    assert opened(cache, **changed).held_hash != opened(cache).held_hash


def test_the_data_are_in_the_hash(cache):
    images, labels = digits(per_class=8)
    images = images.copy()
    images[-1, 0, 0] ^= 1
    assert opened(cache, data=(images, labels)).held_hash != opened(cache).held_hash


def test_what_may_vary_and_how_much_is_done_are_not(cache):
    base = recipe()
    more = base.model_copy(
        update={
            "search": base.search.model_copy(update={"trials": 50}),
            "final": base.final.model_copy(update={"seeds": 9}),
            "metrics": "MAPAtR(), Recall(k=4)",
            "folds": base.folds.model_copy(update={"searched": 1}),
            "train": base.train.model_copy(update={"head_lr": 0.5}),
        }
    )
    hashes = {Study.open(r, cache=cache, data=digits(per_class=8)).held_hash for r in (base, more)}
    assert len(hashes) == 1


def test_rows_of_the_features_belong_to_their_pictures(cache):
    study = opened(cache)
    part = study.part(1)
    splits = study.splits(1)
    assert torch.equal(part.train_rows, splits.train.ids)
    assert torch.equal(part.validation_rows, splits.validation.ids)
    assert torch.equal(study.test_rows, study.test.ids)
    assert part.train.present().tolist() == list(range(part.classes)) == [0, 1, 2, 3, 4]


def test_a_head_is_trained_alone_where_its_features_never_change():
    assert head_only(recipe())
    assert not head_only(recipe(frozen=False))
    assert not head_only(recipe(augment="RandomAffine()"))
    assert not head_only(recipe(pool="GeM()"))


def test_features_have_one_precision(cache):
    with pytest.raises(ValueError, match="write precision = 'no', not 'bf16'"):
        opened(cache, precision="bf16")

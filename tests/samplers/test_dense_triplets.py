import itertools
import math

import numpy as np
import pytest
import torch

from isometry.losses import LogRatio
from isometry.samplers import DenseTriplets

TARGETS = np.random.default_rng(0).normal(size=(60, 3))


def epochs(sampler, many):
    return np.array([batch for _ in range(many) for batch in sampler])


def test_a_batch_is_an_anchor_its_nearest_and_others():
    for batch in epochs(DenseTriplets(batch_size=12, neighbours=4).bind(TARGETS), 3):
        assert len(set(batch)) == 12
        d = np.linalg.norm(TARGETS - TARGETS[batch[0]], axis=1)
        assert list(batch[:5]) == list(np.argsort(d)[:5])


def test_each_item_is_the_anchor_once_in_a_cycle_and_stands_among_others_as_often():
    batches = epochs(DenseTriplets(batch_size=12, neighbours=0).bind(TARGETS), 12)
    assert sorted(batches[:, 0]) == list(range(60))
    often = np.bincount(batches[:, 1:].ravel(), minlength=60)
    assert often.mean() == 11
    assert often.min() >= 6


def test_epochs_and_seeds_differ_and_resume_is_exact():
    one = DenseTriplets(batch_size=10).bind(TARGETS)
    batches = epochs(one, 4)
    assert not np.array_equal(batches[:6], batches[6:12])
    assert not np.array_equal(epochs(DenseTriplets(batch_size=10, seed=1).bind(TARGETS), 1), batches[:6])
    again, other = DenseTriplets(batch_size=10).bind(TARGETS), DenseTriplets(batch_size=10).bind(TARGETS)
    passing = iter(again)
    for _ in range(4):
        next(passing)
    other.load_state_dict(again.state_dict())
    assert np.array_equal(epochs(other, 2), batches[4:12])


def test_ranks_share_every_batch():
    whole = epochs(DenseTriplets(batch_size=12).bind(TARGETS), 2)
    shares = [epochs(DenseTriplets(batch_size=12).bind(TARGETS, rank=rank, ranks=3), 2) for rank in range(3)]
    assert np.array_equal(np.concatenate(shares, axis=1), whole)


def test_items_without_a_label_are_left_out():
    targets = TARGETS.copy()
    targets[::3, 1] = np.nan
    batches = epochs(DenseTriplets(batch_size=10, neighbours=2).bind(targets), 4)
    assert not (batches % 3 == 0).any()


def test_log_ratio_of_the_anchor_is_the_mean_over_its_dense_triplets():
    batch = next(iter(DenseTriplets(batch_size=9, neighbours=3).bind(TARGETS)))
    y, z = TARGETS[batch], np.random.default_rng(1).normal(size=(9, 4))
    f, g = (((x - x[0]) ** 2).sum(1) for x in (z, y))
    dense = [(i, j) for i, j in itertools.permutations(range(1, 9), 2) if g[i] < g[j]]
    assert len(dense) == 28
    expected = sum((math.log(f[i] / f[j]) - math.log(g[i] / g[j])) ** 2 for i, j in dense) / len(dense)
    value = LogRatio()(torch.from_numpy(z), torch.from_numpy(y), rows=slice(1))
    assert value.item() == pytest.approx(expected)


def test_what_cannot_be_filled_or_divided():
    with pytest.raises(ValueError, match=r"cannot fill a batch from 60 items\. Use batch_size=60 or less"):
        DenseTriplets().bind(TARGETS)
    with pytest.raises(ValueError, match=r"reads numbers \[n\] or \[n t\]; got <U1"):
        DenseTriplets().bind(np.array(["a"]))
    with pytest.raises(ValueError, match="10 images in a batch: they cannot be divided over 3 ranks"):
        DenseTriplets(batch_size=10).bind(TARGETS, ranks=3)
    with pytest.raises(ValueError, match="0 ≤ neighbours < batch_size"):
        DenseTriplets(neighbours=150)
    assert len(DenseTriplets(batch_size=5, neighbours=1).bind(torch.arange(11))) == 2

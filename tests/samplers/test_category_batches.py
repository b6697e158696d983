import numpy as np
import pytest

import isometry
from isometry.samplers import CategoryBatches

RNG = np.random.default_rng(0)
CLASS = np.repeat(np.arange(40), RNG.integers(2, 9, 40))
PATHS = np.stack([CLASS % 4, CLASS], 1)[RNG.permutation(len(CLASS))]


def epoch(sampler):
    return np.array(list(sampler))


def test_every_pair_of_categories_shares_its_batches_half_and_half():
    batches = epoch(CategoryBatches(batch_size=16, batches_per_pair=3).bind(PATHS))
    assert batches.shape == (18, 16)
    halves = PATHS[batches, 0].reshape(18, 2, 8)
    assert (halves == halves[..., :1]).all()
    pairs = np.sort(halves[..., 0], axis=1)
    assert sorted(map(tuple, pairs)) == [(a, b) for a in range(4) for b in range(a + 1, 4) for _ in range(3)]


def test_classes_of_a_half_are_whole_but_for_its_ends():
    """A half is a run of a walk in which classes follow each other: no class is left and taken up again."""
    for batch in epoch(CategoryBatches(batch_size=24, batches_per_pair=2).bind(PATHS)):
        for half in PATHS[batch, 1].reshape(2, 12):
            changes = 1 + (half[1:] != half[:-1]).sum()
            assert changes - len(set(half)) <= 1  # one more where the walk begins again


def test_no_image_of_a_category_comes_again_before_all_have_come():
    drawn = epoch(CategoryBatches(batch_size=8, batches_per_pair=10).bind(PATHS)).ravel()
    for category in range(4):
        own = drawn[PATHS[drawn, 0] == category]
        size = (PATHS[:, 0] == category).sum()
        assert len(own) >= 2 * size
        assert len(set(own[:size])) == size


def test_epochs_differ_and_ranks_share_batches():
    sampler = CategoryBatches(batch_size=16)
    whole, other = sampler.bind(PATHS), sampler.bind(PATHS)
    first = epoch(whole)
    assert not np.array_equal(first, epoch(whole))
    shares = [epoch(sampler.bind(PATHS, rank=rank, ranks=2)) for rank in (0, 1)]
    assert np.array_equal(np.concatenate(shares, axis=1), first)
    assert np.array_equal(epoch(other), first)


def test_items_without_a_class_are_left_out():
    paths = np.concatenate([PATHS, [[1, -1]] * 5])
    assert PATHS.shape[0] > epoch(CategoryBatches(batch_size=16).bind(paths)).max()


def test_what_cannot_be_sampled():
    with pytest.raises(ValueError, match=r"label paths \[n levels\]"):
        CategoryBatches().bind(PATHS[:, 1])
    with pytest.raises(ValueError, match="pairs categories, and these labels have 1"):
        CategoryBatches().bind(PATHS[PATHS[:, 0] == 1])
    with pytest.raises(ValueError, match="even batch_size"):
        isometry.parse("CategoryBatches(batch_size=7)")
    with pytest.raises(ValueError, match="cannot be divided over 3 ranks"):
        CategoryBatches(batch_size=16).bind(PATHS, rank=0, ranks=3)

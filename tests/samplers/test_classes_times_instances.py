import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import isometry
from isometry.samplers import ClassesTimesInstances

RNG = np.random.default_rng(0)
LONG_TAIL = np.repeat(np.arange(60), np.r_[[1] * 13, [2, 3] * 10, RNG.integers(4, 40, 27)])
RNG.shuffle(LONG_TAIL)


def epoch(sampler):
    return np.array(list(sampler))


@pytest.mark.parametrize(("classes", "instances"), [(8, 4), (5, 3), (50, 2), (7, 1)])
def test_every_class_comes_in_each_epoch_and_once_in_a_batch(classes, instances):
    sampler = ClassesTimesInstances(classes=classes, instances=instances).bind(LONG_TAIL)
    counts = np.bincount(LONG_TAIL)
    for _ in range(3):
        batches = epoch(sampler)
        assert batches.shape == (len(sampler), classes * instances)
        assert set(LONG_TAIL[batches].ravel()) == set(range(60))
        for places in LONG_TAIL[batches].reshape(len(batches), classes, instances):
            several = counts[places[:, 0]] > 1
            assert (places[several] == places[several, :1]).all()
            assert (counts[places[~several]] == 1).all()
            found = [*places[several, 0], *(c for place in places[~several] for c in set(place))]
            assert len(found) == len(set(found))


def test_no_image_comes_again_before_all_of_its_class_have_come():
    labels = np.repeat(np.arange(8), 12)
    sampler = ClassesTimesInstances(classes=4, instances=3).bind(labels)
    assert len(sampler) == 8
    for _ in range(2):
        assert sorted(epoch(sampler).ravel()) == list(range(96))


def test_small_classes_repeat_evenly():
    labels = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    (batch,) = epoch(ClassesTimesInstances(classes=3, instances=4).bind(labels))
    assert np.bincount(batch).max() == 2
    assert sorted(np.bincount(batch)[:2]) == [2, 2]
    assert sorted(np.bincount(batch)[2:5]) == [1, 1, 2]


def test_classes_of_one_image_share_a_place_and_are_not_repeated():
    labels = np.r_[np.repeat(np.arange(6), 4), 10:18]
    batches = epoch(ClassesTimesInstances(classes=4, instances=4).bind(labels))
    alone = batches[labels[batches] >= 10]
    assert sorted(alone) == list(range(24, 32))


def test_items_without_a_label_are_left_out():
    labels = np.r_[np.repeat(np.arange(6), 4), [-1] * 10]
    assert labels[epoch(ClassesTimesInstances(classes=3).bind(labels))].min() == 0


def test_classes_are_drawn_equally_often():
    labels = np.repeat(np.arange(20), RNG.integers(4, 100, 20))
    drawn = labels[epoch(ClassesTimesInstances(classes=5, instances=2).bind(labels))]
    assert len(set(np.bincount(drawn.ravel()))) == 1
    assert abs(drawn.size - len(labels)) <= 40


def test_seeds_and_epochs_differ_and_repeat():
    def bound(seed):
        return ClassesTimesInstances(classes=8, seed=seed).bind(LONG_TAIL)

    one = bound(0)
    first, second = epoch(one), epoch(one)
    assert not np.array_equal(first, second)
    again = bound(0)
    again.set_epoch(1)
    assert np.array_equal(epoch(again), second)
    assert not np.array_equal(epoch(bound(1)), first)


def test_ranks_share_every_batch():
    sampler = ClassesTimesInstances(classes=6, instances=4)
    whole = epoch(sampler.bind(LONG_TAIL))
    for ranks in (2, 3, 4):
        shares = [epoch(sampler.bind(LONG_TAIL, rank=rank, ranks=ranks)) for rank in range(ranks)]
        assert np.array_equal(np.concatenate(shares, axis=1), whole)


@pytest.mark.parametrize("stop", [0, 1, 5, 23])
def test_resumes_with_the_same_batches(stop):
    sampler = ClassesTimesInstances(classes=6, instances=4)
    whole = sampler.bind(LONG_TAIL)
    batches = [*whole, *whole]
    one, other = sampler.bind(LONG_TAIL), sampler.bind(LONG_TAIL)
    passing = iter([]) if stop == 0 else iter(one)
    before = []
    while len(before) < stop:
        for batch in passing:
            before.append(batch)
            if len(before) == stop:
                break
        else:
            passing = iter(one)
    other.load_state_dict(one.state_dict())
    after = [*other, *other]
    expected = batches[stop:]
    assert before == batches[:stop]
    assert after[: len(expected)] == expected


def test_a_pass_that_is_broken_off_begins_again():
    sampler = ClassesTimesInstances(classes=8).bind(LONG_TAIL)
    first = next(iter(sampler))
    assert next(iter(sampler)) == first


def test_states_of_other_samplers_are_refused():
    state = ClassesTimesInstances(classes=8).bind(LONG_TAIL).state_dict()
    with pytest.raises(ValueError, match=r"batches of 32 images an epoch, and this one has \d+ of 28"):
        ClassesTimesInstances(classes=7).bind(LONG_TAIL).load_state_dict(state)


def test_text_is_the_config():
    sampler = isometry.parse("ClassesTimesInstances(classes=8, seed=3)")
    assert repr(sampler) == "ClassesTimesInstances(classes=8, seed=3)"
    assert (sampler.instances, sampler.seed) == (4, 3)


def test_is_a_torch_batch_sampler():
    labels = torch.from_numpy(LONG_TAIL)
    loaded = DataLoader(labels, batch_sampler=ClassesTimesInstances(classes=8).bind(labels))
    assert {len(batch) for batch in loaded} == {32}
    assert len(loaded) == len(list(loaded))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 0, 1, 1, 2], r"cannot fill a batch from 2 classes with two or more images and 1 with one\. Use classes=3"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "none of 8 classes has two images"),
        ([-1, -1], "none of 0 classes"),
        ([0.5, 1.5], r"whole numbers \[n\]; got float64"),
        ([[0, 1]], r"got int64 \[1, 2\]"),
    ],
)
def test_what_cannot_be_filled(labels, words):
    with pytest.raises(ValueError, match=words):
        ClassesTimesInstances(classes=4).bind(np.array(labels))


def test_what_cannot_be_divided():
    with pytest.raises(ValueError, match="28 images in a batch: they cannot be divided over 3 ranks"):
        ClassesTimesInstances(classes=7).bind(LONG_TAIL, rank=0, ranks=3)
    with pytest.raises(ValueError, match="at least one class"):
        ClassesTimesInstances(classes=0)

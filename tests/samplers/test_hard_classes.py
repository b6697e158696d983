import itertools

import numpy as np
import pytest
import torch

import isometry
from isometry.references import Signatures
from isometry.samplers import HardClasses

RNG = np.random.default_rng(0)
LABELS = np.r_[np.repeat(np.arange(20), RNG.integers(2, 12, 20)), [20, 21, -1, -1]]
RNG.shuffle(LABELS)
LINE = torch.arange(20.0)[:, None] ** 1.5  # each class's nearest is the one below, but for the first


def bound(labels=LABELS, **settings):
    sampler = HardClasses(**settings)
    return sampler, sampler.bind(labels)


def groups(batches, labels, places):
    """The classes of each batch, place by place."""
    each = labels[np.array(list(batches))]
    each = each.reshape(len(each), places, -1)
    assert (each == each[:, :, :1]).all()
    return each[:, :, 0]


def test_three_classes_on_a_line():
    sampler, batches = bound(np.repeat(np.arange(3), 4), anchors=1, hard=1, instances=2)
    sampler.take(torch.tensor([[0.0], [1.0], [10.0]]), epoch=-1)
    assert {tuple(g) for g in groups(batches, np.repeat(np.arange(3), 4), 2)} == {(0, 1), (1, 0), (2, 1)}


def test_every_class_is_an_anchor_with_its_nearest_that_the_batch_has_not():
    sampler, batches = bound(anchors=3, hard=2, instances=2)
    sampler.take(LINE, epoch=0)
    groups(batches, LABELS, 9)
    anchors = []
    for group in groups(batches, LABELS, 9):
        assert len(set(group)) == 9
        places = group.reshape(3, 3)
        have = set(places[:, 0])
        for anchor, *others in places.tolist():
            near = [c for c in np.argsort(abs(LINE[:, 0] - LINE[anchor, 0]), kind="stable").tolist() if c not in have]
            assert others == near[:2]
            have |= set(others)
        anchors += places[:, 0].tolist()
    rounds = len(batches) // 7
    assert np.bincount(anchors[: 20 * rounds]).min() >= 1


def test_all_classes_as_hard_ones_are_every_class_in_every_batch():
    sampler, batches = bound(anchors=1, hard=19, instances=2)
    sampler.take(LINE, epoch=-1)
    for group in groups(batches, LABELS, 20):
        assert sorted(group) == list(range(20))


def test_without_signatures_classes_are_random_and_differ():
    _, batches = bound(anchors=2, hard=3, instances=3)
    first, second = groups(batches, LABELS, 8), groups(batches, LABELS, 8)
    assert all(len(set(g)) == 8 for g in first)
    assert not np.array_equal(first, second)
    assert np.bincount(first[:, [0, 4]].ravel(), minlength=20).min() >= 1


def test_without_signatures_batches_in_a_row_share_few_classes():
    labels = np.repeat(np.arange(900), 4)
    _, batches = bound(labels)
    chosen = [set(group) for group in groups(batches, labels, 32)]
    shared = [len(one & other) for one, other in itertools.pairwise(chosen)]
    assert all(len(group) == 32 for group in chosen)
    assert np.mean(shared) < 3, "as many as chance would have, not the anchors of the batch to come"


def test_images_of_a_class_come_in_turn():
    labels = np.repeat(np.arange(4), 8)
    _, batches = bound(labels, anchors=2, hard=1, instances=4)
    with pytest.raises(ValueError, match="holds 32 classes of two images or more, and there are 4"):
        bound(labels)
    drawn = np.array(list(batches)).ravel()
    for c in range(4):
        own = drawn[labels[drawn] == c]
        assert len(set(own[:8])) == min(8, len(own))


def test_signatures_count_from_the_next_epoch_on_and_resume():
    def state(sampler):
        return {k: v.clone() for k, v in sampler.state_dict().items()}

    sampler, batches = bound(anchors=2, hard=1, instances=2)
    plain = groups(bound(anchors=2, hard=1, instances=2)[1], LABELS, 4)
    passing = iter(batches)
    read = [next(passing)]
    sampler.take(LINE, epoch=0)
    saved = (state(sampler), batches.state_dict())
    rest = list(passing)
    assert np.array_equal(groups(read + rest, LABELS, 4), plain)  # the epoch goes on as it began
    later = list(batches)
    sampler.take(-(LINE.flip(0) ** 2), epoch=1)
    changed = list(batches)

    again, others = bound(anchors=2, hard=1, instances=2)
    again.load_state_dict(saved[0])
    others.load_state_dict(saved[1])
    assert list(others) == rest
    assert list(others) == later
    again.take(-(LINE.flip(0) ** 2), epoch=1)
    assert list(others) == changed


def test_ranks_share_every_batch():
    _, whole = bound(anchors=2, hard=1, instances=2)
    shares = [HardClasses(anchors=2, hard=1, instances=2).bind(LABELS, rank=r, ranks=2) for r in (0, 1)]
    assert np.array_equal(np.concatenate([list(s) for s in shares], axis=1), np.array(list(whole)))


def test_signatures_are_of_named_classes():
    sampler, _ = bound(np.array([3, 3, 5, 5, 9, 9]), anchors=1, hard=1, instances=2)
    with pytest.raises(ValueError, match="1 of 3 classes have no signature, among them 9"):
        sampler.take(torch.zeros(2, 4), 0, classes=torch.tensor([5, 3]))
    sampler.take(torch.tensor([[0.0], [9.0], [8.0], [5.0]]), 0, classes=torch.tensor([9, 7, 5, 3]))
    assert sampler.near[1, :, 0].tolist() == [1, 0, 0]


def test_running_signatures_of_a_constant_class_are_its_mean():
    signatures = Signatures(num_classes=3, dim=2)
    loss = isometry.parse("NormSoftmax(reference=Signatures())", num_classes=3, dim=2)
    loss.reference = signatures
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    for _ in range(3):
        loss.observe(z, torch.tensor([0, 0, 2]))
    torch.testing.assert_close(signatures.embeddings, torch.tensor([[0.5, 0.5], [0.0, 0.0], [3.0, 3.0]]))
    loss.observe(z + 1, torch.tensor([0, 0, 2]))
    torch.testing.assert_close(signatures.embeddings[0], torch.tensor([0.6, 0.6]))
    rel = loss.relate(torch.tensor([0, 1, -1]), signatures(isometry.samples.Samples(z, z[:, 0])).y)
    assert rel.pos.tolist() == [[True, False, False], [False] * 3, [False] * 3]  # class 1 has not come yet
    assert rel.neg.tolist() == [[False, False, True], [True, False, True], [False] * 3]
    again = Signatures(num_classes=3, dim=2)
    again.load_state_dict(signatures.state_dict())
    assert torch.equal(again.embeddings, signatures.embeddings)


def test_what_makes_no_sampler():
    with pytest.raises(ValueError, match="at least one anchor"):
        HardClasses(anchors=0)
    assert repr(isometry.parse("HardClasses(hard=2)")) == "HardClasses(hard=2)"

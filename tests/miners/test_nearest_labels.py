"""The k nearest in label distance are positives: by sorting, with ties, weights and unknown labels, in blocks and compiled."""

import subprocess
import sys

import pytest
import torch

import isometry
from isometry.losses import Triplet
from isometry.miners import NearestLabels
from isometry.relations import Joints, close_targets


def relation(y, ids=None):
    ids = torch.arange(len(y)) if ids is None else ids
    return close_targets(y, y).without_self(ids, ids)


def mined(rel, k):
    return NearestLabels(k=k)(torch.zeros(rel.gap.shape), rel)


def test_positives_are_the_first_of_the_sorted_list():
    y = torch.randn(20, 3)
    rel = mined(relation(y), 4)
    for i in range(20):
        order = sorted((j for j in range(20) if j != i), key=lambda j: float(torch.dist(y[i], y[j])))
        assert rel.pos[i].nonzero()[:, 0].tolist() == sorted(order[:4])
        assert rel.neg[i].nonzero()[:, 0].tolist() == sorted(order[4:])


def test_equally_far_references_are_positives_together_in_any_order():
    y = torch.tensor([0.0, 1.0, -1.0, 1.0, 5.0])
    rel = mined(relation(y), 1)
    assert rel.pos[0].tolist() == [False, True, True, True, False]
    turned = torch.tensor([3, 0, 4, 2, 1])
    other = mined(relation(y[turned], turned), 1)
    assert torch.equal(other.pos, rel.pos[turned][:, turned])


def test_unknown_labels_and_the_row_itself_are_neither():
    y = torch.tensor([0.0, float("nan"), 1.0, 1.5, 2.0])
    rel = mined(relation(y), 2)
    assert rel.pos[0].tolist() == [False, False, True, True, False]
    assert rel.neg[0].tolist() == [False, False, False, False, True]
    assert not (rel.pos | rel.neg)[1].any()
    assert not (rel.pos | rel.neg)[:, 1].any()


def test_with_fewer_others_than_k_all_are_positives():
    rel = mined(relation(torch.tensor([0.0, 1.0, float("nan")])), 5)
    assert rel.pos.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert not rel.neg.any()
    assert mined(close_targets(torch.zeros(2), torch.zeros(0)), 3).pos.shape == (2, 0)


def test_a_weight_is_a_multiplicity():
    """References of weight 0, 2 and 3 are as good as left out, listed twice and three times."""
    y, often = torch.randn(6), torch.tensor([1, 2, 0, 3, 1, 2])
    listed = torch.arange(6).repeat_interleave(often)
    for k in range(1, 9):
        weighed = mined(relation(y).weighted(often.float()), k)
        copies = close_targets(y, y[listed]).without_self(torch.arange(6), listed)
        twice = mined(copies, k)
        expected = torch.zeros(6, 6).index_add_(1, listed, twice.pos.float())
        torch.testing.assert_close(weighed.pos, expected)
        torch.testing.assert_close(weighed.neg, torch.zeros(6, 6).index_add_(1, listed, twice.neg.float()))


def test_the_loss_is_the_same_in_blocks():
    loss = Triplet(relate=Joints(), miner=NearestLabels(k=3))
    z, y = torch.randn(60, 4, dtype=torch.float64), torch.randn(60, 8, dtype=torch.float64)
    whole = loss(z, y)
    with isometry.memory_budget(4096):
        torch.testing.assert_close(loss(z, y), whole)
    assert whole > 0


def test_binary_triplets_of_poses_by_a_triple_loop():
    """Mean over violating triplets of [s_an − s_ap + margin]₊, positives the 2 nearest poses."""
    z = torch.nn.functional.normalize(torch.randn(12, 4, dtype=torch.float64))
    y = torch.randn(12, 6, dtype=torch.float64)
    sim, apart, found = z @ z.T, Joints().distances(y, y), []
    for a in range(12):
        near = [j for j in apart[a].argsort().tolist() if j != a]
        found += [sim[a, n] - sim[a, p] + 0.1 for p in near[:2] for n in near[2:]]
    found = torch.stack(found).clamp_min(0)
    loss = Triplet(relate=Joints(), miner=NearestLabels(k=2))
    torch.testing.assert_close(loss(z, y), found.sum() / (found > 0).sum())


TRACED = """
import torch
from isometry.miners import NearestLabels
from isometry.relations import Captions, Circular, Joints, Layouts, Places, Scaled

maps = Layouts(regions=3), Layouts(regions=2, matched=True)
numbers = Joints(), Circular(), Places(), Scaled(scales=(1, 2)), Captions(dim=2)
miner, ids = NearestLabels(k=2), torch.arange(9)

def mined(relate, y, w):
    rel = relate(y, y).without_self(ids, ids)
    return [miner(rel.gap, rel).pos, miner(rel.gap, rel.weighted(w)).neg, rel.gap]

def all_of_them(y, w):
    return [mined(relate, y, w) for relate in numbers] + [mined(relate, y.floor(), w) for relate in maps]

y, w = 3 * torch.rand(9, 2), torch.rand(9)
torch.testing.assert_close(torch.compile(all_of_them, fullgraph=True, backend="eager")(y, w), all_of_them(y, w))
print("traced")
"""


@pytest.mark.slow
def test_it_traces_whole_with_the_distances_between_labels():
    """In a process of its own: the tests' run-time type checks do not trace."""
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True)
    assert done.stdout == "traced\n", done.stderr[-2000:]


def test_k_is_at_least_one():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        NearestLabels(k=0)

"""Losses that read the order of continuous labels, or which are near: triplets, soft nDCG, thresholds, one anchor."""

import itertools

import pytest
import torch

import isometry
from isometry import losses, miners
from isometry.losses import Heaviside, Soft
from isometry.metrics import NDCG, DistanceGain
from isometry.ops import label_order
from isometry.relation import Relation
from isometry.relations import CloseTargets, close_targets
from isometry.similarities import cosine, euclidean
from tests.losses.points import on_circle

F64 = torch.float64


def points(n=12, d=4, t=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=F64), torch.randn(n, t, generator=g, dtype=F64)


def loops(x, gap, w, margin):
    """Sum and weight of all triplets of one row."""
    total = count = 0.0
    for i, j in itertools.product(range(len(x)), repeat=2):
        if gap[i] < gap[j]:
            total, count = total + w[i] * w[j] * max(0.0, x[i] - x[j] + margin), count + w[i] * w[j]
    return total, count


@pytest.mark.parametrize("margin", [0.0, 0.25, 5.0])
@pytest.mark.parametrize("m", [1, 2, 7, 16, 33])
def test_triplets_of_an_order_equal_the_double_loop_with_ties_and_weights(m, margin):
    g = torch.Generator().manual_seed(m)
    x = (torch.rand(3, m, generator=g, dtype=F64) * 8).round() / 4  # equal distances too
    gap = (torch.rand(3, m, generator=g, dtype=F64) * 5).round()
    w = torch.rand(3, m, generator=g, dtype=F64) * (torch.rand(3, m, generator=g) > 0.3)
    total, count = label_order.hinge(x, gap, w, margin)
    for k in range(3):
        expected = loops(x[k].tolist(), gap[k].tolist(), w[k].tolist(), margin)
        assert (total[k].item(), count[k].item()) == pytest.approx(expected)


def test_triplets_of_an_order_have_the_gradient_of_the_pairwise_form():
    g = torch.Generator().manual_seed(0)
    x = torch.rand(4, 50, generator=g, dtype=F64, requires_grad=True)
    gap = (torch.rand(4, 50, generator=g, dtype=F64) * 12).round()
    pairs = (x[:, :, None] - x[:, None] + 0.1).clamp_min(0) * (gap[:, :, None] < gap[:, None])
    (ours,) = torch.autograd.grad(label_order.hinge(x, gap, torch.ones(4, 50, dtype=torch.bool), 0.1)[0].sum(), x)
    torch.testing.assert_close(ours, torch.autograd.grad(pairs.sum(), x)[0])


def test_dense_triplets_read_the_order_of_labels_alone():
    z, y = points(t=1)
    loss, a = losses.DenseTriplet(), y[:, 0]
    gap = (a[:, None] - a).abs()
    for bent in (gap**3, gap.exp()):
        rel = Relation(pos=lambda: gap <= 1, gap=lambda bent=bent: bent).without_self(
            torch.arange(12), torch.arange(12)
        )
        found = loss.objective(loss.similarity(z, z), rel)["hinge"]
        assert (found.total.sum() / found.count.sum()).item() == pytest.approx(loss(z, y).item())


def test_dense_triplets_of_a_collapse_cost_the_margin_and_of_equal_labels_nothing():
    y = torch.arange(6.0, dtype=F64)
    assert losses.DenseTriplet(margin=0.2)(torch.ones(6, 3, dtype=F64), y).item() == pytest.approx(0.2)
    assert losses.DenseTriplet()(points()[0], torch.zeros(12, dtype=F64)) == 0


def test_dense_triplets_are_blind_to_length_and_want_a_distance():
    z, y = points()
    torch.testing.assert_close(losses.DenseTriplet()(7 * z, y), losses.DenseTriplet()(z, y))
    assert losses.DenseTriplet(similarity=euclidean)(7 * z, y) > losses.DenseTriplet(similarity=euclidean)(z, y)
    with pytest.raises(ValueError, match="not minus one: take chord or euclidean"):
        losses.DenseTriplet(similarity=cosine)
    with pytest.raises(ValueError, match="0 or more"):
        losses.DenseTriplet(margin=-0.1)


@pytest.mark.parametrize("k", [None, 3, 8])
def test_a_soft_ndcg_of_label_distances_with_hard_steps_is_the_metric(k):
    z, y = points(n=30)
    metric = NDCG(k=k, gain=DistanceGain())
    hard = Soft(metric=metric, step=Heaviside(), cut=Heaviside(), relate=close_targets)
    ids, unit = torch.arange(30), torch.nn.functional.normalize(z)
    exact = metric(unit @ unit.T, close_targets(y, y).without_self(ids, ids))
    assert hard(z, y).item() == pytest.approx(1 - exact.mean().item(), abs=1e-6)


def test_a_soft_ndcg_of_three_items_is_the_published_one():
    """Label distances 1, 0, 3 in the order found: .8719."""
    hard = Soft(metric=NDCG(k=3, gain=DistanceGain()), step=Heaviside(), cut=Heaviside(), relate=close_targets)
    query, others = (
        (on_circle(0), torch.zeros(1, dtype=F64)),
        (on_circle(10, 20, 30), torch.tensor([1.0, 0, 3], dtype=F64)),
    )
    assert 1 - hard(*query, against=others).item() == pytest.approx(0.8719, abs=1e-4)


def test_a_soft_ndcg_falls_as_neighbours_by_label_come_nearer():
    z, y = points(n=40, d=3, t=2)
    metric = NDCG(k=5, gain=DistanceGain())
    loss, hard = (Soft(metric=metric, relate=close_targets, **steps) for steps in (
        {"step": losses.Sigmoid(temperature=0.1)}, {"step": Heaviside(), "cut": Heaviside()}))  # fmt: skip
    x = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
    assert hard(x.detach(), y) < 0.7 * hard(z, y)


def test_contrastive_by_threshold_is_contrastive_of_the_classes_that_the_threshold_makes():
    z = points()[0]
    place = torch.arange(12) // 4
    by_distance = losses.Contrastive(relate=CloseTargets(radius=0.5))
    torch.testing.assert_close(
        by_distance(z, 10.0 * place + 0.1 * (torch.arange(12) % 4)), losses.Contrastive()(z, place)
    )


def test_binary_triplets_are_all_pairs_of_the_nearest_by_label_and_the_rest():
    z, y = points()
    unit = torch.nn.functional.normalize(z)
    s, gap, found = unit @ unit.T, torch.cdist(y, y), []
    for a in range(12):
        order = [i for i in gap[a].argsort().tolist() if i != a]
        found += [(s[a, n] - s[a, p] + 0.1).item() for p in order[:3] for n in order[3:]]
    binary = losses.Triplet(relate=close_targets, miner=miners.NearestLabels(k=3))
    assert binary(z, y).item() == pytest.approx(sum(x for x in found if x > 0) / sum(x > 0 for x in found))


@pytest.mark.parametrize(
    "loss", ["LogRatio()", "DenseTriplet()", "Triplet(relate=close_targets, miner=NearestLabels(k=2))"]
)
def test_one_anchor_is_the_loss_of_the_first_row(loss):
    g = torch.Generator().manual_seed(3)
    z, y = torch.randn(9, 4, generator=g, dtype=torch.float64), torch.randn(9, 2, generator=g, dtype=torch.float64)
    whole, one = isometry.parse(loss), isometry.parse(f"OneAnchor(loss={loss})")
    torch.testing.assert_close(one(z, y, ids=torch.arange(9)), whole(z, y, rows=slice(1)))
    torch.testing.assert_close(one(z, y, rows=slice(2, 4)), whole(z, y, rows=slice(2, 4)))
    others = torch.cat([z[:1], z[1:].flip(0)]), torch.cat([y[:1], y[1:].flip(0)])
    torch.testing.assert_close(one(*others), one(z, y))
    assert one.relate is one.loss.relate


@pytest.mark.parametrize("levels", [1, 2, 4, 5])
@pytest.mark.parametrize("m", [9, 80])
def test_few_label_distances_and_many_have_one_sum_and_gradient(levels, m, monkeypatch):
    """As those of classes (two) and of a label tree: compared level by level, and nothing else changes."""
    g = torch.Generator().manual_seed(m + levels)
    x = torch.rand(6, m, generator=g, dtype=F64, requires_grad=True)
    gap = torch.randint(levels, (6, m), generator=g) / levels
    weight = torch.rand(6, m, generator=g, dtype=F64) * (torch.rand(6, m, generator=g) > 0.3)
    weight[4], gap[5] = 0, 0.5
    found = []
    for few in (label_order.LEVELS, 0):
        monkeypatch.setattr(label_order, "LEVELS", few)
        total, count = label_order.hinge(x, gap, weight, 0.2)
        found.append((total, count, *torch.autograd.grad(total.sum(), x)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    assert (found[0][0] > 0).any() == (levels > 1)

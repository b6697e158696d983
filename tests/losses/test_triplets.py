"""Triplets, their selection, and the margin loss: numbers by hand, and what the papers claim."""

import itertools
import math

import numpy as np
import pytest
import torch

import isometry
from isometry import losses, miners
from isometry.model import Embedder, parameter_groups
from isometry.ops import draws, sphere
from tests.losses.points import at_distances, on_circle, random

F64 = torch.float64


def test_a_class_may_lie_in_two_places_if_positives_are_easy():
    z, y = on_circle(0, 5, 180, 185, 90, 95, 270, 275), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    assert losses.Triplet(select=losses.EasyPositive())(z, y) == 0
    assert losses.Triplet(select=losses.EasyPositiveSemiHard())(z, y) == 0
    assert losses.Triplet(select=losses.Hardest())(z, y) > 0.9


def test_semi_hard_passes_over_negatives_nearer_than_the_easy_positive():
    z, y = on_circle(0, 40, 20, 60), torch.tensor([0, 0, 1, 1])
    row = {"rows": slice(1), "ids": torch.arange(4)}
    hard, semi = losses.EasyPositive(), losses.EasyPositiveSemiHard()
    near, positive, far = (math.cos(math.radians(x)) for x in (20, 40, 60))
    assert losses.Triplet(select=hard)(z, y, **row).item() == pytest.approx(near - positive + 0.1)
    assert losses.Triplet(select=semi, margin=0.5)(z, y, **row).item() == pytest.approx(far - positive + 0.5)
    assert losses.Triplet(select=semi)(z[:3], y[:3], rows=slice(1), ids=torch.arange(3)) == 0


def test_soft_margin_of_one_triplet_and_of_a_collapse():
    z, y = on_circle(0, 0, 90), torch.tensor([0, 0, 1])
    assert losses.Triplet(select=losses.SoftMargin())(z, y).item() == pytest.approx(math.log1p(math.exp(-1)))
    ones = torch.ones(6, 3, dtype=F64)
    for select in (losses.SoftMargin(), losses.SoftMargin(select=losses.Hardest())):
        assert losses.Triplet(select=select)(ones, torch.arange(6) % 2).item() == pytest.approx(math.log(2))


def test_a_large_scale_makes_the_soft_margin_a_hinge():
    z, y = random()
    s = torch.nn.functional.normalize(z) @ torch.nn.functional.normalize(z).T
    rows = range(len(y))
    gaps = [
        (s[a, n] - s[a, p]).item() for a, p, n in itertools.product(rows, rows, rows) if a != p and y[a] == y[p] != y[n]
    ]
    soft = losses.Triplet(select=losses.SoftMargin(scale=1e5))(z, y).item() / 1e5
    assert soft == pytest.approx(sum(max(0, g) for g in gaps) / len(gaps), rel=1e-4)


def test_soft_margin_of_semi_hard_triplets_nests():
    nested = losses.SoftMargin(select=losses.SoftMargin(select=losses.SemiHard(), scale=2.0), scale=3.0)
    flat = losses.SoftMargin(select=losses.SemiHard(), scale=6.0)
    z, y = random()
    torch.testing.assert_close(losses.Triplet(select=nested)(z, y), losses.Triplet(select=flat)(z, y))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_inverse_density_spans_forty_orders_in_128_dimensions(dtype):
    d, there = torch.tensor([[0.2, 0.5, 1.0, 1.4, 1.41, 2.0]], dtype=dtype), torch.ones(1, 6)
    weight = sphere.inverse_density(d, there, 128, 0.5, 1.4)[0].tolist()
    assert weight[:2] == [1, 1]
    assert -33 < math.log10(weight[2]) < -31
    assert weight[4:] == [0, 0]
    far = sphere.inverse_density(d[:, 3:], there[:, 3:], 128, 0.5, 1.4)[0].tolist()  # no nearer one: nothing underflows
    assert far == [1, 0, 0]


def test_distances_of_random_points_are_distributed_as_the_density_says():
    """Weighted by 1/q, distances of uniform points of a sphere are uniform between the cutoff and `furthest`."""
    g = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(2, 4000, 5, generator=g, dtype=F64), dim=2)
    d = (2 - 2 * z[0, :200] @ z[1].T).sqrt()
    weight = sphere.inverse_density(d, torch.ones_like(d), 5, 0.5, 1.4)
    inside = (d > 0.5) & (d < 1.4)
    share = np.histogram(d[inside], bins=6, range=(0.5, 1.4), weights=weight[inside])[0]
    np.testing.assert_allclose(share / share.sum(), 1 / 6, rtol=0.05)


def test_draws_are_in_proportion_to_their_weights():
    weight = torch.tensor([[0.0, 4.0, 0.0, 1.0, 3.0, 0.0]], dtype=F64)
    grid = (torch.arange(80) + 0.5)[None] / 80
    for order in ([3, 1, 4, 0, 2, 5], [0, 1, 2, 3, 4, 5]):
        found = draws.at_shares(weight, grid, torch.tensor(order))[0]
        assert torch.bincount(found, minlength=6).tolist() == [0, 40, 0, 10, 30, 0]
        assert found.tolist() == sorted(found.tolist(), key=order.index)


def test_each_positive_draws_once_in_whatever_order_the_columns_stand():
    g = torch.Generator().manual_seed(0)
    pos, weight = torch.rand(7, 40, generator=g) < 0.2, torch.rand(7, 40, generator=g)
    pos[3], weight[4] = False, 0
    weight[pos] = 0
    rows, cols = torch.randint(2**40, (7,), generator=g), torch.randperm(1000, generator=g)[:40]
    column, often = draws.drawn(pos, weight, rows, cols), draws.often(pos, weight, rows, cols)
    counted = torch.zeros_like(often).scatter_add_(1, column, pos.float())
    counted[4] = 0
    assert torch.equal(counted, often)
    assert often.sum(1).tolist() == (pos.sum(1) * (weight.sum(1) > 0)).tolist()
    assert (weight[often > 0] > 0).all()
    other = torch.randperm(40, generator=g)
    assert torch.equal(draws.often(pos[:, other], weight[:, other], rows, cols[other]), often[:, other])
    assert torch.equal(draws.often(2.0 * pos, weight, rows, cols), 2 * often)


def test_draws_change_with_each_step_and_resume():
    z, y = random(24, 8, 4)
    loss = isometry.parse("Triplet(margin=1.0, select=DistanceWeighted(furthest=1.9))", dim=8)
    values = [loss(z, y).item() for _ in range(2)]
    assert values[0] == values[1]
    loss.observe(z, y)
    later = loss(z, y).item()
    assert later != values[0]
    again = isometry.parse("Triplet(margin=1.0, select=DistanceWeighted(furthest=1.9))", dim=8)
    again.load_state_dict(loss.state_dict())
    assert again(z, y).item() == later
    other = isometry.parse("Triplet(margin=1.0, select=DistanceWeighted(furthest=1.9, seed=1))", dim=8)
    assert other(z, y).item() != values[0]


def test_distance_weighting_reads_cosines_and_its_miner_distances():
    with pytest.raises(ValueError, match=r"DistanceWeighted reads .* off cosines; got similarity=euclidean"):
        isometry.parse("Triplet(similarity=euclidean, select=DistanceWeighted())", dim=4)
    with pytest.raises(ValueError, match="off cosines"):
        isometry.parse("Triplet(similarity=chord, select=SoftMargin(select=DistanceWeighted()))", dim=4)
    for name in ("DistanceWeightedMiner", "Triplet(select=DistanceWeighted"):
        with pytest.raises(ValueError, match="0 < cutoff < furthest < 2"):
            isometry.parse(f"{name}(furthest=2.0)" + ")" * ("(" in name), dim=4)


def test_the_miner_gives_each_positive_one_negative():
    z, y = random(24, 8, 4)
    rel = isometry.relations.same_class(y, y).without_self(torch.arange(24), torch.arange(24))
    sim = isometry.similarities.chord(z, z)
    kept = miners.DistanceWeightedMiner(dim=8, furthest=1.99)(sim, rel)
    assert kept.neg.sum(1).tolist() == [5] * 24
    assert (kept.neg * ~rel.neg).sum() == 0
    assert torch.equal(kept.pos, rel.pos)


def test_margin_of_one_positive_and_one_negative():
    z, y = at_distances(1.1, 1.2), torch.tensor([0, 0, 1])
    loss = losses.Margin(dim=2)
    value = loss(z, y, rows=slice(1), ids=torch.arange(3))
    assert value.item() == pytest.approx(0.3 / 2)  # the paper's .1 + .2, over the two pairs that cost something
    value.backward()
    assert loss.boundary.grad.item() == pytest.approx(0)  # one pulls the boundary out, the other in
    far = at_distances(0.9, 1.2)
    loss(far, y, rows=slice(1), ids=torch.arange(3)).backward()
    assert loss.boundary.grad.item() == pytest.approx(1)  # only the negative costs: the boundary shrinks


def test_margin_learns_one_boundary_a_class_at_a_rate_of_its_own():
    loss = losses.Margin(dim=4, num_classes=3, per_class=True)
    z, y = random()
    loss(z, torch.where(y == 2, 0, y)).backward()
    assert (loss.boundary.grad != 0).tolist() == [True, True, False]
    groups = parameter_groups(Embedder.parse("ConvNet()", "Average()", "Linear(dim=4)"), loss, lr=1e-5)
    (rate,) = {g["lr"] for g in groups if any(p is loss.boundary for p in g["params"])}
    assert rate == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Contrastive(miner=RhoSwitch(probability=0.0))", "Contrastive()"),
        ("Margin(miner=RhoSwitch(probability=0.0, miner=DistanceWeightedMiner()))", "Margin()"),
        ("Triplet(miner=RhoSwitch(probability=0.0, itself=True), select=SemiHard())", "Triplet(select=SemiHard())"),
    ],
)
def test_without_switching_nothing_changes(text, host):
    z, y = random()
    values = []
    for loss in (isometry.parse(text, dim=4, num_classes=3), isometry.parse(host, dim=4, num_classes=3)):
        x = z.clone().requires_grad_()
        value = loss(x, y)
        value.backward()
        values.append((value, x.grad))
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=0)


def test_switched_rows_push_their_class_and_pull_nothing():
    z, y = random()
    n = torch.arange(len(y))
    rel = isometry.relations.same_class(y, y).without_self(n, n)
    kept = miners.RhoSwitch(probability=1.0)(z @ z.T, rel)
    assert not kept.pos.any()
    assert torch.equal(kept.neg, rel.pos)
    alone = miners.RhoSwitch(probability=1.0, itself=True)(z @ z.T, rel)
    torch.testing.assert_close(alone.pos.double(), torch.eye(len(y), dtype=F64))
    x = z.clone().requires_grad_()
    losses.Triplet(margin=3.0, miner=miners.RhoSwitch(probability=1.0, itself=True))(x, y).backward()
    unit = torch.nn.functional.normalize
    moved = unit(x - 1e-3 * x.grad) @ unit(x - 1e-3 * x.grad).T - unit(x) @ unit(x).T
    assert moved[rel.pos].mean() < 0
    assert losses.Triplet(miner=miners.RhoSwitch(probability=1.0, itself=True))(z, n) == 0  # no positives: no triplets


def test_about_as_many_rows_switch_as_asked():
    n = torch.arange(4000)
    rel = isometry.relations.same_class(n % 2, n[:2]).without_self(n, n[:2])
    kept = miners.RhoSwitch(probability=0.35)(torch.zeros(4000, 2), rel)
    switched = (kept.pos.sum(1) == 0)[2:].float().mean().item()
    assert switched == pytest.approx(0.35, abs=0.03)

"""The potential field: its two forces, what it does not see, and that a proxy is a point like any other."""

import math

import pytest
import torch

import isometry
from isometry import losses
from isometry.references import batch
from isometry.relation import Relation
from tests.losses.points import F64, at_distances, on_circle, random


def field(text="PotentialField()", classes=3, dim=4, seed=0):
    torch.manual_seed(seed)
    return isometry.parse(text, num_classes=classes, dim=dim).double()


def pair(distance, alike, alpha=3.0, delta=0.2):
    """The potential of one point at this distance of another, and how it changes with the distance."""
    r = torch.tensor([[distance]], dtype=F64, requires_grad=True)
    pos = torch.tensor([[alike]])
    loss = losses.PotentialField(alpha=alpha, delta=delta, reference=batch)
    ((total, _),) = loss.objective(-r, Relation(pos=lambda: pos, neg=lambda: ~pos)).values()
    (slope,) = torch.autograd.grad(total.sum(), r)
    return total.item(), slope.item()


@pytest.mark.parametrize("alpha", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("r", [0.03, 0.1, 0.19, 0.21, 0.5, 1.9])
def test_the_force_is_that_of_a_power_on_one_side_of_the_radius_and_none_on_the_other(r, alpha):
    """Alike: −r^{−α} beyond δ, and −δ^{−α} within. Unlike: r^{−α} within δ, and δ^{−α} beyond."""
    force = alpha * r ** (-alpha - 1)
    pull, push = pair(r, True, alpha), pair(r, False, alpha)
    assert pull == (pytest.approx(-(max(r, 0.2) ** -alpha)), pytest.approx(force if r > 0.2 else 0))
    assert push == (pytest.approx(min(r, 0.2) ** -alpha), pytest.approx(-force if r < 0.2 else 0))


def test_both_potentials_are_continuous():
    for alike in (True, False):
        for place in (0.2, 0.01):
            below, above = pair(place - 1e-9, alike)[0], pair(place + 1e-9, alike)[0]
            assert below == pytest.approx(above, rel=1e-6)


def test_a_weak_decay_is_a_constant():
    for alike, value in ((True, -1), (False, 1)):
        for r in (0.05, 0.5):
            assert pair(r, alike, alpha=1e-9) == (pytest.approx(value, abs=1e-7), pytest.approx(0, abs=1e-7))


@pytest.mark.parametrize("r", [0.1, 1.5])
def test_two_points_of_different_classes_are_pushed_apart_within_the_radius_only(r):
    """Either feels α r^{−α−1} from the other, in its share of the mean; both move, so it is twice that over two rows."""
    z = at_distances(r).requires_grad_()
    losses.PotentialField(reference=batch)(z, torch.tensor([0, 1])).backward()
    along = 3 * r**-4 * math.cos(math.asin(r / 2)) if r < 0.2 else 0.0  # of the chord, along the circle
    torch.testing.assert_close(z.grad.norm(dim=1), torch.full((2,), along, dtype=F64), atol=1e-9, rtol=1e-9)


def test_a_positive_pulls_the_less_the_farther_it_is():
    """A wrongly labelled item far away hardly matters: contrastive losses would draw it most."""
    forces = [pair(r, True)[1] for r in (0.25, 0.5, 1.0, 2.0)]
    assert forces == sorted(forces, reverse=True)
    assert forces[-1] < forces[0] / 1000


def test_classes_within_their_radius_and_apart_rest():
    z = on_circle(0, 3, 6, 120, 124).requires_grad_()
    losses.PotentialField(reference=batch)(z, torch.tensor([0, 0, 0, 1, 1])).backward()
    assert z.grad.abs().max() == 0


def test_a_proxy_is_a_point_like_any_other():
    """Items and proxies may change places: the energy is of all pairs of points."""
    loss, (z, y) = field("PotentialField(reference=BatchAndProxies(per_class=4), delta=0.9)"), random()
    before = loss(z, y)
    held = loss.reference.weight.detach().clone()
    loss.reference.weight.data = z
    torch.testing.assert_close(loss(held, y), before)
    turned = losses.PotentialField(delta=0.9, reference=batch)
    torch.testing.assert_close(turned(torch.cat([z, held]), torch.cat([y, y])), before)


def test_proxies_move_each_other_also_far_from_the_batch():
    loss = field("PotentialField(reference=BatchAndProxies(per_class=2))", classes=1, dim=2)
    loss.reference.weight.data = on_circle(0, 40)
    z = on_circle(180).requires_grad_()
    loss(z, torch.tensor([-1])).backward()
    assert loss.reference.weight.grad.abs().max() == 0  # nothing is labelled
    with torch.no_grad():
        loss.reference.weight.copy_(on_circle(-20, 20))
    loss(z, torch.tensor([0])).backward()
    near, far = 2 * math.sin(math.radians(20)), 2 * math.sin(math.radians(80))
    pulls = 2 * 3 * torch.tensor([near, far], dtype=F64) ** -4 / 3
    pulls *= torch.tensor([math.cos(math.radians(20)), math.cos(math.radians(80))], dtype=F64)
    net = (pulls[0] - pulls[1]).expand(2)  # drawn to each other, and a little to the item behind
    torch.testing.assert_close(loss.reference.weight.grad.norm(dim=1), net, rtol=1e-9, atol=0)


def test_points_that_coincide_are_pushed_by_nothing_and_near_ones_by_an_end_of_force():
    end = 3 * (0.2 / 20) ** -4
    assert pair(1e-6, False)[1] == pytest.approx(-end)
    z = torch.ones(2, 3, requires_grad=True)
    losses.PotentialField(reference=batch)(z, torch.tensor([0, 1])).backward()
    assert torch.isfinite(z.grad).all()


def test_more_than_one_proxy_keeps_the_order_of_classes():
    loss = field("PotentialField(reference=BatchAndProxies(per_class=2))", classes=3, dim=3)
    loss.reference.weight.data = torch.eye(3, dtype=F64).repeat(2, 1)
    torch.testing.assert_close(loss.reference.class_vectors, torch.eye(3, dtype=F64))
    assert loss(torch.eye(3, dtype=F64), torch.arange(3)) < loss(torch.eye(3, dtype=F64), torch.tensor([1, 2, 0]))


def test_it_trains_from_points_of_two_groups_a_class():
    """Two groups in each class stay two: each draws its own, and the classes part."""
    angles = torch.tensor([0.0, 8.0, 180.0, 188.0, 14.0, 20.0, 194.0, 200.0], dtype=F64).deg2rad()
    angles.requires_grad_()
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    optimiser, loss = torch.optim.Adam([angles], lr=0.01), losses.PotentialField(alpha=3.0, delta=0.3, reference=batch)
    for _ in range(200):
        optimiser.zero_grad()
        loss(torch.stack([angles.cos(), angles.sin()], 1), y).backward()
        optimiser.step()
    z = torch.stack([angles.cos(), angles.sin()], 1).detach()
    distances = torch.cdist(z, z)
    assert distances[y[:, None] != y].min() > 0.29
    assert distances[0, 2] > 1.5


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"delta": -1.0}])
def test_a_constant_field_is_refused(settings):
    with pytest.raises(ValueError, match="alpha and delta above 0"):
        losses.PotentialField(reference=batch, **settings)


def test_what_is_no_distance_is_refused():
    with pytest.raises(ValueError, match="PotentialField raises distances"):
        field("PotentialField(similarity=cosine, reference=batch)")
    with pytest.raises(ValueError, match="per_class is a positive number"):
        field("PotentialField(reference=BatchAndProxies(per_class=0))")
    with pytest.raises(ValueError, match="Label 3 has no proxy"):
        field()(torch.randn(1, 4), torch.tensor([3]))
    with pytest.raises(ValueError, match="whole numbers"):
        field()(torch.randn(1, 4), torch.randn(1))
    with pytest.raises(ValueError, match="4 dimensions and the embeddings 5"):
        field()(torch.randn(1, 5), torch.tensor([0]))

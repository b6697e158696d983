"""Hubs and intrinsic dimension: loops over all distances, and spaces whose answer is known."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import skew

from isometry.metrics.hubness import Antihubs, Hubness, RobinHood
from isometry.metrics.intrinsic_dimension import LevinaBickel, TwoNN
from isometry.metrics.items import SHARED
from tests.metrics.spaces import by_distance, rotation, space


def occurrences(z, k):
    """By a loop: how often each item is among the k of highest cosine."""
    u = z.double() / z.double().norm(dim=1, keepdim=True)
    often = [0] * len(z)
    for i in range(len(z)):
        others = sorted((j for j in range(len(z)) if j != i), key=lambda j: -float(u[i] @ u[j]))
        for j in others[:k]:
            often[j] += 1
    return np.array(often)


@pytest.mark.parametrize("k", [1, 10, SHARED + 3])
def test_hubs_equal_their_definitions(k):
    z = torch.randn(60, 12)
    often, here = occurrences(z, k), space(z)
    assert Hubness(k=k).measure(here).value == pytest.approx(skew(often))
    assert Antihubs(k=k).measure(here).value == pytest.approx((often == 0).mean())
    surplus = sum(max(0, n - often.mean()) for n in often)
    assert RobinHood(k=k).measure(here).value == pytest.approx(surplus / often.sum())


def test_a_centre_is_a_hub():
    """A star: all rays find the centre first."""
    star = torch.cat([torch.zeros(1, 8), torch.eye(8)])
    here = by_distance(star)
    assert Antihubs(k=1).measure(here).value == pytest.approx(7 / 9)
    assert RobinHood(k=1).measure(here).value == pytest.approx((8 - 1) / 9)
    assert Hubness(k=1).measure(here).value > 2


def test_a_ring_has_no_hub_and_collapse_has_none_either():
    angle = torch.arange(24) * 2 * math.pi / 24
    ring = by_distance(torch.stack([angle.cos(), angle.sin()], 1).double().float())
    assert Hubness(k=2).measure(ring).value == pytest.approx(0)
    assert Antihubs(k=2).measure(ring).value == 0
    assert RobinHood(k=2).measure(ring).value == pytest.approx(0)
    collapsed = space(torch.ones(500, 4))
    assert Hubness().measure(collapsed).value < 1.5
    assert Antihubs().measure(collapsed).value < 0.1


def test_a_gallery_is_searched_by_its_queries_and_not_by_itself():
    z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [1.0, 0.1], [0.0, 1.0]])
    here = space(z, query=torch.tensor([0, 1]), gallery=torch.tensor([2, 3]))
    assert Antihubs(k=1).measure(here).value == 0.5
    with pytest.raises(ValueError, match="no query has one"):
        Hubness(k=1).measure(space(torch.randn(1, 3)))
    with pytest.raises(ValueError, match=r"RobinHood\(k=0\)"):
        RobinHood(k=0)


def two_nn(z, discard):
    """The fit of the paper, by a loop."""
    ratios = []
    for i in range(len(z)):
        near = sorted(float((z[i].double() - z[j].double()).norm()) for j in range(len(z)) if j != i)
        if near[0] > 0:
            ratios.append(near[1] / near[0])
    x = np.log(np.sort(ratios))[: int((1 - discard) * len(ratios))]
    y = -np.log(1 - np.arange(1, len(x) + 1) / len(ratios))
    return float(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])


def levina_bickel(z, k):
    inverse = []
    for i in range(len(z)):
        near = sorted(float((z[i].double() - z[j].double()).norm()) for j in range(len(z)) if j != i)[:k]
        logs = [math.log(near[-1] / r) for r in near[:-1] if r > 0]
        inverse += [sum(logs) / len(logs)] if logs else []
    return len(inverse) / sum(inverse)


@pytest.mark.parametrize("duplicates", [0, 9])
def test_dimensions_equal_their_definitions(duplicates):
    z = torch.randn(50, 3)
    z[:duplicates] = z[50 - duplicates :]
    for here in (by_distance(z), space(z)):
        x = here.embed(z)
        assert TwoNN().measure(here).value == pytest.approx(two_nn(x, 0.1), rel=1e-4)
        assert TwoNN(discard=0.5).measure(here).value == pytest.approx(two_nn(x, 0.5), rel=1e-4)
        assert LevinaBickel(k=5).measure(here).value == pytest.approx(levina_bickel(x, 5), rel=1e-4)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_a_cube_fills_its_dimensions_however_it_is_laid_into_more(dim):
    z = torch.rand(1500, dim) @ rotation(20)[:dim]
    for statistic in (TwoNN(), LevinaBickel(k=10)):
        assert statistic.measure(by_distance(z)).value == pytest.approx(dim, rel=0.15)
        assert statistic.measure(by_distance(7 * z @ rotation(20))).value == pytest.approx(
            statistic.measure(by_distance(z)).value, rel=1e-3
        )


def test_directions_lie_on_a_sphere_of_one_dimension_less():
    assert TwoNN().measure(space(torch.randn(2500, 3))).value == pytest.approx(2, rel=0.15)
    assert LevinaBickel().measure(space(torch.randn(2500, 3))).value == pytest.approx(2, rel=0.15)


def test_points_have_dimension_0_and_few_items_none():
    for z in (torch.ones(30, 3), torch.randn(2, 3).repeat_interleave(40, 0)):
        assert TwoNN().measure(space(z)).value == 0
        assert LevinaBickel().measure(space(z)).value == 0
    with pytest.raises(ValueError, match="2 neighbours were asked for, and each of 2 items has 1"):
        TwoNN().measure(space(torch.randn(2, 3)))
    with pytest.raises(ValueError, match="2 or more"):
        LevinaBickel(k=1)
    with pytest.raises(ValueError, match="less than 1"):
        TwoNN(discard=1.0)


def test_one_search_serves_all():
    here = space(torch.randn(100, 5))
    for statistic in (Hubness(), Antihubs(k=3), RobinHood(k=20), TwoNN(), LevinaBickel()):
        statistic.measure(here)
    assert [name for name in here.made if name[0] == "found"] == [("found", SHARED)]

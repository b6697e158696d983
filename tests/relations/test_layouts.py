"""1 − mIoU of segmentation maps, by loops over regions and over all ways to match them."""

import itertools

import pytest
import torch

import isometry
from isometry.relations import Layouts, layouts


def iou(a, b):
    return (float((a & b).sum()) / float((a | b).sum())) if (a | b).any() else 0.0


def plain(x, y):
    codes = sorted({*x.tolist(), *y.tolist()})
    return 1 - sum(iou(x == c, y == c) for c in codes) / len(codes)


def matched(x, y):
    """The best of all one-to-one matchings of the smaller set of regions into the larger."""
    few, many = sorted((sorted({*x.tolist()}), sorted({*y.tolist()})), key=len)
    x, y = (x, y) if len({*x.tolist()}) <= len({*y.tolist()}) else (y, x)
    tried = itertools.permutations(many, len(few))
    return 1 - max(sum(iou(x == a, y == b) for a, b in zip(few, chosen, strict=True)) for chosen in tried) / len(many)


def maps(n=10, regions=4, points=20, seed=0):
    """Maps of which some have fewer regions than others."""
    g = torch.Generator().manual_seed(seed)
    most = torch.randint(1, regions + 1, (n, 1), generator=g)
    return torch.randint(0, 10**6, (n, points), generator=g) % most


@pytest.mark.parametrize(
    ("oracle", "metric"), [(plain, Layouts(regions=4)), (matched, Layouts(regions=4, matched=True))]
)
def test_it_is_the_mean_over_regions(oracle, metric):
    y = maps()
    looped = torch.tensor([[oracle(a, b) for b in y] for a in y])
    torch.testing.assert_close(metric.distances(y, y), looped)
    torch.testing.assert_close(metric.distances(y.byte().view(10, 4, 5), y.double()).float(), looped)


def test_more_regions_than_there_are_change_nothing():
    y = maps()
    torch.testing.assert_close(layouts(y, y).gap, Layouts(regions=4).distances(y, y))
    wide = Layouts(regions=7, matched=True).distances(y, y)
    torch.testing.assert_close(wide, Layouts(regions=4, matched=True).distances(y, y))


def test_names_of_regions_do_not_matter_where_they_are_matched():
    y = maps()
    renamed = torch.tensor([2, 0, 3, 1])[y]
    metric = Layouts(regions=4, matched=True)
    torch.testing.assert_close(metric.distances(y, renamed), metric.distances(y, y))
    assert (Layouts(regions=4).distances(y, renamed).diagonal() == 1).all()  # one code, renamed: nothing overlaps
    assert (metric.distances(y, y) <= Layouts(regions=4).distances(y, y) + 1e-6).all()


def test_a_room_whose_wall_moves():
    """Two halves; the border moves by a quarter of the picture: IoUs are 1/2 and 2/3."""
    halves = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]])
    assert layouts(halves, halves).gap[0, 1].item() == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)


def test_the_bound_is_reached():
    """Disjoint maps of one region each have D = 1 and ‖v − w‖² = 2; one mask half of the other, in K = 1: 1/2 and 2 − √2."""
    apart = Layouts(regions=2).bound(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert torch.dist(*apart.vectors).square().item() == pytest.approx(2)
    assert (apart.least, apart.most, apart.power) == (0.25, 1.0, 2.0)


@pytest.mark.parametrize("shape", [(64, 64), (3, 700), (50, 51)])
def test_the_bound_of_large_maps_is_small_and_holds(shape):
    """Sums over blocks of points lie no farther apart than the points do, so that a bound needs no number a point."""
    maps, metric = torch.rand(12, 3, 5, 5, generator=torch.Generator().manual_seed(0)), Layouts(regions=3)
    maps = torch.nn.functional.interpolate(maps, shape, mode="bilinear").argmax(1)
    maps[1], maps[3, 2:9] = maps[0], 1
    maps[2] = torch.where(torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.02, 0, maps[0])
    y = metric.prepared(maps)
    bound, apart = metric.bound(y), metric.distances(y, y).double()
    assert bound.vectors.shape[1] <= 1024
    beside = bound.least * torch.cdist(bound.vectors.double(), bound.vectors.double()) ** 2
    assert (beside <= apart + bound.error).all()
    assert (apart <= bound.most * 2 * metric.regions * beside.clamp_min(1e-9)).all()
    assert beside[0, 2] > 0
    assert beside.max() > 0.1 * apart.max()


def test_codes_that_are_none_are_named():
    y = torch.tensor([[0.0, 1.0], [8.0, 0.0], [0.5, 0.0], [-1.0, 0.0], [float("nan"), 0.0]])
    faults = Layouts().faults(y)
    assert sorted(faults) == [1, 2, 3]
    assert "whole" in faults[2]
    assert "0 … 7" in faults[1]


@pytest.mark.parametrize("text", ["Layouts(regions=0)", "Layouts(regions=11, matched=True)"])
def test_regions_that_cannot_be_matched(text):
    with pytest.raises(ValueError, match=r"Layouts\.regions is from 1"):
        isometry.parse(text)

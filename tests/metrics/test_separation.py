"""Radii of classes, and the gaps between them: loops in float64, and cases worked by hand."""

import math

import numpy as np
import pytest
import torch

from isometry.metrics import RPrecision
from isometry.metrics.radius import ClassRadius, ClassSpread
from isometry.metrics.separation import ClassGap, Separated, WorstGap
from isometry.ops.separation import nearest_unlike
from isometry.protocols.retrieval import evaluate
from tests.metrics.spaces import by_distance, classes, rotation, space

RADII = [ClassRadius(), ClassRadius(quantile=0.9), ClassRadius(quantile=0.0), ClassSpread()]
GAPS = [Separated(), ClassGap(), WorstGap()]


def uneven(noise=0.4):
    """Classes of 1 to 9 items, some of unknown label."""
    y = torch.repeat_interleave(torch.arange(9), torch.arange(1, 10))
    z = torch.randn(9, 4)[y] + noise * torch.randn(45, 4)
    y[[3, 20, 40]] = -1
    order = torch.randperm(45)
    return z[order], y[order]


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("make", [space, by_distance])
def test_radii_equal_their_definitions(make):
    z, y = uneven()
    found = {repr(r): [] for r in RADII}
    for c in range(1, 9):
        x = z[y == c].double()
        if len(x) < 2:
            continue
        if make is space:
            x = unit(x)
        middle = unit(x.mean(0)) if make is space else x.mean(0)
        far = (x - middle).norm(dim=1).numpy()
        for r, value in zip(RADII, [far.max(), np.quantile(far, 0.9), far.min(), (far**2).mean() ** 0.5], strict=True):
            found[repr(r)].append(value)
    for r in RADII:
        estimate = r.measure(make(z, y))
        assert estimate.value == pytest.approx(np.mean(found[repr(r)]), abs=1e-6)
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("make", [space, by_distance])
@pytest.mark.parametrize("noise", [0.01, 0.4])
def test_gaps_equal_their_definitions(make, noise):
    z, y = uneven(noise)
    x = (unit(z.double()) if make is space else z.double())[y != -1]
    y_known = y[y != -1]
    far = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    alike, unlike = [], []
    for i in range(len(x)):
        mates = [j for j in range(len(x)) if j != i and y_known[j] == y_known[i]]
        if mates:
            alike.append(max(float(far[i, j]) for j in mates))
            unlike.append(min(float(far[i, j]) for j in range(len(x)) if y_known[j] != y_known[i]))
    alike, unlike, here = np.array(alike), np.array(unlike), make(z, y)
    assert Separated().measure(here).value == pytest.approx((alike < unlike).mean())
    assert ClassGap().measure(here).value == pytest.approx((unlike - alike).mean(), abs=1e-6)
    assert WorstGap().measure(here).value == pytest.approx(unlike.min() - alike.max(), abs=1e-6)
    assert math.isnan(WorstGap().measure(here).low)


def test_the_separated_are_the_queries_of_full_r_precision():
    z, y = classes(40, 5, 8, 0.45)
    result = evaluate(z, y, "RPrecision()")[repr(RPrecision())]
    full = (result.per_query == 1).double().mean()
    assert 0.1 < full < 0.9
    assert Separated().measure(space(z, y)).value == pytest.approx(float(full))


def test_by_hand():
    """On a line: 0 and 1 are of one class, 3 and 7 of another."""
    here = by_distance(torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([4, 4, 9, 9]))
    assert ClassRadius().measure(here).value == pytest.approx((0.5 + 2) / 2)
    assert Separated().measure(here).value == pytest.approx(3 / 4)  # 3 is nearer to 1 than to 7
    assert ClassGap().measure(here).value == pytest.approx(((3 - 1) + (2 - 1) + (2 - 4) + (6 - 4)) / 4)
    assert WorstGap().measure(here).value == pytest.approx(2 - 4)


def test_pieces_alter_nothing():
    z, y = classes(7, 9, 4, 0.5)
    y = y.sort().values
    size = torch.bincount(y)
    torch.testing.assert_close(nearest_unlike(z, size, 1), nearest_unlike(z, size, "512 MB"))
    for statistic in (*RADII, *GAPS):
        assert statistic.measure(space(z, y, memory=1)).value == pytest.approx(statistic.measure(space(z, y)).value)


def test_tiles_narrower_than_the_data(monkeypatch):
    monkeypatch.setattr("isometry.ops.separation.WIDTH", 10)
    monkeypatch.setattr("isometry.ops.within.ROWS", 4)
    test_gaps_equal_their_definitions(space, 0.4)


def test_collapse_and_duplicates_of_another_class_are_not_separated():
    collapsed = space(torch.full((20, 3), 0.3), torch.arange(20) // 4)
    assert Separated().measure(collapsed).value == 0
    assert WorstGap().measure(collapsed).value == pytest.approx(0, abs=1e-6)
    for r in RADII:
        assert r.measure(collapsed).value == pytest.approx(0, abs=1e-7)
    z = torch.randn(4, 6).repeat_interleave(3, 0)
    points = space(z, torch.arange(12) // 3)
    assert Separated().measure(points).value == 1
    mixed = space(z, torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]))
    assert Separated().measure(mixed).value < 1
    assert WorstGap().measure(mixed).value < 0


@pytest.mark.parametrize("statistic", [*RADII, *GAPS], ids=repr)
def test_rotations_and_lengths_change_nothing(statistic):
    z, y = classes(10, 6, 5, 0.5)
    moved = (z @ rotation(5)) * torch.rand(60, 1).exp()
    assert statistic.measure(space(moved, y)).value == pytest.approx(statistic.measure(space(z, y)).value, abs=1e-5)


def test_what_cannot_be_measured_is_refused_in_one_line():
    z = torch.randn(5, 2)
    with pytest.raises(ValueError, match="Separated needs 2 or more classes"):
        Separated().measure(space(z, torch.zeros(5, dtype=torch.int64)))
    with pytest.raises(ValueError, match="ClassGap needs a class of two or more items"):
        ClassGap().measure(space(z, torch.arange(5)))
    with pytest.raises(ValueError, match="ClassSpread needs a class of two or more items"):
        ClassSpread().measure(space(z, torch.arange(5)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        ClassRadius(quantile=1.5)

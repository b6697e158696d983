"""Permutation tests of units: oracles, and p values that hold where pictures of a class are dependent."""

import math

import pytest
import torch
from scipy import stats

from isometry.ops import two_sample
from isometry.ops.two_sample import divisions, p_value


def test_kolmogorov_smirnov_is_that_of_scipy_also_at_ties():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randint(0, 8, (40,), generator=g).float(), torch.randint(1, 9, (25,), generator=g).float()
    found = two_sample.kolmogorov_smirnov(torch.cat([x, y]), torch.arange(65), divisions(40, 25, draws=5))
    assert float(found[0]) == pytest.approx(stats.ks_2samp(x.numpy(), y.numpy()).statistic)


def test_energy_equals_its_double_loop_with_units_weighing_alike():
    g = torch.Generator().manual_seed(1)
    z, unit = torch.randn(9, 3, generator=g), torch.tensor([0, 0, 1, 2, 2, 2, 3, 4, 4])
    weights = divisions(2, 3, draws=4)
    found = two_sample.energy(two_sample.distances(z, unit, 5), weights)
    for row, value in zip(weights, found, strict=True):
        total = 0.0
        for a in range(9):
            for b in range(9):
                share = row[unit[a]] / (unit == unit[a]).sum() * row[unit[b]] / (unit == unit[b]).sum()
                total -= float(share) * float((z[a].double() - z[b].double()).norm())
        assert float(value) == pytest.approx(total, abs=1e-7)


def test_the_energy_share_is_one_for_points_apart_and_zero_for_the_same():
    apart = torch.tensor([[0.0], [0.0], [5.0]])
    weights = divisions(2, 1, draws=0)[0]
    assert two_sample.energy_share(two_sample.distances(apart, torch.arange(3), 3), weights) == pytest.approx(1.0)
    assert two_sample.energy_share(two_sample.distances(apart * 0, torch.arange(3), 3), weights) == 0.0


def test_shift_is_the_distance_of_means_of_means():
    z, unit = torch.tensor([[0.0], [2.0], [4.0], [10.0]]), torch.tensor([0, 0, 1, 2])
    assert float(two_sample.shift(z, unit, divisions(2, 1, draws=0))[0]) == pytest.approx(10 - 2.5)


def test_p_values_hold_for_classes_and_not_for_their_pictures():
    """Eight pictures a class: with classes as units a level of .05 is kept; with pictures it is broken."""
    g, by_class, by_picture = torch.Generator().manual_seed(2), 0, 0
    for draw in range(120):
        unit = torch.arange(30).repeat_interleave(8)
        values = torch.randn(30, generator=g)[unit] + 0.5 * torch.randn(240, generator=g)
        found = two_sample.kolmogorov_smirnov(values, unit, divisions(15, 15, draws=99, seed=draw))
        by_class += p_value(found) <= 0.05
        found = two_sample.kolmogorov_smirnov(values, torch.arange(240), divisions(120, 120, draws=99, seed=draw))
        by_picture += p_value(found) <= 0.05
    assert by_class / 120 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 120)
    assert by_picture / 120 > 0.3


def test_the_smallest_p_is_one_in_all_divisions():
    z = torch.cat([torch.zeros(12, 2), torch.ones(12, 2)]) + 0.01 * torch.randn(24, 2)
    between = two_sample.distances(z, torch.arange(24), 24)
    assert p_value(two_sample.energy(between, divisions(12, 12, draws=199))) == 1 / 200


def test_equal_values_give_p_one():
    assert p_value(two_sample.kolmogorov_smirnov(torch.zeros(9), torch.arange(9), divisions(4, 5, draws=50))) == 1.0


def test_an_empty_side_is_refused():
    with pytest.raises(ValueError, match="a unit at least; got 0 and 3"):
        divisions(0, 3)

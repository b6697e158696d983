"""Alignment and uniformity: loops in float64, limits of the formulas, and tiles that alter nothing."""

import itertools
import math

import pytest
import torch

from isometry.metrics.uniformity import Alignment, Uniformity
from isometry.ops.uniformity import log_mean_kernel
from tests.metrics.spaces import classes, rotation, space


def pair_squares(z):
    u = z.double() / z.double().norm(dim=1, keepdim=True)
    return {(i, j): float((u[i] - u[j]).square().sum()) for i, j in itertools.permutations(range(len(z)), 2)}


@pytest.mark.parametrize("t", [0.1, 2.0, 300.0])
def test_uniformity_equals_its_definition(t):
    z, _ = classes(5, 8, 4, 0.3)
    far = list(pair_squares(z).values())
    expected = math.log(sum(math.exp(-t * d) for d in far) / len(far))
    assert Uniformity(t=t).measure(space(z)).value == pytest.approx(expected, abs=2e-6 * max(1, t))


def test_uniformity_where_the_kernel_underflows_everywhere():
    """Two opposite points: −4t, though exp(−4t) is no float."""
    assert Uniformity(t=1e4).measure(space(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]))).value == pytest.approx(-4e4)


@pytest.mark.parametrize("memory", [1, "1 KB", "9 KB", "512 MB"])
def test_tiles_alter_nothing(memory):
    x = torch.nn.functional.normalize(torch.randn(61, 5), dim=1)
    expected = (-2 * torch.pdist(x.double()).square()).logsumexp(0).item() - math.log(61 * 60 / 2)
    assert log_mean_kernel(x, 2.0, memory=memory) == pytest.approx(expected, abs=1e-5)


def test_uniformity_of_even_and_collapsed_directions():
    assert Uniformity().measure(space(torch.ones(40, 3))).value == pytest.approx(0, abs=1e-5)
    assert Uniformity().measure(space(torch.randn(2000, 256))).value == pytest.approx(-4, abs=0.05)
    points = torch.eye(6).repeat_interleave(2, 0)  # 6 pairs of duplicates among 66
    expected = math.log((6 + 60 * math.exp(-4)) / 66)
    assert Uniformity().measure(space(points)).value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 3.0])
def test_alignment_equals_its_definition(alpha):
    """Items, not classes, are weighed alike; singletons and unknown labels are left out."""
    y = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3, 3, 3, -1, -1])[torch.randperm(12)]
    z = torch.randn(12, 3)
    square, each = pair_squares(z), []
    for i in range(12):
        mates = [j for j in range(12) if j != i and y[j] == y[i] != -1]
        if mates:
            each.append(sum(square[i, j] ** (alpha / 2) for j in mates) / len(mates))
    found = Alignment(alpha=alpha).measure(space(z, y))
    assert found.value == pytest.approx(sum(each) / len(each), abs=1e-6)
    assert found.low <= found.value <= found.high


def test_alignment_of_points_and_of_opposites():
    y = torch.arange(30) // 3
    assert Alignment().measure(space(torch.randn(10, 4)[y], y)).value == pytest.approx(0, abs=1e-12)
    opposite = torch.tensor([[1.0, 1.0], [-2.0, -2.0]])
    for alpha in (1.0, 2.0, 4.0):
        value = Alignment(alpha=alpha).measure(space(opposite, torch.zeros(2, dtype=torch.int64))).value
        assert value == pytest.approx(2**alpha)


@pytest.mark.parametrize("statistic", [Uniformity(), Alignment(), Alignment(alpha=1)], ids=repr)
def test_rotations_and_lengths_change_nothing(statistic):
    z, y = classes(10, 6, 5, 0.5)
    value = statistic.measure(space(z, y)).value
    moved = (z @ rotation(5)) * torch.rand(60, 1).exp()
    assert statistic.measure(space(moved, y)).value == pytest.approx(value, abs=1e-5)


def test_what_has_no_pair_is_refused_in_one_line():
    with pytest.raises(ValueError, match="each of 5 classes has one"):
        Alignment().measure(space(torch.randn(5, 2), torch.arange(5)))
    with pytest.raises(ValueError, match="two or more items"):
        Uniformity().measure(space(torch.randn(1, 2)))
    with pytest.raises(ValueError, match="positive"):
        Uniformity(t=0)
    with pytest.raises(ValueError, match="positive"):
        Alignment(alpha=-1)

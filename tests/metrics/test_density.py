"""Densities within and between classes: loops in float64, hand-worked cases, and intervals that hold the truth."""

import itertools
import math

import pytest
import torch

from isometry.metrics.density import DensityRatio, InterDensity, IntraDensity
from isometry.ops.safe import normalize
from isometry.similarities import chord, cosine, dot, euclidean, squared_euclidean
from tests.metrics.spaces import classes, rotation, space

SIMILARITIES = [cosine, chord, euclidean, squared_euclidean]
DISTANCES = {
    "cosine": lambda a, b: 1 - float(a @ b / (a.norm() * b.norm())),
    "chord": lambda a, b: float((a / a.norm() - b / b.norm()).norm()),
    "euclidean": lambda a, b: float((a - b).norm()),
    "squared_euclidean": lambda a, b: float((a - b).norm()) ** 2,
}


def uneven():
    """Classes of 1 to 9 items, some of unknown label."""
    y = torch.repeat_interleave(torch.arange(9), torch.arange(1, 10))
    z = torch.randn(9, 4)[y] + 0.5 * torch.randn(45, 4)
    y[[3, 20, 40]] = -1
    order = torch.randperm(45)
    return z[order], y[order]


def loops(z, y, similarity):
    """π_intra and π_inter by their definitions."""
    z, distance = z.double(), DISTANCES[repr(similarity)]
    unit = similarity in (cosine, chord)
    groups = [z[y == c] for c in y[y != -1].unique()]
    mean = [
        sum(distance(a, b) for a, b in itertools.combinations(g, 2)) / math.comb(len(g), 2)
        for g in groups
        if len(g) > 1
    ]
    centres = [(normalize(g) if unit else g).mean(0) for g in groups]
    inter = [distance(a, b) for a, b in itertools.combinations(centres, 2)]
    return sum(mean) / len(mean), sum(inter) / len(inter)


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=repr)
def test_equals_its_definition(similarity):
    z, y = uneven()
    intra, inter = loops(z, y, similarity)
    here = space(z, y)
    assert IntraDensity(similarity=similarity).measure(here).value == pytest.approx(intra, abs=1e-6)
    assert InterDensity(similarity=similarity).measure(here).value == pytest.approx(inter, abs=1e-6)
    assert DensityRatio(similarity=similarity).measure(here).value == pytest.approx(intra / inter, abs=1e-6)


def test_memory_does_not_alter_the_value():
    z, y = uneven()
    for similarity in SIMILARITIES:
        one, other = (DensityRatio(similarity=similarity).measure(space(z, y, memory=m)).value for m in (1, "512 MB"))
        assert one == pytest.approx(other, abs=1e-12)


def test_by_hand():
    """Two classes of two: right angles within the first, nothing within the second; means at 45 and 90 degrees."""
    z = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0]])
    here = space(z, torch.tensor([0, 0, 1, 1]))
    assert IntraDensity().measure(here).value == pytest.approx(0.5)
    assert InterDensity().measure(here).value == pytest.approx(1 - math.sqrt(0.5))
    assert IntraDensity(similarity=chord).measure(here).value == pytest.approx(math.sqrt(2) / 2)
    assert IntraDensity(similarity=euclidean).measure(here).value == pytest.approx((math.sqrt(5) + 2) / 2)
    assert math.isnan(InterDensity().measure(here).low)  # two classes


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=repr)
def test_rotations_and_where_claimed_scale_change_nothing(similarity):
    z, y = classes(12, 5, 6, 0.5)
    for statistic in (IntraDensity, InterDensity, DensityRatio):
        value = statistic(similarity=similarity).measure(space(z, y)).value
        assert statistic(similarity=similarity).measure(space(z @ rotation(6), y)).value == pytest.approx(
            value, rel=1e-5
        )
        larger = statistic(similarity=similarity).measure(space(3 * z, y)).value
        free = similarity in (cosine, chord) or statistic is DensityRatio
        assert (larger == pytest.approx(value, rel=1e-5)) is free


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=repr)
def test_a_collapsed_space_is_dense_without_room(similarity):
    here = space(torch.full((20, 3), 0.3), torch.arange(20) // 4)
    assert IntraDensity(similarity=similarity).measure(here).value == pytest.approx(0, abs=1e-7)
    assert InterDensity(similarity=similarity).measure(here).value == pytest.approx(0, abs=1e-7)
    assert math.isnan(DensityRatio(similarity=similarity).measure(here).value)


def test_classes_at_single_points_take_no_room():
    y = torch.arange(40) // 4
    z = torch.randn(10, 5)[y]
    assert IntraDensity().measure(space(z, y)).value == pytest.approx(0, abs=1e-12)
    assert DensityRatio().measure(space(z, y)).value == pytest.approx(0, abs=1e-12)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Classes from one population: the mean over many classes is the truth."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        y = torch.arange(count).repeat_interleave(4)
        spread = torch.rand(count, 1, generator=generator)[y]
        return torch.randn(count, 6, generator=generator)[y] + 1 + spread * torch.randn(
            4 * count, 6, generator=generator
        ), y

    kinds = (IntraDensity(), InterDensity(), DensityRatio())
    truth, held = [k.measure(space(*draw(6000), samples=0)).value for k in kinds], torch.zeros(3)
    for _ in range(120):
        here = space(*draw(25), samples=100)
        found = [k.measure(here) for k in kinds]
        held += torch.tensor([f.low <= t <= f.high for f, t in zip(found, truth, strict=True)])
    assert ((held / 120 > 0.86) & (held / 120 < 0.995)).all(), held


def test_what_has_no_density_is_refused_in_one_line():
    z = torch.randn(6, 3)
    with pytest.raises(ValueError, match="IntraDensity needs a class of two or more items"):
        IntraDensity().measure(space(z, torch.arange(6)))
    with pytest.raises(ValueError, match="InterDensity needs 2 or more classes"):
        InterDensity().measure(space(z, torch.zeros(6, dtype=torch.int64)))
    with pytest.raises(ValueError, match="dot has no largest value"):
        DensityRatio(similarity=dot)

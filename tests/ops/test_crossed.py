"""Seeds and classes as a sample: against an analysis of variance by hand, and against truth by simulation."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from isometry.ops.crossed import crossed, over_seeds
from isometry.ops.paired import group_error


def by_hand(table: np.ndarray) -> tuple[float, float, float]:
    """Mean, its variance and freedom for classes of equal size: the textbook's double loop."""
    s, c = table.shape
    mean = table.mean()
    seed = c * sum((table[i].mean() - mean) ** 2 for i in range(s)) / (s - 1)
    klass = s * sum((table[:, j].mean() - mean) ** 2 for j in range(c)) / (c - 1)
    rest = sum((table[i, j] - table[i].mean() - table[:, j].mean() + mean) ** 2 for i in range(s) for j in range(c)) / (
        (s - 1) * (c - 1)
    )
    total = seed + klass - rest
    freedom = total**2 / (seed**2 / (s - 1) + klass**2 / (c - 1) + rest**2 / ((s - 1) * (c - 1)))
    return mean, total / (s * c), freedom


def drawn(rng: np.random.Generator, studies: int, *, seed: float, klass: float, rest: float, tails: bool = False):
    """Studies of 5 seeds and 400 classes in which the two methods are alike on average, with sizes that differ."""
    sizes = rng.geometric(0.3, size=400) + 1.0
    tail = rng.standard_t(3, size=(studies, 5, 1)) / math.sqrt(3) if tails else rng.normal(size=(studies, 5, 1))
    noise = rng.normal(size=(studies, 5, 400)) / np.sqrt(sizes)
    table = seed * tail + klass * rng.normal(size=(studies, 1, 400)) + rest * noise
    return torch.from_numpy(table), torch.from_numpy(sizes)


def test_equal_sizes_are_the_textbook_table():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(4, 9)) + rng.normal(size=(4, 1)) + 2 * rng.normal(size=(1, 9)) + 0.5
    mean, variance, freedom = by_hand(table)
    found = crossed(torch.from_numpy(table)[None], torch.ones(9))
    assert float(found.difference) == pytest.approx(mean)
    assert float(found.error) == pytest.approx(variance**0.5)
    assert float(found.freedom) == pytest.approx(freedom)
    assert float(found.p) == pytest.approx(2 * stats.t.sf(abs(mean) / variance**0.5, freedom))
    reach = stats.t.ppf(0.975, freedom) * variance**0.5
    assert (float(found.low), float(found.high)) == (pytest.approx(mean - reach), pytest.approx(mean + reach))


def test_queries_not_classes_are_averaged():
    table, sizes = torch.tensor([[[0.1, 0.4], [0.2, 0.5]]]), torch.tensor([3.0, 1.0])
    assert float(crossed(table, sizes).difference) == pytest.approx((3 * 0.15 + 0.45) / 4)


def test_one_seed_is_the_error_of_classes():
    generator = torch.Generator().manual_seed(0)
    groups = torch.randint(30, (200,), generator=generator)
    rows = torch.randn(200, 1, generator=generator) + groups[:, None] / 20
    sizes = torch.bincount(groups, minlength=30).double()
    means = torch.zeros(30, dtype=torch.float64).index_add(0, groups, rows[:, 0].double()) / sizes
    found = crossed(means[None, None], sizes)
    assert float(found.error) == pytest.approx(float(group_error(rows, groups)))
    assert float(found.freedom) == pytest.approx(29)


def test_no_class_effect_leaves_the_paired_t_test_of_seeds():
    table = torch.randn(1, 5, 1, generator=torch.Generator().manual_seed(1)).expand(1, 5, 50)
    t = stats.ttest_1samp(table[0, :, 0].double().numpy(), 0)
    found = crossed(table, torch.ones(50))
    assert float(found.p) == pytest.approx(t.pvalue)
    assert float(over_seeds(table[:, :, 0]).p) == pytest.approx(t.pvalue)


def test_the_error_is_never_below_that_of_the_seeds():
    table, sizes = drawn(np.random.default_rng(3), 200, seed=0.0, klass=0.0, rest=0.1)
    alone = (table * sizes).sum(2) / sizes.sum()
    found = crossed(table, sizes)
    assert bool((found.error >= over_seeds(alone).error - 1e-12).all())


def test_constant_differences_are_certain_and_no_difference_is_none():
    found = crossed(torch.stack([torch.full((5, 8), 0.25), torch.zeros(5, 8)]), torch.ones(8))
    assert found.p.tolist() == [0.0, 1.0]
    assert found.low.tolist() == found.high.tolist() == found.difference.tolist() == [0.25, 0.0]


def test_what_is_unknown_is_left_out_or_nan():
    table = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    table[1, 0, 2] = torch.nan
    found, kept = crossed(table, torch.ones(6)), [0, 1, 3, 4, 5]
    assert float(found.p[1]) == pytest.approx(float(crossed(table[1:, :, kept], torch.ones(5)).p))
    assert math.isnan(float(crossed(table[:1, :, :1], torch.ones(1)).p))
    assert math.isnan(float(crossed(torch.full((1, 3, 4), torch.nan), torch.ones(4)).difference))
    assert math.isnan(float(over_seeds(torch.ones(1, 1)).p))


@pytest.mark.parametrize(
    "effects",
    [
        {"seed": 0.0, "klass": 0.0, "rest": 0.1},
        {"seed": 0.005, "klass": 0.0, "rest": 0.1},
        {"seed": 0.005, "klass": 0.1, "rest": 0.1},
        {"seed": 0.005, "klass": 0.03, "rest": 0.1, "tails": True},
        {"seed": 0.02, "klass": 0.3, "rest": 0.1, "tails": True},
    ],
)
def test_false_alarms_are_one_in_twenty(effects):
    table, sizes = drawn(np.random.default_rng(0), 1500, **effects)
    alarms = int((crossed(table, sizes).p < 0.05).sum())
    assert alarms <= stats.binom.ppf(0.995, 1500, 0.05)
    assert alarms >= 0.6 * 0.05 * 1500  # nor is it bought with a test that finds nothing


def test_simpler_tests_cry_wolf():
    table, sizes = drawn(np.random.default_rng(0), 1000, seed=0.005, klass=0.1, rest=0.1)
    by_seed = (table * sizes).sum(2) / sizes.sum()
    assert float((over_seeds(by_seed).p < 0.05).double().mean()) > 0.2  # paired t over seeds alone
    table, sizes = drawn(np.random.default_rng(0), 1000, seed=0.01, klass=0.0, rest=0.1)
    assert float((crossed(table.mean(1, keepdim=True), sizes).p < 0.05).double().mean()) > 0.3  # classes alone


@pytest.mark.parametrize(
    "effects", [{"seed": 0.005, "klass": 0.1, "rest": 0.1}, {"seed": 0.01, "klass": 0.02, "rest": 0.1}]
)
def test_a_detectable_difference_is_found_four_times_in_five(effects):
    table, sizes = drawn(np.random.default_rng(1), 1500, **effects)
    typical = crossed(table, sizes).detectable.square().mean().sqrt()
    found = float((crossed(table + typical, sizes).p < 0.05).double().mean())
    assert found == pytest.approx(0.8, abs=0.07)

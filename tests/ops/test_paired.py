"""Paired tests by class, corrections, and what seeds add: against scipy, and against what they promise."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from isometry.ops.bootstrap import group_bootstrap, group_means, percentiles
from isometry.ops.holm import holm
from isometry.ops.paired import detectable, group_error, sign_flip
from isometry.ops.seeds import drawn_mean, student, t_interval


def classes(count, each, between, within, seed, shift=0.0):
    """Differences `[n 1]` of two runs, which classes share in part; and the classes."""
    random = torch.Generator().manual_seed(seed)
    groups = torch.arange(count).repeat_interleave(each)
    of_class = between * torch.randn(count, generator=random)
    return (shift + of_class[groups] + within * torch.randn(count * each, generator=random))[:, None], groups


@pytest.mark.parametrize("count", [3, 7, 12])
def test_flipped_signs_equal_scipys_permutation_test(count):
    gap, groups = classes(count, 4, 0.3, 0.2, seed=count, shift=0.1)
    sums = gap.view(count, 4).double().sum(1).numpy()
    expected = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert float(sign_flip(gap, groups)) == pytest.approx(expected.pvalue, abs=1e-12)


def test_random_signs_agree_with_all_of_them(monkeypatch):
    gap, groups = classes(15, 5, 0.3, 0.2, seed=1, shift=0.1)
    exact = float(sign_flip(gap, groups))
    monkeypatch.setattr("isometry.ops.paired.EXACT", 0)
    assert float(sign_flip(gap, groups, draws=20_000)) == pytest.approx(exact, abs=0.01)


def test_differences_that_tie_but_for_rounding_are_ties():
    """Six classes that all gain 0.1: of 64 patterns only two are as large."""
    gap = torch.full((6, 1), 0.1)
    assert float(sign_flip(gap, torch.arange(6))) == 2 / 64
    thirds = torch.tensor([1 / 3, 2 / 3, -1 / 3, 1.0, -2 / 3])[:, None]  # sums of thirds tie often
    sums = np.array([1, 2, -1, 3, -2])
    expected = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert float(sign_flip(thirds, torch.arange(5))) == pytest.approx(expected)


def test_nothing_differs_and_one_class_are_no_evidence():
    groups = torch.tensor([0, 0, 1, 2])
    assert sign_flip(torch.zeros(4, 2), groups).tolist() == [1, 1]
    assert float(sign_flip(torch.rand(4, 1), torch.zeros(4, dtype=torch.int64))) == 1
    assert group_error(torch.rand(4, 1), torch.zeros(4, dtype=torch.int64)).isnan().all()


def test_p_does_not_depend_on_names_order_units_or_other_columns():
    gap, groups = classes(40, 3, 0.2, 0.2, seed=5, shift=0.03)
    p = sign_flip(gap, groups)
    order = torch.randperm(len(gap))
    assert float(sign_flip(gap[order], groups[order])) == float(p)
    assert float(sign_flip(gap, groups * 10**15 - 7)) == float(p)
    assert float(sign_flip(-4 * gap, groups)) == float(p)
    both = sign_flip(torch.cat([gap, torch.rand_like(gap)], 1), groups)
    assert float(both[0]) == float(p)


def test_queries_that_are_not_scored_change_nothing():
    gap, groups = classes(20, 3, 0.2, 0.2, seed=6)
    more = torch.cat([gap, torch.full((3, 1), torch.nan)])
    more_groups = torch.cat([groups, torch.tensor([3, 99, 99])])
    assert float(sign_flip(more, more_groups)) == float(sign_flip(gap, groups))
    assert float(group_error(more, more_groups)) == float(group_error(gap, groups))


@pytest.mark.parametrize("count", [10, 60])
def test_under_the_null_p_is_uniform_and_a_known_shift_is_found(count):
    null, found = [], 0
    for seed in range(300):
        gap, groups = classes(count, 6, 0.1, 0.2, seed)
        null.append(float(sign_flip(gap, groups, draws=499, seed=seed)))
        shift = detectable(float(group_error(gap, groups)), count - 1)
        found += float(sign_flip(gap + shift, groups, draws=499, seed=seed)) < 0.05
    for level in (0.05, 0.2, 0.5, 0.8):
        assert abs(np.mean([p <= level for p in null]) - level) < 4 * math.sqrt(level * (1 - level) / 300) + 0.01
    assert 0.7 < found / 300 < 0.9  # what is called detectable is found four times in five


def test_rows_for_classes_are_anti_conservative_where_classes_cluster():
    by_row = by_class = 0
    for seed in range(200):
        gap, groups = classes(30, 8, 0.2, 0.2, seed)
        by_row += float(sign_flip(gap, torch.arange(len(gap)), draws=299)) < 0.05
        by_class += float(sign_flip(gap, groups, draws=299)) < 0.05
    assert by_class / 200 < 0.1
    assert by_row / 200 > 0.25


def test_error_of_independent_rows_is_that_of_the_paired_t_test():
    a, b = torch.rand(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64)
    error = float(group_error((a - b)[:, None], torch.arange(50)))
    expected = stats.ttest_rel(a.numpy(), b.numpy())
    p, _, freedom = student(float((a - b).mean()), [(error**2, 49)])
    assert float((a - b).mean()) / error == pytest.approx(expected.statistic)
    assert freedom == pytest.approx(49)
    assert p == pytest.approx(expected.pvalue)


def test_error_by_class_is_the_spread_of_drawn_classes():
    gap, groups = classes(200, 1, 0.3, 0.1, seed=3)
    gap, groups = gap.repeat(3, 1)[: 200 + 137], groups.repeat(3)[: 200 + 137]  # classes of one and of two
    drawn = group_means(gap, groups, samples=4000, seed=0)
    assert float(drawn.std()) == pytest.approx(float(group_error(gap, groups)), rel=0.05)


def test_paired_interval_agrees_with_scipys_bootstrap():
    gap, _ = classes(40, 1, 0.3, 0.1, seed=4, shift=0.1)
    low, high = group_bootstrap(gap, torch.arange(40), samples=4000, confidence=0.9, seed=0)
    expected = stats.bootstrap(
        (gap[:, 0].numpy(),), np.mean, confidence_level=0.9, n_resamples=4000, method="percentile", rng=0
    )
    assert (float(low), float(high)) == pytest.approx(tuple(expected.confidence_interval), abs=0.01)


def test_holm_by_hand_and_with_a_test_that_was_not_made():
    assert holm(torch.tensor([0.01, 0.04, 0.03, 0.005], dtype=torch.float64)).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    corrected = holm(torch.tensor([torch.nan, 0.02, 0.9]))
    assert corrected[0].isnan()
    assert corrected[1:].tolist() == pytest.approx([0.04, 0.9])
    assert holm(torch.tensor([0.6, 0.7])).tolist() == [1, 1]
    assert holm(torch.empty(0)).shape == (0,)


def test_holm_rejects_a_true_null_among_many_as_seldom_as_it_says():
    random = torch.Generator().manual_seed(0)
    families = torch.rand(2000, 8, generator=random)
    assert np.mean([bool((holm(p) < 0.05).any()) for p in families]) == pytest.approx(0.05, abs=0.015)


def test_interval_over_seeds_is_students():
    values = torch.tensor([0.61, 0.64, 0.60, 0.66], dtype=torch.float64)
    expected = stats.t.interval(0.9, 3, loc=values.mean().item(), scale=stats.sem(values.numpy()))
    assert t_interval(values, 0.9) == pytest.approx(expected)
    assert all(map(math.isnan, t_interval(values[:1])))


def test_two_groups_of_seeds_are_welchs_test():
    a, b = torch.rand(4, dtype=torch.float64), torch.rand(7, dtype=torch.float64)
    expected = stats.ttest_ind(a.numpy(), b.numpy(), equal_var=False)
    p, error, freedom = student(float(a.mean() - b.mean()), [(float(a.var()) / 4, 3), (float(b.var()) / 7, 6)])
    assert p == pytest.approx(expected.pvalue)
    assert freedom == pytest.approx(expected.df)
    assert float(a.mean() - b.mean()) / error == pytest.approx(expected.statistic)


def test_nothing_known_of_the_error_gives_no_p():
    assert math.isnan(student(0.1, [])[0])
    assert math.isnan(student(0.1, [(math.nan, 5)])[0])
    assert student(0.0, [(0.0, 5)])[0] == 1
    assert student(0.1, [(0.0, 5)])[0] == 0


def test_drawn_seeds_have_the_variance_of_their_mean():
    """Seeds alone vary: the variance of the bootstrap is s²/S, not (S − 1)/S of it."""
    means = torch.tensor([[0.1, 0.4, 0.3]], dtype=torch.float64).expand(200_000, 3)
    drawn = drawn_mean(means, seed=0)
    assert float(drawn.var()) == pytest.approx(float(means[0].var()) / 3, rel=0.02)
    assert float(drawn.mean()) == pytest.approx(float(means[0].mean()), abs=1e-3)
    assert torch.equal(drawn_mean(means[:, :1], seed=0), means[:, 0])


def test_intervals_over_classes_and_seeds_hold_the_truth_and_those_over_classes_do_not():
    held = by_class = both = 0
    for seed in range(200):
        random = torch.Generator().manual_seed(seed)
        groups = torch.arange(60).repeat_interleave(3)
        of_class, of_seed = 0.05 * torch.randn(60, 1, generator=random), 0.02 * torch.randn(1, 4, generator=random)
        values = of_class[groups] + of_seed + 0.1 * torch.randn(180, 4, generator=random)
        drawn = group_means(values, groups, samples=300, seed=seed)
        low, high = percentiles(drawn_mean(drawn, seed=seed)[:, None], 0.95)
        both += bool(low <= 0 <= high)
        low, high = percentiles(drawn.mean(1, keepdim=True), 0.95)
        by_class += bool(low <= 0 <= high)
        mean = values.double().mean(0)
        error = float(group_error(values.mean(1, keepdim=True), groups))
        held += student(float(mean.mean()), [(error**2, 59), (float(mean.var()) / 4, 3)])[0] >= 0.05
    assert by_class / 200 < 0.9
    assert 0.9 < both / 200 <= 1
    assert 0.92 < held / 200 <= 1

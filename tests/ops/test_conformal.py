"""Conformal thresholds of grouped scores keep their rate; a pooled quantile does not."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isometry.ops.conformal import Tail, TooFew, budget, groups_for, smallest_rate


def groups_of(n, g, *, each=None, own=1.0, noise=0.3):
    """Scores of n groups: a centre for each, and members about it; unequal sizes unless given."""
    size = torch.full((n,), each) if each else torch.randint(1, 9, (n,), generator=g)
    group = torch.arange(n).repeat_interleave(size)
    centre = own * torch.randn(n, generator=g)
    return centre[group] + noise * torch.randn(len(group), generator=g), group


def brute(scores, group, allowed):
    """The lowest of the scores (or a number above all) at which Σ_j share_j ≤ allowed, by a double loop."""
    best = math.inf
    for t in sorted({*scores, max(scores) + 1}, reverse=True):
        total = 0.0
        for j in set(group):
            own = [s for s, k in zip(scores, group, strict=True) if k == j]
            total += sum(s >= t for s in own) / len(own)
        if total > allowed + 1e-9:
            break
        best = t
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=20), st.floats(0, 6))
def test_equals_the_double_loop_also_at_ties(rows, allowed):
    scores, group = [float(s) for s, _ in rows], [k for _, k in rows]
    found = Tail.of(torch.tensor(scores), torch.tensor(group)).threshold(allowed)
    want = brute(scores, group, allowed)
    assert [s >= found for s in scores] == [s >= want for s in scores]
    assert found <= want  # and between scores it stands as low as it can


def test_the_threshold_is_the_next_number_above_the_score_that_may_not_pass():
    tail = Tail.of(torch.tensor([0.5, 0.5, 0.25]), torch.tensor([0, 1, 2]))
    assert tail.threshold(1.0) == float(torch.nextafter(torch.tensor(0.5), torch.tensor(1.0)))
    assert tail.threshold(2.0) == float(torch.nextafter(torch.tensor(0.25), torch.tensor(1.0)))


def reached(threshold, own=1.0, noise=0.3):
    """The chance that a score of a new group is at least so high."""
    return stats.norm.sf(threshold, scale=math.hypot(own, noise))


def kept_and_broken(draw, rate, draws):
    """Mean rates of thresholds of groups, and of all scores pooled, over calibrations; with their standard errors."""
    ours, pooled = [], []
    for _ in range(draws):
        scores, group, noise = draw()
        for into, which in ((ours, group), (pooled, torch.arange(len(group)))):
            tail = Tail.of(scores, which)
            into.append(reached(tail.threshold(budget(tail, rate)), noise=noise))
    ours, pooled = torch.tensor(ours), torch.tensor(pooled)
    return ours.mean(), ours.std() / math.sqrt(draws), pooled.mean(), pooled.std() / math.sqrt(draws)


def test_a_new_group_exceeds_its_threshold_no_more_often_than_asked_and_a_pooled_quantile_more_often():
    """22 groups of 30, rate .05: all pooled, one group passes, and the next to pass is as likely the new one."""
    g = torch.Generator().manual_seed(0)
    ours, error, pooled, of_pooled = kept_and_broken(lambda: (*groups_of(22, g, each=30, noise=0.02), 0.02), 0.05, 150)
    assert ours <= 0.05 + 3 * error
    assert pooled >= 0.05 + 5 * of_pooled


def test_sizes_that_go_with_scores_do_no_harm():
    """Groups that score high have one member, those that score low have many: pooled, the high ones hardly count."""
    g = torch.Generator().manual_seed(1)

    def draw():
        centre = torch.randn(40, generator=g)
        group = torch.arange(40).repeat_interleave(torch.where(centre > 1, 1, 8))
        return centre[group] + 0.1 * torch.randn(len(group), generator=g), group, 0.1

    ours, error, pooled, of_pooled = kept_and_broken(draw, 0.1, 150)
    assert ours <= 0.1 + 3 * error
    assert pooled >= 0.1 + 5 * of_pooled


def test_p_values_of_new_groups_are_at_most_u_with_a_chance_of_at_most_u():
    g, n, draws = torch.Generator().manual_seed(2), 19, 400
    p = []
    for _ in range(draws):
        scores, group = groups_of(n + 1, g)
        scores = (2 * scores).round()  # ties
        p.append(float(Tail.of(scores[group < n], group[group < n]).p(scores[group == n][:1])))
    p = torch.tensor(p)
    for u in (0.05, 0.1, 0.25, 0.5, 0.9):
        assert (p <= u + 1e-6).double().mean() <= u + 3 * math.sqrt(u * (1 - u) / draws)


def test_a_picture_passes_where_its_p_is_at_most_the_rate():
    g = torch.Generator().manual_seed(3)
    scores, group = groups_of(50, g)
    scores = (4 * scores).round() / 4
    tail = Tail.of(scores, group)
    probes = torch.linspace(-3, 4, 57)
    for rate in (0.05, 0.2, 0.7):
        assert torch.equal(probes >= tail.threshold(budget(tail, rate)), tail.p(probes) <= rate + 1e-9)


@pytest.mark.parametrize("each", [1, 5])
def test_a_confidence_holds_over_calibrations(each):
    """Scores of new groups are N(0, own² + noise²), so the rate of each threshold is known."""
    g, rate, sure, n, draws = torch.Generator().manual_seed(4 + each), 0.1, 0.9, 120, 150
    missed = 0
    rates = []
    for _ in range(draws):
        scores, group = groups_of(n, g, each=each)
        tail = Tail.of(scores, group)
        true = reached(tail.threshold(budget(tail, rate, sure)))
        missed += true > rate
        rates.append(true)
    assert missed / draws <= (1 - sure) + 3 * math.sqrt(sure * (1 - sure) / draws)
    assert sum(rates) / draws > rate / 3  # and the threshold is not beyond all


def test_on_average_is_no_confidence():
    """What holds on average is exceeded by about half of the calibrations."""
    g, rate, n = torch.Generator().manual_seed(9), 0.1, 60
    over = 0
    for _ in range(100):
        tail = Tail.of(*groups_of(n, g))
        over += reached(tail.threshold(budget(tail, rate))) > rate
    assert 0.2 < over / 100 < 0.7


@pytest.mark.parametrize(("n", "rate", "sure"), [(300, 0.01, 0.95), (500, 0.05, 0.9), (59, 0.05, 0.95)])
def test_with_one_score_a_group_the_budget_is_the_binomial_quantile(n, rate, sure):
    tail = Tail.of(torch.randn(n), torch.arange(n))
    k = budget(tail, rate, sure)
    assert k == int(k)
    assert stats.binom.cdf(k, n, rate) <= 1 - sure < stats.binom.cdf(k + 1, n, rate)


def test_bounds_for_groups_are_at_most_the_binomial_one():
    for n, rate, sure in ((300, 0.05, 0.95), (1000, 0.02, 0.9), (5000, 0.1, 0.99)):
        single = budget(Tail.of(torch.arange(float(n)), torch.arange(n)), rate, sure)
        grouped = budget(Tail.of(torch.arange(2.0 * n), torch.arange(n).repeat_interleave(2)), rate, sure)
        assert 0.5 * single < grouped <= single


@pytest.mark.parametrize("sure", [None, 0.9, 0.99])
@pytest.mark.parametrize("each", [1, 3])
def test_the_smallest_rate_is_had_and_none_below(sure, each):
    n = 40
    tail = Tail.of(torch.arange(float(n * each)), torch.arange(n).repeat_interleave(each))
    least = smallest_rate(n, sure)
    assert tail.threshold(budget(tail, least * 1.0001, sure)) > n * each - 1
    with pytest.raises(TooFew, match="40: bring more, or ask for") as refused:
        budget(tail, least * 0.99, sure)
    assert refused.value.smallest == least
    assert groups_for(least * 1.0001, sure) == n


def test_a_rate_in_decimals_is_exact():
    for n, rate, allowed in ((99, 0.01, 0), (999, 0.007, 6), (9, 0.7, 6), (99, 0.07, 6)):
        tail = Tail.of(torch.arange(float(n)), torch.arange(n))
        above = torch.arange(float(n)) >= tail.threshold(budget(tail, rate))
        assert int(above.sum()) == allowed


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 60))
def test_thinned_never_lowers_p_nor_the_threshold(seed, keep):
    g = torch.Generator().manual_seed(seed)
    tail = Tail.of(*groups_of(80, g))
    thin = tail.thinned(keep)
    probes = torch.randn(200, generator=g)
    assert len(thin.scores) <= keep
    assert bool((thin.p(probes) >= tail.p(probes)).all())
    for allowed in (0.0, 1.5, 7.0, 79.0):
        assert thin.threshold(allowed) >= tail.threshold(allowed)
    high = tail.scores[: keep // 2]
    assert torch.equal(thin.p(high), tail.p(high))
    assert json.dumps(thin.total.tolist())


def test_thinned_keeps_p_at_a_threshold_so_what_passes_still_has_p_at_most_the_rate():
    g = torch.Generator().manual_seed(0)
    scores, group = torch.rand(6000, generator=g), torch.randint(300, (6000,), generator=g)
    tail = Tail.of(scores, group)
    for rate in (0.05, 0.3, 0.7):
        at = tail.threshold(budget(tail, rate))
        thin = tail.thinned(200, at)
        assert torch.equal(thin.p(scores) <= rate, scores >= at)


def test_bad_input_is_one_line():
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1\.5"):
        budget(Tail.of(torch.zeros(3), torch.arange(3)), 1.5)
    with pytest.raises(ValueError, match="confidence lies between 0 and 1; got 0"):
        budget(Tail.of(torch.zeros(3), torch.arange(3)), 0.5, 0.0)
    with pytest.raises(ValueError, match="finite"):
        Tail.of(torch.tensor([math.nan]), torch.tensor([0]))

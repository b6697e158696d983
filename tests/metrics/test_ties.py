"""Expected values under ties: all orders of small examples, random orders of large ones, and chance for a collapsed model."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from isometry.metrics import (
    ASI,
    CMC,
    MAP,
    MINP,
    MRR,
    NDCG,
    DistanceGain,
    ExponentialGain,
    HierarchicalAP,
    HitRate,
    LabelDistance,
    MAPAtR,
    Precision,
    Recall,
    RPrecision,
    ShareFound,
    TripletAccuracy,
)
from isometry.metrics.metric import NOWHERE, Ranking, Ties

BINARY = [Recall(k=1), Recall(k=3), HitRate(k=2), CMC(k=4), ShareFound(k=3), Precision(k=4), RPrecision(), MAPAtR(),
          MAP(), MAP(k=2), MAP(k=4), MRR(), MINP(), TripletAccuracy(), NDCG(), NDCG(k=3)]  # fmt: skip
# groups of equals, best first: (items, hits); all orders of at most 5 items in a group
GROUPS = [
    [(5, 2), (1, 0), (2, 1)],
    [(1, 1), (4, 2), (2, 0)],
    [(3, 0), (4, 3)],
    [(2, 0), (1, 0), (5, 1), (1, 1)],
    [(5, 5), (2, 0)],
    [(4, 1)],
    [(2, 2), (3, 1), (1, 0), (2, 2)],
]


def ties(groups, **more):
    size, hits = torch.tensor(groups).T[:, None]
    return Ties(size, hits, hits.sum(1), others=size.sum(1), **more)


def of(hits):
    """Rankings, from hits `[n m]`."""
    place = torch.arange(1, hits.shape[1] + 1)
    ranks = torch.where(hits, place, NOWHERE).sort(1).values[:, : int(hits.sum(1).max())]
    others = torch.full((len(hits),), hits.shape[1])
    return Ranking(hits, hits.sum(1), hits.byte().argmax(1) + 1, ranks=ranks, others=others)


def orders(groups):
    """Every order: a row for each choice of the places of hits, all equally likely."""
    each = [[[i in chosen for i in range(g)] for chosen in itertools.combinations(range(g), h)] for g, h in groups]
    return torch.tensor([list(itertools.chain(*choice)) for choice in itertools.product(*each)])


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize("metric", BINARY, ids=repr)
def test_the_mean_and_the_extremes_over_all_orders(metric, groups):
    values = metric.per_query(of(orders(groups))).double()
    assert metric.expected(ties(groups)).item() == pytest.approx(values.mean().item(), abs=1e-6)
    for best, extreme in ((True, values.max()), (False, values.min())):
        ranking = ties(groups).ranking(sum(g for g, _ in groups), best=best, ranks=True)
        assert metric.per_query(ranking).item() == pytest.approx(extreme.item(), abs=1e-6)


@pytest.mark.parametrize("metric", BINARY, ids=repr)
def test_groups_are_filled_up_and_taken_together(metric):
    """Rows of different numbers of groups, with empty slots; the same as one at a time."""
    wide = max(map(len, GROUPS))
    table = torch.tensor([groups + [(0, 0)] * (wide - len(groups)) for groups in GROUPS])
    size, hits = table.unbind(2)
    together = metric.expected(Ties(size, hits, hits.sum(1), others=size.sum(1)))
    assert together.dtype == torch.float64
    torch.testing.assert_close(together, torch.cat([metric.expected(ties(groups)) for groups in GROUPS]))


@pytest.mark.parametrize("metric", BINARY, ids=repr)
def test_neighbouring_groups_without_a_hit_may_be_one(metric):
    apart, one = [(3, 0), (2, 0), (5, 2), (1, 0), (1, 0), (3, 1)], [(5, 0), (5, 2), (2, 0), (3, 1)]
    torch.testing.assert_close(metric.expected(ties(apart)), metric.expected(ties(one)))


def without_ties(hits):
    return Ties(
        torch.ones_like(hits, dtype=torch.int64), hits.long(), hits.sum(1), torch.full((len(hits),), hits.shape[1])
    )


@pytest.mark.parametrize("metric", BINARY, ids=repr)
def test_without_ties_it_is_the_value_itself(metric):
    hits = torch.rand(50, 60) < 0.1
    hits[:, 7] = True
    torch.testing.assert_close(metric.expected(without_ties(hits)).float(), metric.per_query(of(hits)))


LARGE = [
    [(900, 30), (2000, 5), (5000, 300)],
    [(40, 0), (10_000, 1)],
    [(3, 0), (10_000, 4000)],
    [(2000, 0), (10_000, 12), (3, 1)],
]


@pytest.mark.parametrize("groups", LARGE, ids=str)
def test_large_groups_within_five_deviations_of_random_orders(groups):
    draws = 400
    parts = []
    for g, h in groups:
        part = torch.zeros(draws, g, dtype=torch.bool)
        if h:
            part.scatter_(1, torch.rand(draws, g).topk(h, dim=1).indices, True)
        parts.append(part)
    ranking = of(torch.cat(parts, 1))
    for metric in (Recall(k=50), MAPAtR(), MAP(), MAP(k=500), MRR(), MINP(), TripletAccuracy(), NDCG(), RPrecision()):
        values = metric.per_query(ranking).double()
        error = values.std().item() / draws**0.5
        assert metric.expected(ties(groups)).item() == pytest.approx(values.mean().item(), abs=5 * error + 1e-6)


@pytest.mark.parametrize(("m", "r"), [(10, 3), (1000, 1), (1_000_000, 4000), (1_000_000, 999_999)])
def test_a_collapsed_model_scores_exactly_chance(m, r):
    """One group: everything is as good as a draw without replacement."""
    one = ties([(m, r)])
    share = r / m
    for k in (1, 5, 10):
        drawn = math.prod(Fraction(m - r - i, m - i) for i in range(k)) if k <= m - r else 0
        for metric in (Recall(k=k), HitRate(k=k), CMC(k=k)):
            assert metric.expected(one).item() == pytest.approx(float(1 - drawn), abs=1e-12)
        assert Precision(k=k).expected(one).item() == pytest.approx(share, rel=1e-12)
        assert ShareFound(k=k).expected(one).item() == pytest.approx(k / m, rel=1e-12)
    assert RPrecision().expected(one).item() == pytest.approx(share, rel=1e-12)
    assert TripletAccuracy().expected(one).item() == 0.5
    harmonic = math.fsum(1 / i for i in range(1, m + 1))
    again = (r - 1) / (m - 1)
    assert MAP().expected(one).item() == pytest.approx(((1 - again) * harmonic + m * again) / m, rel=1e-9)
    upto = math.fsum(1 / i for i in range(1, r))
    assert MRR().expected(one).item() == pytest.approx(r / (m - r + 1) * (harmonic - upto), rel=1e-9)


def test_where_only_larger_similarities_count_a_collapsed_model_is_perfect():
    """A rule of published code: the rank is 1 + the number of strictly larger negatives. Here equals are drawn."""
    sim, hits = torch.ones(100), torch.arange(100) == 99
    assert 1 + int((sim[~hits] > sim[hits]).sum()) == 1
    one = ties([(100, 1)])
    assert Recall(k=1).expected(one).item() == pytest.approx(0.01)
    assert MRR().expected(one).item() == pytest.approx(sum(1 / i for i in range(1, 101)) / 100)


def test_the_last_group_is_cut_where_the_metric_ends():
    """Two of the first three places are in the first group, the third in a group that goes on."""
    groups = [(2, 1), (4, 2)]
    assert Precision(k=3).expected(ties(groups)).item() == pytest.approx((1 + 1 / 2) / 3)
    assert ShareFound(k=3).expected(ties(groups)).item() == pytest.approx(1.5 / 3)
    assert Recall(k=1).expected(ties(groups)).item() == pytest.approx(1 / 2)
    assert Recall(k=3).expected(ties(groups)).item() == 1


def test_groups_that_end_before_what_is_asked_for_give_no_value():
    """All matches have to be there for the last one, one of them for the first."""
    short = Ties(torch.tensor([[4]]), torch.tensor([[0]]), torch.tensor([2]), torch.tensor([100]))
    assert MRR().expected(short).isnan().all()
    assert MINP().expected(short).isnan().all()
    assert TripletAccuracy().expected(short).isnan().all()
    ranking = short.ranking(4, best=True, ranks=True)
    assert ranking.first.item() == NOWHERE
    assert not ranking.hits.any()


def graded_orders(groups):
    """Every order of groups of numbers."""
    every = itertools.product(*[list(itertools.permutations(group)) for group in groups])
    return torch.tensor([list(itertools.chain(*order)) for order in every])


def table(groups, read):
    return torch.tensor([[read(group) for group in groups]])


@pytest.mark.parametrize("k", [1, 2, 4, None])
def test_graded_gains_over_all_orders(k):
    groups = [(0.5, 0.0, 1.0), (0.0,), (0.25, 0.75, 0.0)]
    worth = graded_orders(groups)
    hits, best = worth > 0, worth.sort(1, descending=True).values
    ranks, at = torch.where(hits, torch.arange(1, 8), NOWHERE).sort(1)
    ranking = Ranking(hits, hits.sum(1), hits.byte().argmax(1) + 1, worth, best, ranks=ranks, worth=worth.gather(1, at))
    one = Ties(table(groups, len), table(groups, lambda g: sum(x > 0 for x in g)), torch.tensor([4]),
               gain=table(groups, sum), best=best[:1])  # fmt: skip
    metric = NDCG(k=k)
    assert metric.expected(one).item() == pytest.approx(metric.per_query(ranking).double().mean().item(), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_label_distances_over_all_orders(k):
    groups = [(2.0, 5.0), (1.0, 0.0, 4.0), (9.0,)]
    gaps = graded_orders(groups)
    ranking = Ranking(gaps < 1, (gaps < 1).sum(1), torch.ones(len(gaps), dtype=torch.int64), gaps=gaps)
    one = Ties(table(groups, len), table(groups, lambda g: 0), torch.tensor([1]), gap=table(groups, sum))
    metric = LabelDistance(k=k)
    assert metric.expected(one).item() == pytest.approx(metric.per_query(ranking).double().mean().item(), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5, None])
def test_gains_of_label_distances_over_all_orders(k):
    groups = [(2.0, 5.0), (1.0, 0.0, torch.inf), (9.0,)]
    gaps = graded_orders(groups)
    least, gain = gaps.sort(1).values, DistanceGain()
    none = torch.zeros(len(gaps), dtype=torch.int64)
    ranking = Ranking(gaps < 1, none, none + 1, gaps=gaps, least_gaps=least)
    sums = table(groups, lambda g: sum(1 / (1 + x) for x in g))
    one = Ties(
        table(groups, len), table(groups, lambda g: 0), none[:1], least_gaps=least[:1], gap_gains={repr(gain): sums}
    )
    metric = NDCG(k=k, gain=gain)
    assert metric.expected(one).item() == pytest.approx(metric.per_query(ranking).double().mean().item(), abs=1e-6)
    with pytest.raises(ValueError, match="give Ties"):
        metric.expected(ties([(2, 1)]))


@pytest.mark.parametrize("metric", [HierarchicalAP(), ASI()], ids=repr)
def test_what_has_no_closed_form_says_so(metric):
    with pytest.raises(ValueError, match="closed form"):
        metric.expected(ties([(2, 1)]))


def test_gains_that_are_not_in_proportion_have_no_closed_form_where_labels_are_graded():
    groups, steep = [(4, 2), (3, 1)], NDCG(gain=ExponentialGain())
    torch.testing.assert_close(steep.expected(ties(groups)), NDCG().expected(ties(groups)))
    with pytest.raises(ValueError, match="closed form"):
        steep.expected(ties(groups, gain=torch.tensor([[1.5, 0.5]])))

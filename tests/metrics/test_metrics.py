"""Each metric against its definition, written as loops, and against numbers worked by hand."""

import math

import pytest
import torch

from isometry.expression import parse
from isometry.metrics import (
    CMC,
    MAP,
    MINP,
    MRR,
    NDCG,
    HitRate,
    LabelDistance,
    MAPAtR,
    Precision,
    Recall,
    RPrecision,
    ShareFound,
    TripletAccuracy,
)
from isometry.metrics.metric import NOWHERE, Ranking
from isometry.relation import Relation
from isometry.relations import same_class


def dcg(gains):
    return sum(gain / math.log2(2 + i) for i, gain in enumerate(gains))


def ap(hits, k=None):
    """A sum over places, divided by the largest number of hits that there could be."""
    k = len(hits) if k is None else k
    return sum(sum(hits[: i + 1]) / (i + 1) for i in range(min(k, len(hits))) if hits[i]) / min(k, sum(hits))


def last(hits):
    return max(i + 1 for i, hit in enumerate(hits) if hit)


def in_order(hits):
    """The share of pairs of a match and another item that are in order: a loop over pairs."""
    pairs = [(p, n) for p in range(len(hits)) if hits[p] for n in range(len(hits)) if not hits[n]]
    return sum(p < n for p, n in pairs) / len(pairs)


HITS = torch.tensor([[True, False, True, False], [False, True, False, False], [False, False, False, False]])
RANKS = torch.tensor([[1, 3, 12], [2, NOWHERE, NOWHERE], [9, 20, NOWHERE]])
RANKING = Ranking(
    HITS, torch.tensor([3, 1, 2]), torch.tensor([1, 2, 9]), ranks=RANKS, others=torch.tensor([13, 21, 102])
)
BY_HAND = {
    Recall(k=1): [1, 0, 0],
    Recall(k=2): [1, 1, 0],
    HitRate(k=2): [1, 1, 0],
    CMC(k=1): [1, 0, 0],
    ShareFound(k=2): [1 / 3, 1, 0],
    ShareFound(k=4): [2 / 3, 1, 0],
    Precision(k=1): [1, 0, 0],
    Precision(k=3): [2 / 3, 1 / 3, 0],
    RPrecision(): [2 / 3, 0, 0],
    MAPAtR(): [(1 + 2 / 3) / 3, 0, 0],
    MAP(): [(1 + 2 / 3 + 3 / 12) / 3, 1 / 2, (1 / 9 + 2 / 20) / 2],
    MAP(k=1): [1, 0, 0],
    MAP(k=2): [1 / 2, 1 / 2, 0],
    MAP(k=4): [(1 + 2 / 3) / 3, 1 / 2, 0],
    MRR(): [1, 1 / 2, 1 / 9],
    MINP(): [3 / 12, 1 / 2, 2 / 20],
    TripletAccuracy(): [(10 + 9 + 1) / 30, 19 / 20, (92 + 82) / 200],
    NDCG(): [
        (1.5 + 1 / math.log2(13)) / (1.5 + 1 / math.log2(3)),
        1 / math.log2(3),
        (1 / math.log2(10) + 1 / math.log2(21)) / (1 + 1 / math.log2(3)),
    ],
    NDCG(k=1): [1, 0, 0],
    NDCG(k=3): [1.5 / (1.5 + 1 / math.log2(3)), 1 / math.log2(3), 0],
}
LOOPS = {
    Recall(k=3): lambda hits: float(any(hits[:3])),
    ShareFound(k=3): lambda hits: sum(hits[:3]) / sum(hits),
    Precision(k=3): lambda hits: sum(hits[:3]) / 3,
    RPrecision(): lambda hits: sum(hits[: sum(hits)]) / sum(hits),
    MAPAtR(): lambda hits: ap(hits, sum(hits)),
    MAP(): ap,
    MAP(k=3): lambda hits: ap(hits, 3),
    MAP(k=1000): ap,
    NDCG(k=3): lambda hits: dcg(hits[:3]) / dcg(sorted(hits, reverse=True)[:3]),
    NDCG(): lambda hits: dcg(hits) / dcg(sorted(hits, reverse=True)),
    MRR(): lambda hits: 1 / (1 + hits.index(True)),
    MINP(): lambda hits: sum(hits) / last(hits),
    TripletAccuracy(): in_order,
    LabelDistance(k=5): lambda hits: 1 - sum(hits[:5]) / 5,
}


@pytest.mark.parametrize(("metric", "expected"), BY_HAND.items(), ids=repr)
def test_numbers_worked_by_hand(metric, expected):
    torch.testing.assert_close(metric.per_query(RANKING), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(("metric", "loop"), LOOPS.items(), ids=[repr(metric) for metric in LOOPS])
def test_equals_its_definition_on_a_similarity_matrix(metric, loop):
    """`metric(sim, rel)`: ties to the lower index, self left out by id, singletons and unknown labels not scored."""
    y = torch.randint(0, 12, (60,)) + 2**60
    y[3] = 7
    if not metric.needs_gaps:  # an unknown label has no distance
        y[:3] = -1
    sim, ids = torch.randint(0, 30, (60, 60)).double(), torch.randperm(60) // 2
    values = metric(sim, same_class(y, y).without_self(ids, ids))
    for i in range(60):
        others = sorted((j for j in range(60) if ids[j] != ids[i]), key=lambda j: (-sim[i, j].item(), j))
        hits = [bool(y[j] == y[i] != -1) for j in others]
        if any(hits) or metric.needs_gaps:
            assert values[i].item() == pytest.approx(loop(hits), abs=1e-6)
        else:
            assert values[i].isnan()


@pytest.mark.parametrize("metric", [*BY_HAND, LabelDistance(k=3)], ids=repr)
def test_reads_back_from_its_text(metric):
    assert repr(parse(repr(metric))) == repr(metric)


def test_recall_rises_with_k_and_map_at_r_stays_below_r_precision():
    hits = torch.rand(300, 40) < 0.2
    ranking = Ranking(hits, hits.sum(1).clamp_min(1), hits.byte().argmax(1) + 1)
    for metric in (Recall, ShareFound):
        recalls = torch.stack([metric(k=k).per_query(ranking) for k in range(1, 41)])
        assert (recalls.diff(dim=0) >= 0).all()
    assert (MAPAtR().per_query(ranking) <= RPrecision().per_query(ranking) + 1e-6).all()


@pytest.mark.parametrize("metric", [Recall, HitRate, CMC, Precision, ShareFound, LabelDistance, MAP, NDCG])
def test_a_cut_off_below_one_is_refused(metric):
    with pytest.raises(ValueError, match=rf"{metric.__name__}\(k=0\)"):
        metric(k=0)
    if metric not in (MAP, NDCG):
        with pytest.raises(ValueError, match="needs 'k'"):
            metric()


def test_one_number_has_three_names():
    sim, y = torch.rand(50, 50), torch.randint(0, 20, (50,))
    rel = same_class(y, y).without_self(torch.arange(50), torch.arange(50))
    values = [metric(k=3)(sim, rel) for metric in (Recall, HitRate, CMC)]
    torch.testing.assert_close(values[0], values[1], equal_nan=True)
    torch.testing.assert_close(values[0], values[2], equal_nan=True)


def test_a_perfect_space_scores_one_whatever_divides_elsewhere():
    """Classes of 5: code that divides by the class size with the query in it gives 0.8."""
    y = torch.arange(20).repeat_interleave(5)
    rel = same_class(y, y).without_self(torch.arange(100), torch.arange(100))
    sim = rel.pos.float() + 0.01 * torch.rand(100, 100)
    every = (MAP(), MAP(k=2), MAP(k=100), MAPAtR(), MINP(), RPrecision(), TripletAccuracy(), NDCG(), NDCG(k=3), MRR())
    for metric in every:
        torch.testing.assert_close(metric(sim, rel), torch.ones(100))


def test_average_precision_is_not_divided_by_the_hits_among_the_first():
    """One match of 50 in first place is no perfect page of ten."""
    ranking = Ranking(torch.arange(10)[None] < 1, torch.tensor([50]), torch.tensor([1]))
    assert MAP(k=10).per_query(ranking).item() == pytest.approx(0.1)
    assert MAP(k=10).per_query(Ranking(ranking.hits, torch.tensor([4]), ranking.first)).item() == pytest.approx(0.25)


def test_a_cut_off_beyond_the_gallery():
    """Three items, two of them matches: what is not there is no hit, and shares of k stay shares of k."""
    sim, rel = torch.tensor([[0.9, 0.8, 0.7]]), same_class(torch.tensor([1]), torch.tensor([1, 0, 1]))
    values = {Precision(k=10): 0.2, Recall(k=10): 1, ShareFound(k=10): 1, MAP(k=10): (1 + 2 / 3) / 2,
              NDCG(k=10): 1.5 / (1 + 1 / math.log2(3)), LabelDistance(k=10): 1 / 3}  # fmt: skip
    for metric, value in values.items():
        assert metric(sim, rel).item() == pytest.approx(value, abs=1e-6)


def test_distances_of_neighbours():
    """Distances 2, 0 and 6 of the first three, and an unknown label between them that is passed over."""
    gap = torch.tensor([[6.0, 5.0, 0.0, 2.0]])
    known = torch.tensor([[True, False, True, True]])
    rel = Relation(gap=lambda: gap, pos=lambda: (gap <= 1) & known, neg=lambda: (gap > 1) & known)
    sim = torch.tensor([[0.1, 0.5, 0.6, 0.9]])
    for k, mean in ((1, 2), (2, 1), (3, 1), (4, 8 / 3), (9, 8 / 3)):
        assert LabelDistance(k=k)(sim, rel).item() == pytest.approx(mean)
    assert not LabelDistance(k=1).higher_is_better
    assert MAP().higher_is_better


def test_label_distance_has_no_value_where_all_that_it_looks_at_is_unknown():
    """What comes after the first k is not looked at in the place of what is unknown."""
    gap = torch.tensor([[torch.nan, 5.0, 3.0]])
    known = ~gap.isnan()
    rel = Relation(gap=lambda: gap.nan_to_num(), pos=lambda: (gap <= 1) & known, neg=lambda: (gap > 1) & known)
    sim = torch.tensor([[0.9, 0.5, 0.1]])
    assert LabelDistance(k=1)(sim, rel).isnan().all()
    assert [LabelDistance(k=k)(sim, rel).item() for k in (2, 3)] == [5, 4]


def test_label_distance_scores_queries_that_have_no_match():
    gap = torch.tensor([[6.0, 5.0]])
    rel = Relation(gap=lambda: gap, pos=lambda: gap <= 1, neg=lambda: gap > 1)
    assert LabelDistance(k=1)(torch.tensor([[0.1, 0.5]]), rel).item() == 5
    assert Recall(k=1)(torch.tensor([[0.1, 0.5]]), rel).isnan().all()


def test_triplet_accuracy_has_no_value_without_a_negative():
    sim, rel = torch.rand(1, 3), same_class(torch.tensor([1]), torch.tensor([1, 1, 1]))
    assert TripletAccuracy()(sim, rel).isnan().all()
    assert MAP()(sim, rel).item() == 1


@pytest.mark.parametrize("metric", [MAP(), MINP(), TripletAccuracy(), NDCG(), LabelDistance(k=1)], ids=repr)
def test_what_a_ranking_lacks_is_said(metric):
    with pytest.raises(ValueError, match="give "):
        metric.per_query(Ranking(HITS, RANKING.relevant, RANKING.first))


@pytest.mark.parametrize("metric", LOOPS, ids=repr)
def test_a_matrix_in_which_no_query_has_a_match(metric):
    sim, rel = torch.rand(2, 3), same_class(torch.tensor([-1, 5]), torch.tensor([1, 2, 3]))
    assert metric(sim, rel)[0].isnan()
    assert metric(sim, rel)[1].isnan() or metric.needs_gaps

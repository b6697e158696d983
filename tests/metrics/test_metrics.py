"""Each metric against its definition, written as loops, and against numbers worked by hand."""

import math

import pytest
import torch

from isometry.metrics import MAP, MRR, NDCG, MAPAtR, Precision, Recall, RPrecision
from isometry.metrics.metric import Ranking
from isometry.relation import Relation, label_tree, same_class


def dcg(gains):
    return sum(gain / math.log2(2 + i) for i, gain in enumerate(gains))


HITS = torch.tensor([[True, False, True, False], [False, True, False, False], [False, False, False, False]])
RELEVANT, FIRST = torch.tensor([3, 1, 2]), torch.tensor([1, 2, 9])
BY_HAND = {
    Recall(k=1): [1, 0, 0],
    Recall(k=2): [1, 1, 0],
    Precision(k=1): [1, 0, 0],
    Precision(k=3): [2 / 3, 1 / 3, 0],
    RPrecision(): [2 / 3, 0, 0],
    MAPAtR(): [(1 + 2 / 3) / 3, 0, 0],
    MAP(): [(1 + 2 / 3) / 3, 1 / 2, 0],
    MRR(): [1, 1 / 2, 1 / 9],
    NDCG(): [1.5 / (1.5 + 1 / math.log2(3)), 1 / math.log2(3), 0],
    NDCG(k=1): [1, 0, 0],
}
LOOPS = {
    Recall(k=3): lambda hits: float(any(hits[:3])),
    Precision(k=3): lambda hits: sum(hits[:3]) / 3,
    RPrecision(): lambda hits: sum(hits[: sum(hits)]) / sum(hits),
    MAPAtR(): lambda hits: sum(sum(hits[: i + 1]) / (i + 1) for i in range(sum(hits)) if hits[i]) / sum(hits),
    MAP(): lambda hits: sum(sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i]) / sum(hits),
    NDCG(k=3): lambda hits: dcg(hits[:3]) / dcg(sorted(hits, reverse=True)[:3]),
    MRR(): lambda hits: 1 / (1 + hits.index(True)),
}


@pytest.mark.parametrize(("metric", "expected"), BY_HAND.items(), ids=repr)
def test_numbers_worked_by_hand(metric, expected):
    torch.testing.assert_close(
        metric.per_query(Ranking(HITS, RELEVANT, FIRST)), torch.tensor(expected, dtype=torch.float32)
    )


@pytest.mark.parametrize(("metric", "loop"), LOOPS.items(), ids=[str(i) for i in range(len(LOOPS))])
def test_equals_its_definition_on_a_similarity_matrix(metric, loop):
    """`metric(sim, rel)`: ties to the lower index, self left out by id, singletons and unknown labels not scored."""
    y = torch.randint(0, 12, (60,)) + 2**60
    y[:3], y[3] = -1, 7
    sim, ids = torch.randint(0, 30, (60, 60)).double(), torch.randperm(60) // 2
    values = metric(sim, same_class(y, y).without_self(ids, ids))
    for i in range(60):
        others = sorted((j for j in range(60) if ids[j] != ids[i]), key=lambda j: (-sim[i, j].item(), j))
        hits = [bool(y[j] == y[i] != -1) for j in others]
        if any(hits):
            assert values[i].item() == pytest.approx(loop(hits), abs=1e-6)
        else:
            assert values[i].isnan()


def test_recall_rises_with_k_and_map_at_r_stays_below_r_precision():
    hits = torch.rand(300, 40) < 0.2
    ranking = Ranking(hits, hits.sum(1).clamp_min(1), hits.byte().argmax(1) + 1)
    recalls = torch.stack([Recall(k=k).per_query(ranking) for k in range(1, 41)])
    assert (recalls.diff(dim=0) >= 0).all()
    assert (MAPAtR().per_query(ranking) <= RPrecision().per_query(ranking) + 1e-6).all()


def test_a_cut_off_below_one_is_refused():
    for metric in (Recall, Precision):
        with pytest.raises(ValueError, match=r"\(k=0\)"):
            metric(k=0)
        with pytest.raises(ValueError, match="needs 'k'"):
            metric()


def test_graded_gains_of_neighbours_by_label_distance():
    """Label distances 0, 1, 3 are worth 1/(1 + D); retrieved in the order 1, 0, 3 (Kim et al., CVPR 2019)."""
    affinity, sim = torch.tensor([[1.0, 0.5, 0.25]]), torch.tensor([[0.8, 0.9, 0.7]])
    assert NDCG()(sim, Relation(affinity=lambda: affinity)).item() == pytest.approx(0.8719, abs=1e-4)


def test_graded_gains_of_a_tree():
    paths, sim = torch.randint(0, 3, (30, 3)), torch.rand(30, 30)
    ids = torch.arange(30)
    rel = label_tree(paths, paths).without_self(ids, ids)
    for k in (5, None):
        values = NDCG(k=k)(sim, rel)
        for i in range(30):
            others = sorted((j for j in range(30) if j != i), key=lambda j: -sim[i, j].item())
            worth = [next((level for level in range(3) if paths[i, level] != paths[j, level]), 3) / 3 for j in others]
            best = dcg(sorted(worth, reverse=True)[:k])
            assert values[i].item() == pytest.approx(dcg(worth[:k]) / best, abs=1e-6)

"""Agreement with scikit-learn, and with trec_eval's definitions written anew."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from isometry.losses import Soft
from isometry.losses.step import Heaviside
from isometry.metrics import (
    CMC,
    MAP,
    MINP,
    MRR,
    NDCG,
    HitRate,
    MAPAtR,
    Precision,
    Recall,
    RPrecision,
    ShareFound,
    TripletAccuracy,
)
from isometry.metrics.metric import Ties
from isometry.relation import Relation
from isometry.relations import same_class

N, M = 40, 90


def data(tied=False):
    """Queries against a gallery: each has a match and a non-match."""
    sim = torch.randint(0, 12, (N, M)).double() if tied else torch.rand(N, M, dtype=torch.float64)
    match = torch.rand(N, M) < torch.rand(N, 1)
    match[:, 0], match[:, 1] = True, False
    return sim, match, Relation(pos=lambda: match, neg=lambda: ~match)


def groups(sim, match, gain=None):
    """Equals, best first, a row for each query."""
    values = sim.unique().flip(0)
    at = sim[:, None] == values[None, :, None]
    size, hits = at.sum(2), (at & match[:, None]).sum(2)
    more = {} if gain is None else {
        "gain": (at * gain[:, None]).sum(2), "best": gain.sort(1, descending=True).values,
    }  # fmt: skip
    return Ties(size, hits, match.sum(1), torch.full((len(sim),), sim.shape[1]), **more)


def test_average_precision_of_scikit_learn():
    sim, match, rel = data()
    expected = [average_precision_score(y, s) for y, s in zip(match.numpy(), sim.numpy(), strict=True)]
    np.testing.assert_allclose(MAP()(sim, rel).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("tied", [False, True])
def test_area_under_the_curve_of_scikit_learn(tied):
    sim, match, rel = data(tied)
    expected = [roc_auc_score(y, s) for y, s in zip(match.numpy(), sim.numpy(), strict=True)]
    np.testing.assert_allclose(TripletAccuracy().expected(groups(sim, match)).numpy(), expected, atol=1e-12)
    if not tied:
        np.testing.assert_allclose(TripletAccuracy()(sim, rel).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 1000, None])
def test_discounted_gain_of_scikit_learn(k):
    """Graded, and averaged over ties, which scikit-learn does too."""
    grade = torch.randint(0, 4, (N, M)).double() / 3
    grade[:, 0] = 1
    for tied in (False, True):
        sim = data(tied)[0]
        expected = [
            ndcg_score(y[None], s[None], k=k, ignore_ties=not tied)
            for y, s in zip(grade.numpy(), sim.numpy(), strict=True)
        ]
        np.testing.assert_allclose(NDCG(k=k).expected(groups(sim, grade > 0, grade)).numpy(), expected, atol=1e-12)
        if not tied:
            value = NDCG(k=k)(sim, Relation(affinity=lambda: grade))
            np.testing.assert_allclose(value.numpy(), expected, atol=1e-6)


def trec(run, qrels, k):
    """Measures of one query by the definitions of trec_eval 9: a run is documents by score, qrels those judged relevant.

    map_cut divides by all relevant documents there, not by min(k, relevant).
    """
    ordered = sorted(run, key=lambda document: -run[document])
    relevant = sum(qrels.values())
    found, measures, precisions, gain, cut = 0, {}, 0.0, 0.0, 0.0
    for rank, document in enumerate(ordered, 1):
        if qrels.get(document):
            found += 1
            precisions += found / rank
            gain += 1 / math.log2(rank + 1)
            measures.setdefault("recip_rank", 1 / rank)
        if rank == k:
            measures |= {"P": found / k, "recall": found / relevant, "success": float(found > 0)}
            measures["map_cut"] = precisions / relevant
            cut = gain
        if rank == relevant:
            measures["Rprec"] = found / relevant
    ideal = [1 / math.log2(rank + 1) for rank in range(1, relevant + 1)]
    return measures | {"map": precisions / relevant, "ndcg": gain / sum(ideal), "ndcg_cut": cut / sum(ideal[:k])}


@pytest.mark.parametrize("k", [1, 5, 20])
def test_the_definitions_of_trec_eval(k):
    sim, match, rel = data()
    theirs = [
        trec({f"d{j}": s for j, s in enumerate(row)}, {f"d{j}": y for j, y in enumerate(judged)}, k)
        for row, judged in zip(sim.tolist(), match.int().tolist(), strict=True)
    ]
    ours = {"map": MAP(), "P": Precision(k=k), "recall": ShareFound(k=k), "success": HitRate(k=k), "recip_rank": MRR(),
            "Rprec": RPrecision(), "ndcg": NDCG(), "ndcg_cut": NDCG(k=k)}  # fmt: skip
    for name, metric in ours.items():
        np.testing.assert_allclose(metric(sim, rel).numpy(), [one[name] for one in theirs], atol=1e-6, err_msg=name)
    relevant = match.sum(1)
    as_theirs = MAP(k=k)(sim, rel) * relevant.clamp_max(k) / relevant
    np.testing.assert_allclose(as_theirs.numpy(), [one["map_cut"] for one in theirs], atol=1e-6)


SOFT = [MAP(), MAP(k=1), MAP(k=4), ShareFound(k=3), HitRate(k=2), CMC(k=1), MINP(), MAPAtR(), Recall(k=2), NDCG(k=4)]


@pytest.mark.parametrize("metric", SOFT, ids=repr)
def test_a_soft_metric_with_hard_steps_is_the_metric(metric):
    z, y = torch.nn.functional.normalize(torch.randn(40, 5, dtype=torch.float64)), torch.randint(0, 8, (40,))
    exact = metric(z @ z.T, same_class(y, y).without_self(torch.arange(40), torch.arange(40)))
    hard = Soft(metric=metric, step=Heaviside(), cut=Heaviside())
    assert hard(z, y).item() == pytest.approx(1 - exact.nanmean().item(), abs=1e-6)


@pytest.mark.parametrize("metric", SOFT, ids=repr)
def test_a_soft_metric_has_a_finite_slope(metric):
    z, y = torch.randn(20, 5, requires_grad=True), torch.randint(0, 9, (20,))
    Soft(metric=metric)(z, y).backward()
    assert z.grad.isfinite().all()
    assert z.grad.abs().sum() > 0

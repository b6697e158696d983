"""Every metric through `isometry.evaluate` equals the same metric on the whole similarity matrix, with ties and without."""

import warnings

import pytest
import torch

import isometry
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
    LabelDistance,
    MAPAtR,
    Precision,
    Recall,
    RPrecision,
    ShareFound,
    TripletAccuracy,
)
from isometry.metrics.metric import Ties, by_grade
from isometry.relations import close_targets, label_tree, same_class

N = 160
PLAIN = [Recall(k=1), CMC(k=5), ShareFound(k=4), Precision(k=30), RPrecision(), MAPAtR(), MAP(), MAP(k=7), MRR(), MINP(),
         TripletAccuracy(), LabelDistance(k=6)]  # fmt: skip
GRADED = [NDCG(), NDCG(k=9), NDCG(k=5, gain=ExponentialGain(grades=2)), NDCG(k=5, gain=DistanceGain()),
          NDCG(gain=DistanceGain()), ASI(), ASI(k=3), HierarchicalAP()]  # fmt: skip
ALONE = torch.arange(N)


def labels(kind):
    """Classes with singletons and unknown ones; a tree of them; two targets."""
    y = torch.randint(0, 30, (N,))
    if kind is close_targets:
        return torch.rand(N, 2) * 3
    return torch.stack([y // 5, y], 1) if kind is label_tree else y


def value(metric, z, y, kind, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = isometry.evaluate(z, y, [metric], relate=kind, samples=0, similarity="euclidean", **settings)
    return found[repr(metric)]


CASES = [(metric, kind) for metric in PLAIN + GRADED for kind in (None, label_tree)]
CASES += [(metric, close_targets) for metric in PLAIN + GRADED if repr(metric) != "HierarchicalAP()"]  # it wants levels


@pytest.mark.parametrize(("metric", "kind"), CASES, ids=lambda x: getattr(x, "__name__", repr(x)))
def test_evaluation_is_the_metric_on_the_matrix(metric, kind):
    z, y = torch.randn(N, 6), labels(kind)
    if kind is None and not metric.needs_gaps:
        y[:3] = -1
    rel = (kind or same_class)(y, y).without_self(ALONE, ALONE)
    exact = metric(-torch.cdist(z.double(), z.double()), rel)
    torch.testing.assert_close(value(metric, z, y, kind).per_query, exact, equal_nan=True, atol=2e-6, rtol=0)


def groups(sim, rel, metric):
    """All equals of a similarity matrix, a row for each query."""
    rel = by_grade(rel) if metric.graded else rel
    match, sim = (rel.pos > 0) & rel.other, sim.masked_fill(~rel.other, -torch.inf)
    at = sim[:, None] == sim[sim > -torch.inf].unique().flip(0)[None, :, None]
    worth, more = rel.affinity.double() * match, {}
    if metric.graded:
        more = {"gain": (at * worth[:, None]).sum(2), "best": worth.sort(1, descending=True).values}
    if metric.needs_gaps:
        more = {"gap": (at * rel.gap.double()[:, None]).sum(2)}
    return Ties(at.sum(2), (at & match[:, None]).sum(2), match.sum(1), rel.other.sum(1), **more)


@pytest.mark.parametrize("kind", [None, label_tree], ids=["classes", "tree"])
@pytest.mark.parametrize("metric", [*PLAIN, NDCG(k=9)], ids=repr)
def test_evaluation_is_the_mean_over_the_orders_of_equals(metric, kind):
    z, y = torch.randint(0, 3, (N, 3)).float(), labels(kind)
    rel = (kind or same_class)(y, y).without_self(ALONE, ALONE)
    sim = -torch.cdist(z.double(), z.double(), compute_mode="donot_use_mm_for_euclid_dist").float()
    found = value(metric, z, y, kind)
    exact = torch.where(found.per_query.isnan(), torch.nan, metric.expected(groups(sim, rel, metric)).float())
    torch.testing.assert_close(found.per_query, exact, equal_nan=True, atol=2e-6, rtol=0)
    assert found.least - 1e-6 <= found.value <= found.most + 1e-6


@pytest.mark.parametrize("metric", PLAIN, ids=repr)
def test_a_collapsed_model_is_at_chance_through_evaluation(metric):
    y = torch.arange(N) // 8
    one = Ties(
        *(torch.tensor([[x]]) for x in (N - 1, 7)),
        torch.tensor([7]),
        torch.tensor([N - 1]),
        gap=torch.tensor([[N - 8.0]]),
    )
    found = value(metric, torch.ones(N, 4), y, None)
    assert found.value == pytest.approx(metric.expected(one).item(), abs=1e-6)

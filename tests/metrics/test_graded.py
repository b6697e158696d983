"""Metrics of graded relevance: label trees and label distances, against loops and numbers worked by hand."""

import math

import pytest
import torch

from isometry.losses import Soft
from isometry.losses.step import Heaviside
from isometry.metrics import ASI, MAP, NDCG, AffinityGain, DistanceGain, ExponentialGain, HierarchicalAP
from isometry.metrics.metric import Ranking
from isometry.relation import Relation
from isometry.relations import CloseTargets, label_tree, same_class


def dcg(gains):
    return sum(gain / math.log2(2 + i) for i, gain in enumerate(gains))


def tree(n=40, levels=3, branches=3):
    """Paths of which some are unknown, ids that some share, and scores with ties."""
    paths, ids = torch.randint(0, branches, (n, levels)), torch.randperm(n + 5)[:n] // 2
    paths[:2, -1] = -1
    return paths, ids, torch.randint(0, 25, (n, n)).double(), label_tree(paths, paths).without_self(ids, ids)


def shared(paths, ids, sim, i):
    """How many leading levels each other item shares with item i, most similar first; 0 where that is unknown."""
    others = sorted((j for j in range(len(paths)) if ids[j] != ids[i]), key=lambda j: (-sim[i, j].item(), j))
    whole = paths.shape[1]
    known = [bool(paths[i, -1] != -1 and paths[j, -1] != -1) for j in others]
    common = [next((d for d in range(whole) if paths[i, d] != paths[j, d]), whole) for j in others]
    return [c if k else 0 for c, k in zip(common, known, strict=True)]


def check(metric, loop, levels=3):
    paths, ids, sim, rel = tree(levels=levels)
    values = metric(sim, rel)
    for i in range(len(paths)):
        common = shared(paths, ids, sim, i)
        if any(common):
            assert values[i].item() == pytest.approx(loop(common), abs=1e-6)
        else:
            assert values[i].isnan()


def hap(common, levels=3, alpha=1.0):
    """Equations 2 and 3 of the paper, as sums over pairs."""
    many = {level: common.count(level) for level in range(1, levels + 1)}
    rel = [(c / levels) ** alpha / many[c] if c else 0 for c in common]
    total = 0.0
    for k, worth in enumerate(rel):
        if worth:
            total += (worth + sum(min(rel[j], worth) for j in range(k))) / (k + 1)
    return total / sum(rel)


@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_hierarchical_ap_of_a_tree(alpha):
    check(HierarchicalAP(alpha=alpha), lambda common: hap(common, alpha=alpha))


def test_hierarchical_ap_by_hand():
    """Two of the genus and one of the species: rel = 1/4, 1, 1/4. In the order genus, other, species, genus:
    h = 1/4, 1 + 1/4, 1/4 + 1/4 + 1/4 at the ranks 1, 3, 4."""
    ranks, worth = torch.tensor([[1, 3, 4]]), torch.tensor([[0.5, 1.0, 0.5]])
    ranking = Ranking(
        torch.ones(1, 1, dtype=torch.bool), torch.tensor([3]), torch.tensor([1]), ranks=ranks, worth=worth
    )
    value = HierarchicalAP().per_query(ranking)
    assert value.item() == pytest.approx((0.25 + 1.25 / 3 + 0.75 / 4) / 1.5)


def test_levels_of_equal_worth_count_once():
    """One item shares one of two levels, two share both: every rel is 1/2, and the value is plain average precision.
    The released code counts each level for the other: it would give more than 1."""
    ranks, worth = torch.tensor([[1, 2, 4]]), torch.tensor([[0.5, 1.0, 1.0]])
    ranking = Ranking(
        torch.ones(1, 1, dtype=torch.bool), torch.tensor([3]), torch.tensor([1]), ranks=ranks, worth=worth
    )
    assert HierarchicalAP().per_query(ranking).item() == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_hierarchical_ap_of_classes_is_average_precision():
    sim, y = torch.rand(30, 50), torch.randint(0, 8, (80,))
    rel = same_class(y[:30], y[30:])
    torch.testing.assert_close(HierarchicalAP()(sim, rel), MAP()(sim, rel), equal_nan=True)


def test_hierarchical_ap_refuses_labels_without_levels():
    targets = torch.rand(100)
    with pytest.raises(ValueError, match="label trees"):
        HierarchicalAP()(torch.rand(100, 100), CloseTargets(radius=1.0)(targets, targets))


def asi(common, k=None):
    """Sets are counted level by level; items that share nothing never count."""
    perfect = sorted(common, reverse=True)
    last = min(sum(c > 0 for c in common), k or len(common))
    total = 0.0
    for i in range(1, last + 1):
        total += sum(min(common[:i].count(v), perfect[:i].count(v)) for v in set(common) - {0}) / i
    return total / last


@pytest.mark.parametrize("k", [None, 1, 3, 1000])
def test_average_set_intersection_of_a_tree(k):
    check(ASI(k=k), lambda common: asi(common, k))


def test_average_set_intersection_of_classes_is_the_mean_of_precisions():
    sim, y = torch.rand(1, 40), torch.arange(40) % 3
    rel = same_class(y[:1], y)
    hits = rel.pos[0][sim[0].argsort(descending=True)].tolist()
    precisions = [sum(hits[:i]) / i for i in range(1, sum(hits) + 1)]
    assert ASI()(sim, rel).item() == pytest.approx(sum(precisions) / len(precisions), abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 1000, None])
@pytest.mark.parametrize("gain", [AffinityGain(), ExponentialGain(grades=3)], ids=repr)
def test_graded_gains_of_a_tree(k, gain):
    def loop(common):
        worth = [float(gain(torch.tensor(c / 3, dtype=torch.float64))) for c in common]
        return dcg(worth[:k]) / dcg(sorted(worth, reverse=True)[:k])

    check(NDCG(k=k, gain=gain), loop)


def test_soft_exponential_gains_with_hard_steps_are_the_metric():
    z, paths = torch.nn.functional.normalize(torch.randn(30, 4, dtype=torch.float64)), torch.randint(0, 3, (30, 2))
    metric, ids = NDCG(k=6, gain=ExponentialGain(grades=2)), torch.arange(30)
    exact = metric(z @ z.T, label_tree(paths, paths).without_self(ids, ids))
    hard = Soft(metric=metric, step=Heaviside(), cut=Heaviside(), relate=label_tree)
    assert hard(z, paths).item() == pytest.approx(1 - exact.nanmean().item(), abs=1e-6)


def test_exponential_gains_by_hand():
    """Levels 1, 2, 0 in common are worth 1, 3, 0: (1 + 3 / log2 3) / (3 + 1 / log2 3)."""
    paths = torch.tensor([[0, 0], [0, 1], [0, 0], [1, 1]])
    rel, sim = label_tree(paths[:1], paths[1:]), torch.tensor([[0.9, 0.8, 0.7]])
    value = NDCG(gain=ExponentialGain(grades=2))(sim, rel).item()
    assert value == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)), abs=1e-6)
    assert value < NDCG()(sim, rel).item()  # a wrong order costs more


@pytest.mark.parametrize("k", [2, 7, None])
def test_gains_by_label_distance(k):
    """1 / (1 + D) of every item of known label, whether it is a match or not."""
    targets = torch.rand(30, 2) * 5
    targets[4] = torch.nan
    sim, ids = torch.rand(30, 30), torch.arange(30)
    rel = CloseTargets(radius=0.01)(targets, targets).without_self(ids, ids)
    values = NDCG(k=k, gain=DistanceGain())(sim, rel)
    for i in range(30):
        others = sorted((j for j in range(30) if j != i), key=lambda j: -sim[i, j].item())
        worth = [(1 / (1 + (targets[i] - targets[j]).norm().item())) if j != 4 else 0 for j in others]
        if i == 4:
            assert values[i].isnan()
        else:
            assert values[i].item() == pytest.approx(dcg(worth[:k]) / dcg(sorted(worth, reverse=True)[:k]), abs=1e-6)


def test_label_distances_0_1_3():
    """Retrieved in the order 1, 0, 3: (1/2 + 1/log2 3 + 1/4/2) / (1 + 1/2/log2 3 + 1/4/2) (Kim et al., CVPR 2019)."""
    gap, sim = torch.tensor([[0.0, 1.0, 3.0]]), torch.tensor([[0.8, 0.9, 0.7]])
    rel = Relation(gap=lambda: gap, pos=lambda: gap < 1, neg=lambda: gap >= 1)
    assert NDCG(gain=DistanceGain())(sim, rel).item() == pytest.approx(1.2559 / 1.4405, abs=1e-4)
    assert NDCG()(sim, Relation(affinity=lambda: 1 / (1 + gap))).item() == pytest.approx(0.8719, abs=1e-4)


def test_gains_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="grades is above 0"):
        ExponentialGain(grades=0)

"""Agreement of two partitions: scikit-learn as oracle, numbers by hand, and sizes that no dense table could hold."""

import itertools

import numpy as np
import pytest
import torch
from sklearn import metrics

from isometry.ops.contingency import (
    adjusted_mutual_information,
    adjusted_rand_index,
    contingency,
    expected_mutual_information,
    mutual_information,
    normalized_mutual_information,
    pairwise_f1,
)

ORACLES = {
    normalized_mutual_information: metrics.normalized_mutual_info_score,
    adjusted_mutual_information: metrics.adjusted_mutual_info_score,
    adjusted_rand_index: metrics.adjusted_rand_score,
}


def partitions():
    for n, clusters, classes in ((1, 1, 1), (2, 2, 1), (2, 1, 2), (30, 3, 30), (200, 7, 12), (3000, 40, 900)):
        yield torch.randint(clusters, (n,)) * 10**12, torch.randint(classes, (n,)) - 5
    alike = torch.randint(5, (50,))
    yield alike, (alike + 1) % 5
    yield torch.arange(20), torch.zeros(20, dtype=torch.int64)
    yield torch.arange(20), torch.arange(20).flip(0)
    yield torch.arange(16) // 4, torch.arange(16) % 4


@pytest.mark.parametrize(("ours", "theirs"), ORACLES.items(), ids=lambda f: f.__name__)
def test_equals_scikit_learn(ours, theirs):
    for cluster, y in partitions():
        assert ours(contingency(cluster, y)) == pytest.approx(theirs(y.numpy(), cluster.numpy()), abs=1e-9)


def test_f1_equals_its_definition_over_pairs():
    for cluster, y in partitions():
        if len(y) > 300:
            continue
        pairs = list(itertools.combinations(range(len(y)), 2))
        both = sum(bool(cluster[i] == cluster[j] and y[i] == y[j]) for i, j in pairs)
        one, other = (sum(bool(x[i] == x[j]) for i, j in pairs) for x in (cluster, y))
        expected = 2 * both / (one + other) if one + other else 1.0
        assert pairwise_f1(contingency(cluster, y)) == pytest.approx(expected)


def test_expected_information_is_the_mean_over_all_orders_of_the_labels():
    """Four items, all 24 permutations."""
    cluster, y = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 2])
    values = [mutual_information(contingency(cluster, y[list(p)])) for p in itertools.permutations(range(4))]
    assert expected_mutual_information(contingency(cluster, y)) == pytest.approx(np.mean(values), abs=1e-12)


def test_by_hand():
    """H(K) = log 2, H(Y) = 1.5 log 2, I = log 2: 2 / 2.5."""
    counts = contingency(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 2]))
    assert normalized_mutual_information(counts) == pytest.approx(0.8)
    assert pairwise_f1(counts) == pytest.approx(2 / 3)


def test_labels_dealt_at_random_deceive_nmi_and_nothing_else():
    """60,000 items in 15,000 clusters and classes: a dense table would have 225 million cells."""
    cluster, y = torch.randint(15000, (2, 60000))
    counts = contingency(cluster, y)
    assert len(counts.joint) <= 60000
    assert normalized_mutual_information(counts) == pytest.approx(0.84, abs=0.005)
    assert adjusted_mutual_information(counts) == pytest.approx(0, abs=0.005)
    assert adjusted_rand_index(counts) == pytest.approx(0, abs=0.001)
    assert pairwise_f1(counts) == pytest.approx(0, abs=0.001)
    few = contingency(cluster % 100, y % 100)
    assert normalized_mutual_information(few) == pytest.approx(0.018, abs=0.002)

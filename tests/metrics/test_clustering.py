"""Clustering measures of a space: what they say of good, random and collapsed spaces."""

import pytest
import torch
from sklearn import metrics

from isometry.metrics.clustering import AMI, ARI, NMI, ClusterF1
from isometry.ops.cluster import kmeans
from isometry.ops.safe import normalize
from tests.metrics.spaces import by_distance, classes, rotation, space

ALL = [NMI(), AMI(), ARI(), ClusterF1()]


@pytest.mark.parametrize(
    ("statistic", "oracle"),
    [
        (NMI(seeds=3), metrics.normalized_mutual_info_score),
        (AMI(seeds=3), metrics.adjusted_mutual_info_score),
        (ARI(seeds=3), metrics.adjusted_rand_score),
    ],
    ids=["NMI", "AMI", "ARI"],
)
def test_is_the_mean_of_the_oracle_over_starts_without_unknown_items(statistic, oracle):
    z, y = classes(8, 12, 5, 0.7)
    y[:10] = -1
    known = y != -1
    found = statistic.measure(space(z, y, seed=4))
    rows = y[known].argsort(stable=True)
    values = []
    for seed in range(4, 7):
        label = kmeans(normalize(z[known][rows]), 8, seed=seed)
        values.append(oracle(y[known][rows].numpy(), label.numpy()))
    assert found.value == pytest.approx(sum(values) / 3, abs=1e-6)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("statistic", ALL, ids=repr)
def test_classes_that_lie_apart_are_found_and_collapse_and_chance_score_nothing(statistic):
    z, y = classes(2, 30, 16, 0.01)
    assert statistic.measure(space(z, y)).value == pytest.approx(1)
    z, y = classes(6, 30, 16, 0.01)
    one_cluster = 2 * (6 * 435) / (180 * 179 / 2 + 6 * 435) if statistic is ALL[3] else 0  # F1: every class is together
    assert statistic.measure(space(torch.ones_like(z), y)).value == pytest.approx(one_cluster, abs=1e-9)
    random = statistic.measure(space(torch.randn(2000, 16), torch.randint(500, (2000,)))).value
    assert random > 0.6 if statistic is ALL[0] else abs(random) < 0.02


def test_lengths_do_not_count_for_the_cosine_and_do_for_distances():
    z, y = classes(5, 20, 8, 0.5)
    stretched = z * torch.rand(100, 1).exp()
    assert NMI().measure(space(z, y)) == NMI().measure(space(stretched, y))
    assert NMI().measure(by_distance(z, y)) != NMI().measure(by_distance(stretched, y))
    assert AMI().measure(space(z @ rotation(8), y)).value == pytest.approx(AMI().measure(space(z, y)).value, abs=0.05)


def test_four_measures_share_one_clustering_and_one_start_has_no_interval():
    z, y = classes(5, 20, 8, 0.5)
    one = space(z, y)
    for statistic in ALL:
        statistic.measure(one)
    assert len([name for name in one.made if name[0] == "clusters"]) == 5
    assert NMI(seeds=1).measure(one).low != NMI(seeds=1).measure(one).low  # NaN


def test_an_item_that_is_query_and_gallery_counts_once():
    z, y = classes(4, 10, 8, 0.3)
    twice = space(
        torch.cat([z, z[:15]]), torch.cat([y, y[:15]]), ids=torch.cat([torch.arange(40), torch.arange(15)]),
        query=torch.arange(40, 55), gallery=torch.arange(40),
    )  # fmt: skip
    assert NMI().measure(twice) == NMI().measure(space(z, y))


def test_what_cannot_be_clustered_is_refused_in_one_line():
    z, y = classes(3, 4, 2, 0.3)
    with pytest.raises(ValueError, match="NMI needs 2 or more classes with known labels, and there are 1"):
        NMI().measure(space(z, torch.zeros_like(y)))
    with pytest.raises(ValueError, match="there are 0"):
        AMI().measure(space(z, torch.full_like(y, -1)))
    with pytest.raises(ValueError, match=r"NMI\(k=13\) makes 13 clusters of 12 items"):
        NMI(k=13).measure(space(z, y))
    with pytest.raises(ValueError, match="label sets"):
        NMI().measure(space(z, torch.ones(12, 3, dtype=torch.bool)))
    with pytest.raises(ValueError, match="1 or more"):
        NMI(seeds=0)


def test_paths_of_a_tree_are_classes_and_other_labels_are_refused():
    z, y = classes(4, 10, 8, 0.3)
    paths = torch.stack([y // 2, y], 1)
    assert NMI().measure(space(z, paths)) == NMI().measure(space(z, y))
    with pytest.raises(ValueError, match="continuous labels"):
        NMI().measure(space(z, y.float()))

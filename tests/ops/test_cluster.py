"""k-means: the fixed points of Lloyd's iterations."""

import pytest
import torch

from isometry.ops import cluster
from isometry.ops.cluster import kmeans
from isometry.ops.neighbours import by_torch


def inertia(x, label, k):
    mean = torch.zeros(k, x.shape[1]).double().index_add_(0, label, x.double())
    mean /= torch.bincount(label, minlength=k).clamp_min(1)[:, None]
    return float((x.double() - mean[label]).square().sum()), mean


@pytest.mark.parametrize("k", [1, 2, 7, 60])
def test_every_item_is_with_its_nearest_mean(k, monkeypatch):
    """Comparing only what moved must give what comparing everything gives: a fixed point, to rounding."""
    monkeypatch.setattr(cluster, "ROUNDS", 500)
    x = torch.randn(400, 3) + 5
    label = kmeans(x, k, seed=0)
    _, mean = inertia(x, label, k)
    distance = torch.cdist(x.double(), mean).square()
    own = distance.gather(1, label[:, None])[:, 0]
    assert (own <= distance.amin(1) + 1e-5).all()
    assert len(label.unique()) == k


def test_is_as_good_as_scikit_learn_from_the_same_items():
    from sklearn.cluster import KMeans

    x = torch.randn(500, 4)
    for seed in range(3):
        start = x[torch.randperm(500, generator=torch.Generator().manual_seed(seed))[:12]].numpy()
        theirs = KMeans(12, init=start, n_init=1, max_iter=cluster.ROUNDS, tol=0, algorithm="lloyd").fit(x.numpy())
        assert inertia(x, kmeans(x, 12, seed=seed), 12)[0] == pytest.approx(theirs.inertia_, rel=0.01)


def test_finds_clusters_that_lie_apart_whatever_the_order_and_the_search():
    centre = 100 * torch.eye(6)
    y = torch.arange(6).repeat_interleave(20)
    x = centre[y] + torch.randn(120, 6)
    best = min((kmeans(x, 6, seed=s) for s in range(8)), key=lambda label: inertia(x, label, 6)[0])
    assert len({(int(a), int(b)) for a, b in zip(best, y, strict=True)}) == 6
    torch.testing.assert_close(kmeans(x, 6, seed=3), kmeans(x, 6, seed=3, propose=by_torch))
    torch.testing.assert_close(kmeans(x, 6, seed=3), kmeans(x, 6, seed=3, memory="1 KB"))


def test_duplicates_fill_no_more_clusters_than_they_are():
    x = torch.tensor([[0.0, 1.0], [3.0, 4.0]]).repeat_interleave(10, 0)
    label = kmeans(x, 5, seed=0)
    assert len(label.unique()) == 2
    assert (label[:10] == label[0]).all()
    assert (label[10:] == label[10]).all()
    assert len(kmeans(torch.ones(8, 2), 3, seed=0).unique()) == 1


def test_a_centre_without_items_goes_where_items_are_far():
    """A thousand copies of one point draw all starts; the two points far away get clusters all the same."""
    x = torch.cat([torch.zeros(1000, 2), torch.tensor([[50.0, 0.0], [0.0, 70.0]])])
    label = kmeans(x, 3, seed=1)
    assert len({int(label[0]), int(label[1000]), int(label[1001])}) == 3


def test_as_many_clusters_as_items_and_too_many():
    assert len(kmeans(torch.randn(9, 2), 9, seed=0).unique()) == 9
    for k in (0, 10):
        with pytest.raises(ValueError, match=f"got k={k}"):
            kmeans(torch.randn(9, 2), k, seed=0)

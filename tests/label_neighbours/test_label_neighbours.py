import numpy as np
import pytest
import torch

from isometry.label_metric import Bound, LabelMetric
from isometry.label_neighbours import label_neighbours
from isometry.relations import By, Circular, CloseTargets, Joints, Layouts, Places

NONE = np.iinfo(np.uint32).max


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def by_hand(y, metric, k):
    """All distances; equal labels in turn from the item on, then label by label as they first appear."""
    d = metric.distances(y, y).numpy()
    texts = [row.tobytes() for row in y.numpy()]
    first = np.array([texts.index(t) for t in texts])
    n, lists = len(y), []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        others.sort(key=lambda j: (d[i, j], first[j] != first[i], first[j], (j - i) % n))
        lists.append(others[:k])
    return np.array(lists), np.take_along_axis(d, np.array(lists), 1)


class Loose(LabelMetric):
    """Euclidean distance of numbers, bounded no better than is said; `power` other than 1 bounds its square."""

    least: float = 0.2

    def gap(self, rows, cols):
        return torch.cdist(rows, cols, compute_mode="donot_use_mm_for_euclid_dist")

    def bound(self, labels):
        return Bound(labels, self.least, 1.0)


class Wavy(LabelMetric):
    """D = ‖v − w‖² (1.5 + sin(50 ‖v − w‖)) / 2: the bound's order is not that of D."""

    def gap(self, rows, cols):
        far = torch.cdist(rows, cols, compute_mode="donot_use_mm_for_euclid_dist")
        return far**2 * (1.5 + torch.sin(50 * far)) / 2

    def bound(self, labels):
        return Bound(labels, 0.25, 1.25, 2.0)


class Unbounded(Loose):
    """No bound may be asked for."""

    def bound(self, labels):
        raise MemoryError


def far(a, b):
    return (a[:, None] - b[None]).abs().sum(-1) ** 0.5


@pytest.mark.parametrize(
    "metric",
    [CloseTargets(), Joints(), Loose(), Wavy(), Circular(period=3.0), Layouts(regions=3)],
    ids=lambda m: type(m).__name__,
)
def test_the_nearest_of_all_are_found(metric):
    y = normal(1500, 4) if not isinstance(metric, Layouts) else (3 * torch.rand(400, 9)).floor()
    found = label_neighbours(y, metric, 4)
    assert found.exact
    assert found.recall is None
    truth = metric.distances(y, y)
    truth[torch.arange(len(y)), torch.arange(len(y))] = torch.inf
    expected = truth.topk(4, largest=False).values.numpy()
    np.testing.assert_allclose(found.distance, expected, rtol=1e-5, atol=1e-6)
    claimed = truth.numpy()[np.arange(len(y))[:, None], found.index]
    np.testing.assert_allclose(claimed, found.distance, rtol=1e-5, atol=1e-6)


def test_a_shortlist_in_another_order_proves_no_more_than_it_may():
    y = normal(3000, 2)
    found, metric = label_neighbours(y, Wavy(), 1), Wavy()
    truth = metric.distances(y, y).fill_diagonal_(torch.inf).min(1).values.numpy()
    np.testing.assert_allclose(found.distance[:, 0], truth, rtol=1e-4)
    nearest_by_vector = torch.cdist(y, y).fill_diagonal_(torch.inf).argmin(1).numpy()
    assert (found.index[:, 0] != nearest_by_vector).mean() > 0.05


@pytest.mark.parametrize("metric", [CloseTargets(), Loose(), Joints(coordinates=1)], ids=lambda m: type(m).__name__)
def test_equal_labels_and_equal_distances_come_in_one_order(metric):
    y = torch.from_numpy(np.random.default_rng(1).integers(0, 4, (150, 2))).float()
    index, distance = by_hand(y, metric, 7)
    found = label_neighbours(y, metric, 7)
    assert np.array_equal(found.index, index)
    np.testing.assert_allclose(found.distance, distance, atol=1e-6)


def test_a_few_values_do_not_give_all_the_same_neighbours():
    y = torch.from_numpy(np.random.default_rng(2).integers(0, 50, 20_000)).float()
    found = label_neighbours(y, CloseTargets(), 3)
    assert (found.distance == 0).all()
    assert np.bincount(found.index.ravel(), minlength=len(y)).max() == 3


def test_a_grid_of_ties_wider_than_every_shortlist():
    y = torch.cartesian_prod(*[torch.arange(2.0)] * 11)  # each has 11 at distance 1
    found = label_neighbours(y, CloseTargets(), 2)
    assert (found.distance == 1).all()
    lowest = [sorted(i ^ (1 << bit) for bit in range(11))[:2] for i in range(len(y))]
    assert np.array_equal(found.index, lowest)


def test_large_numbers_are_told_apart():
    y = (
        1.7e9
        + torch.arange(3000, dtype=torch.float64)[torch.randperm(3000, generator=torch.Generator().manual_seed(0))] ** 2
    )
    found = label_neighbours(y, CloseTargets(), 1)
    truth = (y[:, None] - y[None]).abs().fill_diagonal_(torch.inf).min(1).values
    np.testing.assert_allclose(found.distance[:, 0], truth.numpy())


def all_distances(y, metric, k):
    apart = metric.distances(y, y)
    return apart.fill_diagonal_(torch.inf).topk(k, largest=False).values.float().numpy()


@pytest.mark.parametrize("span", [1e-4, 3e-4, 0.3])
def test_places_of_one_town_are_proven_truly(span):
    """The earth's radius is 6371 km, and these lie metres apart: rounding is as large as what is told apart."""
    y = torch.tensor([10.0, 0.0]) + span * torch.rand(2000, 2, generator=torch.Generator().manual_seed(1))
    found, metric = label_neighbours(y, Places(), 1, exact=True), Places()
    np.testing.assert_allclose(found.distance, all_distances(y, metric, 1), rtol=1e-6)


@pytest.mark.parametrize("turns", [0.001, 1.0, 3000.0])
def test_hours_of_many_turns_are_proven_truly(turns):
    y = 24 * turns * torch.rand(3000, 1, generator=torch.Generator().manual_seed(2))
    np.testing.assert_allclose(label_neighbours(y, Circular(), 3).distance, all_distances(y, Circular(), 3), rtol=1e-6)


def test_no_bound_is_made_where_no_shortlist_is_tried():
    assert label_neighbours(normal(60, 3), Unbounded(), 2).exact
    with pytest.raises(MemoryError):
        label_neighbours(normal(3000, 3), Unbounded(), 2)


def test_unknown_labels_have_no_neighbours_and_are_nobodys():
    y = normal(300, 3)
    y[::3, 1] = torch.nan
    found = label_neighbours(y, CloseTargets(), 4)
    assert (found.index[::3] == NONE).all()
    assert np.isinf(found.distance[::3]).all()
    others = np.delete(found.index, np.s_[::3], 0)
    assert (others % 3 != 0).all()
    none = label_neighbours(torch.full((5, 2), torch.nan), CloseTargets(), 2)
    assert (none.index == NONE).all()


def test_fewer_others_than_are_asked_for():
    found = label_neighbours(torch.tensor([0.0, 3.0, 1.0, 1.0]), CloseTargets(), 5)
    assert found.index[:, 3:].tolist() == [[NONE] * 2] * 4
    assert found.index[:, :3].tolist() == [[2, 3, 1], [2, 3, 0], [3, 0, 1], [2, 0, 1]]
    assert found.distance[0].tolist() == [1, 1, 3, np.inf, np.inf]


@pytest.mark.parametrize("metric", [CloseTargets(), Joints(), Loose(least=0.0), By(distance=far)], ids=repr)
def test_an_index_finds_what_it_says(metric):
    y = normal(1500, 4)
    found = label_neighbours(y, metric, 5, exact=False, recall=0.9)
    assert not found.exact
    truth = label_neighbours(y, metric, 5, exact=True).distance
    share = (found.distance <= truth[:, -1:] * (1 + 1e-5)).mean()
    assert share > 0.85
    assert found.recall.low <= share <= found.recall.high
    again = label_neighbours(y, metric, 5, exact=False, recall=0.9)
    assert np.array_equal(again.index, found.index)
    assert again.recall == found.recall


def test_an_index_over_a_few_labels_and_over_copies():
    y = normal(40, 3).repeat_interleave(5, 0)
    found = label_neighbours(y, CloseTargets(), 6, exact=False, recall=1.0)
    truth = label_neighbours(y, CloseTargets(), 6)
    assert np.array_equal(found.distance[:, :4], truth.distance[:, :4])
    assert (found.index != np.arange(len(y))[:, None]).all()
    assert len(label_neighbours(y[:2], CloseTargets(), 1, exact=False).index) == 2


def test_bad_input_is_one_line():
    with pytest.raises(ValueError, match="k is 1 or more"):
        label_neighbours(normal(5, 2), CloseTargets(), 0)
    with pytest.raises(ValueError, match=r"labels some; got k=5, recall=0\.95, 0 labels"):
        label_neighbours(normal(0, 2), CloseTargets())
    with pytest.raises(ValueError, match="Joints reads 2 numbers a joint"):
        label_neighbours(normal(5, 3), Joints())

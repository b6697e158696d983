"""Overlaps, sparse rows and the items of a search, against loops."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isometry.ops.geometry import farthest, pair_similarity
from isometry.ops.knn_graph import all_items, around
from isometry.ops.overlap import at_least, overlaps
from isometry.ops.ranking import inner, minus_distance
from isometry.ops.sparse import from_lists, largest, lists, normalised


@pytest.mark.parametrize("memory", ["1 KB", "512 MB"])
def test_overlaps_are_those_of_a_double_loop(memory):
    a, b = (np.random.default_rng(s).random((n, 12)) for s, n in ((0, 23), (1, 31)))
    a, b = a * (a > 0.7), b * (b > 0.7)
    a[4] = b[5] = 0  # rows that meet nobody
    found = np.zeros((23, 31))
    for rows, sums in overlaps(csr_array(a), csr_array(b), memory=memory):
        row, item, shared = at_least(sums, torch.full((sums.shape[0],), 1e-12, dtype=torch.float64))
        assert bool(((row * 31 + item).diff() > 0).all())
        pairs = (row + rows.start).numpy(), item.numpy()
        assert not found[pairs].any()
        found[pairs] = shared
    expected = [[np.minimum(x, y).sum() for y in b] for x in a]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_overlaps_with_nobody():
    empty = csr_array((3, 4))
    assert sum(sums.nnz for _, sums in overlaps(empty, empty)) == 0


def test_overlaps_and_what_is_besides_and_no_smaller_than_a_bound():
    a, b = csr_array([[0.5, 0.5, 0], [0, 0, 1.0]]), csr_array([[1.0, 0, 0], [0.2, 0.8, 0], [0, 0.7, 0.3]])
    besides = csr_array([[2.0, 0, 0], [0, 2.0, 0]])
    ((rows, sums),) = overlaps(a, b, besides)
    assert rows == slice(0, 2)
    np.testing.assert_allclose(sums.toarray(), [[2.5, 0.7, 0.5], [0, 2, 0.3]])
    row, item, shared = at_least(sums, torch.tensor([0.6, 0.1], dtype=torch.float64))
    assert [row.tolist(), item.tolist()] == [[0, 0, 1, 1], [0, 1, 1, 2]]
    np.testing.assert_allclose(shared, [2.5, 0.7, 2, 0.3])


@pytest.mark.parametrize("keep", [1, 3, 20])
def test_largest_entries_of_rows(keep):
    a = np.random.default_rng(0).integers(0, 4, (15, 9)).astype(float)
    expected = np.zeros_like(a)
    for row, kept in zip(a, expected, strict=True):
        first = (-row).argsort(kind="stable")[:keep]
        kept[first] = row[first]
    np.testing.assert_array_equal(largest(csr_array(a), keep).toarray(), expected)
    weight, index = lists(csr_array(a), keep)
    for row, w, i in zip(a, weight.numpy(), index.numpy(), strict=True):
        there = i >= 0
        np.testing.assert_array_equal(row[i[there]], w[there])
        np.testing.assert_array_equal(w[there], np.sort(row[row > 0])[::-1][:keep])


def test_lists_become_rows():
    index, weight = torch.tensor([[2, -1], [0, 1], [-1, -1]]), torch.tensor([[0.5, 9.0], [1.0, 2.0], [9.0, 9.0]])
    np.testing.assert_array_equal(from_lists(index, weight, 3).toarray(), [[0, 0, 0.5], [1, 2, 0], [0, 0, 0]])


def test_normalised_rows_and_nodes_without_edges():
    w = np.array([[0.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    s = normalised(csr_array(w)).toarray()
    np.testing.assert_allclose(s, [[0, 2 / 8**0.5, 0], [2 / 8**0.5, 0.5, 0], [0, 0, 0]])


@pytest.mark.parametrize("similarity", [inner, minus_distance, lambda q, g: -torch.cdist(q, g, p=1)])
def test_farthest_and_pairs(similarity):
    x = torch.nn.functional.normalize(torch.randn(300, 6), dim=1)
    sim = similarity(x.double(), x.double())
    squared = 2 - 2 * sim if similarity is inner else sim.square()
    torch.testing.assert_close(farthest(x, similarity, "100 KB"), squared.amax(1), rtol=1e-6, atol=1e-6)
    row, col = torch.randint(300, (2, 50))
    torch.testing.assert_close(pair_similarity(x, x, row, col, similarity, "1 KB"), sim[row, col])


def test_a_query_is_a_gallery_item_by_id_and_vector():
    g = torch.randn(6, 3)
    g[3] = g[1]
    ids_g = torch.tensor([10, 11, 11, 12, 13, 14])
    q = torch.stack([g[2], g[3], g[0], g[4]])
    items = all_items(q, g, torch.tensor([11, 11, 99, 13]), ids_g)
    assert items.of_q.tolist() == [2, 1, 6, 4]
    assert torch.equal(items.x[:6], g)
    assert torch.equal(items.x[items.of_q], q)
    assert all_items(q, g).of_q.tolist() == [6, 7, 8, 9]


def test_nobody_is_around_itself():
    x = torch.ones(5, 2)
    assert around(x, 2)[1].tolist() == [[1, 2], [2, 3], [3, 4], [4, 0], [0, 1]]
    assert around(x[:1], 3)[1].shape == (1, 0)

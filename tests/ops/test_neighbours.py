"""Neighbours are those of a double loop in float64, whichever search proposed them."""

import importlib.util

import pytest
import torch

from isometry.ops.neighbours import by_faiss, by_torch, nearest, search
from isometry.ops.ranking import inner, minus_distance

needs_faiss = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="faiss is not installed")
SEARCHES = [pytest.param(by_faiss, marks=needs_faiss), by_torch]
SIMILARITIES = [inner, minus_distance]
M = 1500


def gallery(kind: str, d: int) -> torch.Tensor:
    g = torch.randn(M, d)
    return {
        "random": lambda: g,
        "duplicates": lambda: g[torch.randint(300, (M,))],
        "collapsed": lambda: torch.full((M, d), 0.1),
        "nearly collapsed": lambda: 0.1 + 1e-6 * g,
        "few values": lambda: torch.randint(-1, 2, (M, d)).float(),
        "far away": lambda: 100 + 0.01 * g,
    }[kind]()


def double_loop(q, g, k, similarity, ids_q, ids_g, turn=None) -> torch.Tensor:
    """By exact similarity rounded to float32, then by index from the query's turn on; itself left out by id."""
    sim, m = similarity(q.double(), g.double()).float(), len(g)
    found = []
    for i in range(len(q)):
        start = 0 if turn is None else int(turn[i])
        others = [j for j in range(m) if ids_g[j] != ids_q[i]]
        order = sorted(others, key=lambda j: (-sim[i, j].item(), (j - start) % m))[:k]
        found.append(order + [-1] * (k - len(order)))
    return torch.tensor(found)


@pytest.mark.parametrize("kind", ["random", "duplicates", "collapsed", "nearly collapsed", "few values", "far away"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("d", [2, 48])
def test_equals_the_double_loop_from_every_search(kind, similarity, d):
    g = gallery(kind, d)
    q = g[torch.randperm(M)[:25]].clone()
    ids_g = torch.randint(0, M - 30, (M,)) + 2**60
    ids_q, turn = ids_g[torch.randint(M, (25,))], torch.randint(M, (25,))
    expected = double_loop(q, g, 6, similarity, ids_q, ids_g, turn)
    exact = similarity(q.double(), g.double()).gather(1, expected)
    for propose in (by_torch, by_faiss) if importlib.util.find_spec("faiss") else (by_torch,):
        sim, index = nearest(q, g, 6, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, propose=propose)
        assert torch.equal(index, expected), propose.__name__
        torch.testing.assert_close(sim.double(), exact, rtol=1e-3, atol=1e-5 * float(g.square().sum(1).max()))


@pytest.mark.parametrize("propose", SEARCHES)
def test_among_equals_the_lower_index_comes_first(propose):
    g = torch.randn(1, 16).expand(M, 16)
    ids = torch.arange(M)
    index = nearest(g, g, 3, ids_q=ids, ids_g=ids, propose=propose)[1]
    assert index[0].tolist() == [1, 2, 3]
    assert index[1].tolist() == [0, 2, 3]
    assert index[-1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("propose", SEARCHES)
def test_the_query_is_left_out_by_id_wherever_it_ranks(propose):
    g = torch.nn.functional.normalize(torch.randn(M, 8))
    q, ids = -g[:10], torch.arange(M)  # each query is its own farthest item
    index = nearest(q, g, M, ids_q=ids[:10], ids_g=ids, propose=propose)[1]
    assert (index[:, -1] == -1).all()
    assert not (index == ids[:10, None]).any()
    twins = g.repeat(2, 1)  # exact copies with other ids stay in
    index = nearest(twins, twins, 1, ids_q=torch.arange(2 * M), ids_g=torch.arange(2 * M), propose=propose)[1]
    assert torch.equal(index[:, 0], torch.cat([ids + M, ids]))


def test_every_copy_of_an_id_is_left_out():
    g = torch.randn(M, 4)
    ids_g = torch.arange(M) // 5
    index = nearest(g[:50], g, 8, ids_q=ids_g[:50], ids_g=ids_g)[1]
    assert not (ids_g[index] == ids_g[:50, None]).any()
    assert (index >= 0).all()


def test_a_small_gallery_is_padded():
    g = torch.randn(3, 4)
    sim, index = nearest(g, g, 5, ids_q=torch.arange(3), ids_g=torch.arange(3))
    assert index.dtype == torch.int64
    assert (index[:, 2:] == -1).all()
    assert sim[:, 2:].isneginf().all()
    assert (index[:, :2] >= 0).all()
    sim, index = nearest(g, g[:0], 2)
    assert (index == -1).all()
    assert nearest(g[:0], g, 2)[1].shape == (0, 2)


@pytest.mark.parametrize("k", [3, 700])
@pytest.mark.parametrize("similarity", [*SIMILARITIES, lambda z, r: -(z[:, None] - r[None]).abs().sum(-1)])
def test_cut_into_chunks_it_is_the_same(similarity, k):
    g = torch.randn(M, 6)
    whole = nearest(g[:200], g, k, similarity=similarity)
    small = nearest(g[:200], g, k, similarity=similarity, memory="1 MB")
    assert torch.equal(whole[1], small[1])
    torch.testing.assert_close(whole[0], small[0])


@pytest.mark.parametrize("propose", SEARCHES)
def test_a_smaller_budget_makes_smaller_chunks(propose):
    g = torch.randn(M, 6)

    def largest(memory):
        return max(rows.stop - rows.start for rows, *_ in search(g, g, 5, memory=memory, propose=propose))

    assert largest("1 MB") * 200 * 5 <= 2**20
    assert largest("1 MB") < largest("100 MB") == M


def test_low_matrix_precision_changes_nothing():
    g = torch.nn.functional.normalize(torch.randn(M, 64))
    expected = nearest(g, g, 5, propose=by_torch)[1]
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu"):
            assert torch.equal(nearest(g, g, 5, propose=by_torch)[1], expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_bad_input_is_named():
    g = torch.randn(5, 3)
    with pytest.raises(ValueError, match="k=0"):
        nearest(g, g, 0)
    with pytest.raises(ValueError, match="together"):
        nearest(g, g, 1, ids_q=torch.arange(5))
    with pytest.raises(ValueError, match="256 MB"):
        nearest(g, g, 1, memory="lots")
    with pytest.raises(ValueError, match="NaN"):
        nearest(g, g, 1, similarity=lambda z, r: z @ r.T * float("nan"))


def test_what_overflows_float32_is_compared_in_float64():
    g = 1e25 * torch.randn(M, 8)
    expected = double_loop(g[:20], g, 4, minus_distance, torch.arange(20), torch.arange(M))
    found = nearest(g[:20], g, 4, ids_q=torch.arange(20), ids_g=torch.arange(M), similarity=minus_distance)[1]
    assert torch.equal(found, expected)

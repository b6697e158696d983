"""Half of the tiles give what all of them give."""

import pytest
import torch

from isometry.ops import neighbours, self_search
from isometry.ops.neighbours import by_torch, nearest
from isometry.ops.self_search import by_halves


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(self_search, "TILE", 64)
    monkeypatch.setattr(self_search, "LEAST", 100)
    monkeypatch.setattr(self_search, "NARROW", 3)


@pytest.mark.parametrize("n", [64, 65, 128, 200, 321, 333])
@pytest.mark.parametrize("k", [1, 7, 32])
def test_equals_a_dense_product(n, k):
    z = torch.randn(n, 5, generator=torch.Generator().manual_seed(n))
    best, index = by_halves(z, k)
    expected = (z @ z.T).topk(k, dim=1).values
    torch.testing.assert_close(best, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close((z[:, None] * z[index]).sum(2), best, rtol=1e-5, atol=1e-5)
    assert all(len(row.unique()) == k for row in index)


@pytest.mark.parametrize("kind", ["random", "duplicates", "collapsed", "few values", "sorted", "far away"])
def test_neighbours_are_those_of_other_searches(kind, monkeypatch):
    g = torch.randn(1333, 6, generator=torch.Generator().manual_seed(0))
    z = {
        "random": g,
        "duplicates": g[torch.arange(1333) % 200],
        "collapsed": torch.full_like(g, 0.1),
        "few values": g.round(),
        "sorted": g[g[:, 0].argsort()],
        "far away": 100 + 0.01 * g,
    }[kind]
    ids = torch.randint(1300, (1333,), generator=torch.Generator().manual_seed(1))
    asked = []
    monkeypatch.setattr(neighbours, "by_halves", lambda *given: asked.append(given) or by_halves(*given))
    sim, index = nearest(z, z, 3, ids_q=ids, ids_g=ids)
    assert asked, "the halves were not taken"
    other = nearest(z, z, 3, ids_q=ids, ids_g=ids, propose=by_torch)
    assert torch.equal(index, other[1])
    torch.testing.assert_close(sim, other[0])


@pytest.mark.parametrize("case", ["rows", "a copy", "many neighbours", "little memory", "distances", "few dimensions"])
def test_only_where_everything_searches_everything(case, monkeypatch):
    z = torch.randn(9000, 3, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(neighbours, "by_halves", lambda *_: pytest.fail("not everything searches everything"))
    k, memory = 70 if case == "many neighbours" else 3, "24 MB" if case == "little memory" else "512 MB"
    similarity = neighbours.minus_distance if case == "distances" else neighbours.inner
    z = z[:, :2].contiguous() if case == "few dimensions" else z
    q = z[:5000] if case == "rows" else z.clone() if case == "a copy" else z
    sim, _ = nearest(q, z, k, memory=memory, similarity=similarity)
    assert sim.shape == (len(q), k)

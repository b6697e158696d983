"""Diffusion is the solution of its linear system; the resolvent is an inverse."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import minus_distance
from isometry.ops.resolvent import conjugate_gradients, resolvent
from isometry.ops.sparse import normalised
from isometry.rerank import Diffusion
from tests.rerank.spaces import arcs, average_precision


def test_two_nodes():
    """S = [[0 1] [1 0]] whatever the weight; (1 − α)(I − αS)^{-1} is (1, α)/(1 + α)."""
    s = normalised(csr_array([[0.0, 0.3], [0.3, 0.0]]))
    np.testing.assert_allclose(s.toarray(), [[0, 1], [1, 0]])
    torch.testing.assert_close(
        0.2 * resolvent(s, torch.eye(2), 0.8), torch.tensor([[5 / 9, 4 / 9], [4 / 9, 5 / 9]]).double()
    )


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.99])
def test_resolvent_is_the_inverse(alpha):
    w = torch.rand(40, 40).double() * (torch.rand(40, 40) < 0.2)
    w[:, 7] = w[7] = 0  # a node of its own
    s = normalised(csr_array((w + w.T).numpy()))
    y = torch.rand(5, 40).double()
    y[3] = 0
    expected = np.linalg.solve(np.eye(40) - alpha * s.toarray(), y.numpy().T).T
    np.testing.assert_allclose(resolvent(s, y, alpha, tolerance=1e-12).numpy(), expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(resolvent(s, y, alpha)[:, 7], y[:, 7], rtol=1e-5)


def test_rows_are_solved_apart():
    m = torch.eye(6).double() + torch.ones(6, 6).double()
    y = torch.randn(3, 6).double()
    both = conjugate_gradients(lambda x: x @ m, y, tolerance=1e-12, most=50)
    for i in range(3):
        torch.testing.assert_close(
            conjugate_gradients(lambda x: x @ m, y[i : i + 1], tolerance=1e-12, most=50)[0], both[i]
        )


def dense(q, g, knobs, size):
    """For each query its `size` nearest and their f, by numpy."""
    sim = (g.double() @ g.double().T).numpy()
    np.fill_diagonal(sim, -np.inf)
    near = (-sim).argsort(axis=1, kind="stable")[:, : knobs.k]
    a = np.zeros_like(sim)
    for i in range(len(g)):
        for j in near[i]:
            if i in near[j]:
                a[i, j] = max(sim[i, j], 0) ** knobs.gamma
    degree = a.sum(1)
    scale = np.where(degree > 0, np.where(degree > 0, degree, 1) ** -0.5, 0)
    s = scale[:, None] * a * scale
    for x in q:
        cosine = (g.double() @ x.double()).numpy()
        items = (-cosine).argsort(kind="stable")[:size]
        y = np.where(np.arange(size) < knobs.k_query, np.maximum(cosine[items], 0) ** knobs.gamma, 0)
        yield items, np.linalg.solve(np.eye(size) - knobs.alpha * s[np.ix_(items, items)], y)


@pytest.mark.parametrize("truncate", [40, 119, 120, 1000])
def test_equals_the_dense_system(truncate):
    z = arcs(classes=5, each=30)[0]
    q, g = z[::5], z[torch.arange(150) % 5 > 0]
    knobs = Diffusion(k=12, k_query=4, alpha=0.9, truncate=truncate, steps=500)
    sim, index = knobs.neighbours(q, g, len(g), memory="300 KB")
    for (items, f), some, found in zip(dense(q, g, knobs, min(truncate, len(g))), sim, index, strict=True):
        reached = int((f > 1e-4).sum())
        by_item = dict(zip(items, f, strict=True))
        expected = np.sort(f)[::-1][:reached]
        np.testing.assert_allclose(some[:reached], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose([by_item[int(j)] for j in found[:reached]], expected, rtol=1e-4, atol=1e-5)


def test_what_no_walk_reaches_follows_in_plain_order():
    z = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]])
    )
    sim, index = Diffusion(k=2, k_query=1).neighbours(z[:1], z[1:], 5)
    plain = nearest(z[:1], z[1:], 5)[1]
    assert set(index[0, :2].tolist()) == {0, 1}
    assert torch.equal(index[0, 2:], plain[0, 2:])
    assert bool((sim.diff(dim=1) <= 0).all())


def test_follows_arcs():
    z, y = arcs()
    ids = torch.arange(len(z))
    plain = average_precision(nearest(z, z, len(z), ids_q=ids, ids_g=ids)[1], y, y)
    found = Diffusion(k=15, k_query=5).neighbours(z, z, len(z), ids_q=ids, ids_g=ids)[1]
    assert average_precision(found, y, y) > 0.95 > 0.75 > plain


def test_refusals():
    z = arcs()[0]
    with pytest.raises(ValueError, match="cosine"):
        Diffusion().neighbours(z, z, 5, similarity=minus_distance)
    for bad in ({"alpha": 1.0}, {"k": 0}, {"gamma": 0.0}):
        with pytest.raises(ValueError, match="alpha is below 1"):
            Diffusion(**bad)

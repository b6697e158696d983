"""Fusion by diffusion is the solution of the Kronecker system; the named methods are its special cases."""

import numpy as np
import pytest
import torch

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance
from isometry.ops.simplex import onto_simplex
from isometry.ops.tensor_diffusion import diffused, energies, learned
from isometry.rerank import NF, RED, TPF, UnifiedEnsembleDiffusion
from isometry.rerank.ensemble_diffusion import graph
from tests.rerank.spaces import arcs, average_precision

N = 24
FUSIONS = [NF, TPF, RED, UnifiedEnsembleDiffusion]


def graphs(count=3):
    return [graph(torch.nn.functional.normalize(torch.randn(N, 4), dim=1), 6, inner) for _ in range(count)]


def solved(s, beta, mu):
    """vec(A) = (1 − a) (I − a Σ β_uv S_u ⊗ S_v)^{-1} vec(I), with a = 1/(1 + μ)."""
    a = 1 / (1 + mu)
    d = [x.toarray() for x in s]
    k = sum(float(beta[u, v]) * np.kron(d[u], d[v].T) for u in range(len(d)) for v in range(len(d)))
    return np.linalg.solve(np.eye(N * N) - a * k, (1 - a) * np.eye(N).ravel()).reshape(N, N)


def a_of(method, s):
    return method.fuse(s).toarray()


def test_graph_is_that_of_its_definition():
    x = torch.randn(N, 4)
    d = torch.cdist(x, x).double().numpy()
    sigma = np.sort(d, axis=1)[:, 6]
    near = d <= sigma[:, None]
    w = np.exp(-(d**2) / np.outer(sigma, sigma)) * (near | near.T)
    scale = w.sum(1) ** -0.5
    np.testing.assert_allclose(graph(x, 6, minus_distance).toarray(), scale[:, None] * w * scale, atol=1e-6)


def test_converges_to_the_exact_solution():
    s, beta = graphs(), torch.rand(3, 3).double()
    beta /= beta.sum()
    found = diffused(s, beta, mu=0.5, steps=70, keep=N, memory="100 KB")
    np.testing.assert_allclose(found.toarray(), solved(s, beta, 0.5), atol=1e-11)


def test_equal_weights_are_naive_fusion():
    s = graphs()
    mean = sum(x.toarray() for x in s) / 3
    a = np.eye(N)
    for _ in range(20):
        a = (mean @ a @ mean + 0.1 * np.eye(N)) / 1.1
    np.testing.assert_allclose(a_of(NF(keep=N), s), a, atol=1e-12)
    spread_out = UnifiedEnsembleDiffusion(keep=N, mu=1.0, spread=1e9, rounds=1)
    np.testing.assert_allclose(a_of(spread_out, s), a_of(NF(keep=N, mu=1.0, steps=40), s), atol=1e-9)


def test_weight_on_one_pair_is_tensor_product_fusion():
    s = graphs(2)
    first, second = (x.toarray() for x in s)
    a = np.eye(N)
    for _ in range(20):
        a = (first @ a @ second + 0.1 * np.eye(N)) / 1.1
    np.testing.assert_allclose(a_of(TPF(keep=N), s), a, atol=1e-12)
    np.testing.assert_allclose(
        a_of(TPF(keep=N, mu=1.0, steps=40), s), solved(s, torch.tensor([[0, 1], [0, 0]]), 1.0), atol=1e-9
    )


def test_weights_on_the_diagonal_are_regularised_ensemble_diffusion():
    s, free = graphs(), torch.eye(3, dtype=torch.bool)
    a, beta = learned(s, free, spread=0.2, rounds=3, mu=1.0, steps=20, keep=N)
    assert bool((beta[~free] == 0).all())
    np.testing.assert_allclose(a.toarray(), solved(s, beta, 1.0), atol=1e-6)
    np.testing.assert_allclose(a_of(RED(keep=N, mu=1.0), s), a.toarray())


def test_energy_is_the_published_sum_over_all_quadruples():
    """½ Σ_ijkl w^v_ij w^u_kl (A_ki/√(D^v_ii D^u_kk) − A_lj/√(D^v_jj D^u_ll))² = ‖A‖² − tr(Aᵀ S_u A S_v)."""
    w = [torch.rand(5, 5).double() for _ in range(2)]
    w = [x + x.T for x in w]
    d = [x.sum(1) for x in w]
    a = torch.rand(5, 5).double()
    h = 0.0
    for i, j, k, m in np.ndindex(5, 5, 5, 5):
        h += (
            0.5
            * w[1][i, j]
            * w[0][k, m]
            * (a[k, i] / (d[1][i] * d[0][k]).sqrt() - a[m, j] / (d[1][j] * d[0][m]).sqrt()) ** 2
        )
    from scipy.sparse import csr_array

    s = [csr_array((x / (e[:, None] * e).sqrt()).numpy()) for x, e in zip(w, d, strict=True)]
    assert float(energies(csr_array(a.numpy()), s)[0, 1] * a.square().sum()) == pytest.approx(float(h))


def test_learned_weights_minimise_over_the_simplex():
    s, free = graphs(), torch.ones(3, 3, dtype=torch.bool)
    a = diffused(s, torch.full((3, 3), 1 / 9).double(), mu=0.1, steps=20, keep=N)
    h = energies(a, s)
    beta = onto_simplex((-h / 0.2).flatten())
    cost = (beta * h.flatten()).sum() + 0.1 * beta.square().sum()
    others = torch.distributions.Dirichlet(torch.ones(9).double()).sample((2000,))
    assert bool((others @ h.flatten() + 0.1 * others.square().sum(1) >= cost).all())
    small = learned(s, free, spread=1e-4, rounds=1, mu=0.1, steps=20, keep=N)[1]
    assert small.flatten().argmax() == h.flatten().argmin()
    assert float(small.max()) == pytest.approx(1)


def test_simplex_projection_is_the_nearest_point():
    x = 2 * torch.randn(20, 6).double()
    found = onto_simplex(x)
    torch.testing.assert_close(found.sum(1), torch.ones(20).double())
    assert bool((found >= 0).all())
    others = torch.distributions.Dirichlet(torch.ones(6).double()).sample((500,))
    assert bool(((x[:, None] - others).norm(dim=2) >= (x - found).norm(dim=1)[:, None]).all())


def test_equal_graphs_make_weights_meaningless():
    one = graphs(1)[0]
    results = [
        a_of(m, [one, one])
        for m in (NF(keep=N), TPF(keep=N), RED(keep=N, rounds=0), UnifiedEnsembleDiffusion(keep=N, rounds=0))
    ]
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=1e-12)


@pytest.mark.parametrize("method", [NF, RED, UnifiedEnsembleDiffusion])
def test_symmetric_weights_give_a_symmetric_positive_matrix(method):
    a = a_of(method(keep=N), graphs())
    np.testing.assert_allclose(a, a.T, atol=1e-12)
    assert np.linalg.eigvalsh(a).min() > 0


def test_what_truncation_loses():
    """Of the exact first ten of 180 items, 20 kept entries a row find over 85 % and 60 over 95 %; all of them find all."""
    z = arcs(classes=6, each=30)[0]
    s = [graph(z[:, :8], 10, minus_distance), graph(z[:, 8:], 10, minus_distance)]
    exact = a_of(NF(keep=180), s)
    first = (-exact).argsort(axis=1)[:, :10]
    for keep, least in ((20, 0.85), (60, 0.95), (180, 1.0)):
        cut = (-a_of(NF(keep=keep), s)).argsort(axis=1)[:, :10]
        shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(first, cut, strict=True)])
        assert shared >= least, (keep, shared)


@pytest.mark.parametrize("method", FUSIONS)
def test_beats_plain_search_on_arcs(method):
    z, y = arcs(classes=8, each=20)
    x = torch.cat([z, torch.nn.functional.normalize(z + 0.1 * torch.randn_like(z), dim=1)], 1)
    ids = torch.arange(len(x))
    plain = nearest(x, x, len(x), ids_q=ids, ids_g=ids)[1]
    sizes = {"sizes": (16, 16), "steps": 8, "k": 10, "keep": 60}
    found = method(**sizes).neighbours(x, x, len(x), ids_q=ids, ids_g=ids)[1]
    assert average_precision(found, y, y) > average_precision(plain, y, y) + 0.05


def test_refusals():
    x = torch.nn.functional.normalize(torch.randn(20, 6), dim=1)
    with pytest.raises(ValueError, match="sizes add up to 5"):
        NF(sizes=(2, 3)).neighbours(x, x, 3)
    with pytest.raises(ValueError, match="give two sizes"):
        TPF(sizes=(2, 2, 2)).neighbours(x, x, 3)
    for method in FUSIONS:
        with pytest.raises(ValueError, match="mu is positive"):
            method(mu=0.0)
    for method in (RED, UnifiedEnsembleDiffusion):
        with pytest.raises(ValueError, match="spread is positive"):
            method(spread=0.0)

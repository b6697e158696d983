"""Volumes of Jacobians: equal to what singular values say, exactly or on average, and so are their gradients."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from isometry.ops import volume

F64 = torch.float64


def bent(d=6, p=9, n=5, seed=0):
    """A map from R^p to R^d, weights to differentiate by, and points."""
    g = torch.Generator().manual_seed(seed)
    inner = 0.2 * torch.randn(7 + d, p, generator=g, dtype=F64)
    outer = torch.randn(d, 7 + d, generator=g, dtype=F64, requires_grad=True)
    x = torch.randn(n, p, generator=g, dtype=F64, requires_grad=True)
    return (lambda x: torch.tanh(x @ inner.T) @ outer.T), outer, x


def singular_values(f, x):
    _, j = volume.jacobian(f, x)
    return torch.linalg.svdvals(j)


def signs(k, n, d, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (k, n, d), generator=g).to(F64) * 2 - 1


def same_gradients(ours, theirs, at, **tolerance):
    found = [torch.autograd.grad(value.sum(), at, retain_graph=True) for value in (ours, theirs)]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize(("d", "p"), [(6, 9), (4, 4), (5, 3)])
def test_log_volume_is_the_sum_of_log_singular_values(d, p):
    f, outer, x = bent(d, p)
    _, j = volume.jacobian(f, x)
    expected = torch.linalg.svdvals(j).log().sum(1)
    torch.testing.assert_close(volume.log_volume(j), expected, rtol=1e-9, atol=1e-9)
    same_gradients(volume.log_volume(j), expected, (outer, x), rtol=1e-6, atol=1e-7)


def test_jacobian_is_that_of_each_row():
    f, _, x = bent()
    z, j = volume.jacobian(f, x)
    torch.testing.assert_close(z, f(x))
    torch.testing.assert_close(j, torch.vmap(torch.func.jacrev(lambda row: f(row[None])[0]))(x))


@pytest.mark.parametrize(("d", "p"), [(6, 9), (4, 4), (5, 3)])
def test_volume_on_the_sphere_is_the_pseudo_determinant(d, p):
    """log vol J_u = log vol J + ½ log uᵀ(JJᵀ)⁻¹u − (d − 1) log ‖z‖, against all singular values but the zero of J_u."""
    f, _, x = bent(d, p)
    z, j = volume.jacobian(f, x)
    expected = singular_values(volume.on_sphere(f), x)[:, : min(d - 1, p)].log().sum(1)
    torch.testing.assert_close(volume.spherical_log_volume(j, z), expected, rtol=1e-9, atol=1e-9)


def test_normalising_has_one_direction_less():
    """At (3, 4, 0): singular values 0.2, 0.2 and 0."""
    x = torch.tensor([[3.0, 4.0, 0.0]], dtype=F64, requires_grad=True)
    s = singular_values(volume.on_sphere(lambda x: x), x)[0]
    torch.testing.assert_close(s, torch.tensor([0.2, 0.2, 0.0], dtype=F64))
    eye = torch.eye(3, dtype=F64)
    torch.testing.assert_close(volume.spherical_log_volume(eye, x)[0], torch.tensor(2 * math.log(0.2), dtype=F64))


def test_a_volume_is_no_bound_of_a_stretch():
    """diag(10, 0.01) has a negative log-volume and stretches by 10."""
    j = torch.diag(torch.tensor([10.0, 0.01], dtype=F64))
    assert volume.log_volume(j).item() == pytest.approx(math.log(0.1))
    x = torch.randn(4, 2, dtype=F64, requires_grad=True)
    stretch = volume.largest_stretch(lambda x: x @ j, x, signs(1, 4, 2)[0], steps=3)
    torch.testing.assert_close(stretch, torch.full((4,), 10.0, dtype=F64))


def test_largest_stretch_rises_to_the_largest_singular_value_and_has_its_gradient():
    f, outer, x = bent()
    s = singular_values(f, x)[:, 0]
    start = signs(1, 5, 6)[0]
    few, many = (volume.largest_stretch(f, x, start, steps) for steps in (1, 400))
    assert (few <= s + 1e-12).all()
    torch.testing.assert_close(many, s)
    same_gradients(many, s, (outer, x), rtol=1e-6, atol=1e-8)


def test_frobenius_probes_are_unbiased():
    """All 2^d sign vectors together give Σ s² exactly, and each gives an estimate of it."""
    f, _, x = bent(d=4)
    every = torch.tensor([[(k >> b & 1) * 2.0 - 1 for b in range(4)] for k in range(16)], dtype=F64)
    probes = every[:, None].expand(16, 5, 4)
    torch.testing.assert_close(volume.frobenius_squared(f, x, probes), singular_values(f, x).square().sum(1))


def many(x, k=4000):
    """Each point k times, so that as many probes are one call."""
    return x.detach().repeat_interleave(k, 0).requires_grad_()


def averaged(r, n):
    return r.view(n, -1).mean(1)


def test_lanczos_averages_to_the_log_volume_and_its_gradient():
    """What is left is the noise of 4,000 probes."""
    f, outer, x = bent(n=3)
    probes = signs(1, 12_000, 6)
    found = averaged(volume.lanczos_log_volume(f, many(x), probes, 6), 3)
    expected = singular_values(f, x).log().sum(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.1)
    ours, theirs = (torch.autograd.grad(v.sum(), outer)[0] for v in (found, expected))
    assert (ours - theirs).norm() < 0.3 * theirs.norm()


def test_lanczos_is_exact_where_all_directions_are_alike():
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=F64))[0]
    x = torch.randn(4, 6, dtype=F64, requires_grad=True)
    found = volume.lanczos_log_volume(lambda x: 3 * x @ turn, x, signs(1, 4, 6), 1)
    torch.testing.assert_close(found, torch.full((4,), 6 * math.log(3), dtype=F64))


def test_within_the_tangent_space_lanczos_finds_the_volume_on_the_sphere():
    f, _, x = bent(n=3)
    z, j = volume.jacobian(f, x)
    u = normalize(z.detach())
    u, probes = u.repeat_interleave(4000, 0), signs(1, 12_000, 6)
    probes = probes - (probes * u).sum(2, keepdim=True) * u
    found = averaged(volume.lanczos_log_volume(volume.on_sphere(f), many(x), probes, 5), 3)
    torch.testing.assert_close(found, volume.spherical_log_volume(j, z), rtol=0, atol=0.1)


def test_a_lost_dimension_is_finite():
    j = torch.diag(torch.tensor([1.0, 1.0, 0.0])).requires_grad_()
    value = volume.log_volume(j)
    assert torch.isfinite(value)
    assert torch.isfinite(torch.autograd.grad(value, j)[0]).all()
    assert torch.isfinite(volume.log_length(torch.zeros(2, 3))).all()


@pytest.mark.parametrize("rank", [8, 10])
def test_a_map_that_loses_dimensions_has_a_finite_volume_in_single_precision(rank):
    g = torch.Generator().manual_seed(rank)
    j = (torch.randn(128, rank, generator=g) @ torch.randn(rank, 512, generator=g) / 512**0.5).requires_grad_()
    z = torch.randn(6, 128, generator=g)
    for found in (volume.log_volume(j), volume.spherical_log_volume(j, z).sum()):
        (grad,) = torch.autograd.grad(found, j)
        assert torch.isfinite(found)
        assert torch.isfinite(grad).all()

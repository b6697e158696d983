"""How a map stretches space around a point: volumes of Jacobians, exact and estimated, and singular values; differentiable.

A map takes rows to rows, each by itself. J = ∂f/∂x of a row is `[d p]`, x flattened to p numbers, and s_1 ≥ s_2 ≥ … are its
singular values. Everything here can be trained on: results have gradients of one order, for a map with two.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Map = Callable[[Tensor], Tensor]
LEAST = 1e-12
RIDGE = 1e-6
"""What is added to JJᵀ of float32, as a share of its mean diagonal, so that a map that loses a dimension has a finite volume."""


def on_sphere(f: Map) -> Map:
    """x → u = f(x) / ‖f(x)‖, differentiable as often as f."""
    return lambda x: functional.normalize(f(x), dim=1, eps=LEAST)


def log_length(x: Float[Tensor, "n *p"]) -> Float[Tensor, " n"]:
    """log ‖x‖ of each row; at zero it is finite and has no gradient."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1).clamp_min(LEAST).log()


def jacobian(f: Map, x: Float[Tensor, "n *p"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d p"]]:
    """f(x) and J at each row, by d reverse derivatives at once; x has to require a gradient.

    >>> x = torch.tensor([[1.0, 3.0]], requires_grad=True)
    >>> jacobian(lambda x: x.square(), x)[1].tolist()
    [[[2.0, 0.0], [0.0, 6.0]]]
    """
    z = f(x)
    n, d = z.shape
    basis = torch.eye(d, dtype=z.dtype, device=z.device)[:, None].expand(d, n, d)
    rows = torch.autograd.grad(z, x, basis, create_graph=True, is_grads_batched=True)[0]
    return z, rows.flatten(2).transpose(0, 1)


def log_volume(j: Float[Tensor, "*n d p"]) -> Float[Tensor, "*n"]:
    """Σ log s_i over all min(d, p) singular values: ½ log det JJᵀ, or ½ log det JᵀJ where p is smaller.

    >>> log_volume(torch.diag(torch.tensor([10.0, 0.01])).double())
    tensor(-2.3026, dtype=torch.float64)
    """
    return _half_log_det(_root(j)).to(j.dtype)


def spherical_log_volume(j: Float[Tensor, "*n d p"], z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Σ log s_i of J_u = (I − uuᵀ) J / ‖z‖, over all but its zero: the volume of x → u = z/‖z‖.

    log vol J_u = log vol J + ½ log uᵀ(JJᵀ)⁻¹u − (d − 1) log ‖z‖. One J may serve all rows. Where p < d there are p directions.
    """
    u, d = functional.normalize(z, dim=1, eps=LEAST), z.shape[1]
    if j.shape[-1] < d:
        across = j - u[:, :, None] * (u[:, None] @ j)
        return log_volume(across) - j.shape[-1] * log_length(z)
    root = _root(j)
    u = u.to(root.dtype)
    pulled = torch.linalg.solve_triangular(root, u[..., None] if root.ndim == 3 else u.T, upper=False)
    along = log_length(pulled.squeeze(-1) if root.ndim == 3 else pulled.T)
    return (_half_log_det(root) + along).to(j.dtype) - (d - 1) * log_length(z)


def _root(j: Float[Tensor, "*n d p"]) -> Float[Tensor, "*n k k"]:
    """The Cholesky factor of the smaller Gram matrix of J, in float64 where the device has it.

    A Gram matrix squares what rounding leaves of a small singular value.
    """
    size, wide = min(j.shape[-2:]), j.device.type != "mps"
    ridge = RIDGE if j.dtype != torch.float64 else 4 * size**2 * torch.finfo(torch.float64).eps
    j = j.double() if wide else j
    g = j @ j.mT if j.shape[-2] <= j.shape[-1] else j.mT @ j
    mean = g.diagonal(dim1=-2, dim2=-1).mean(-1).detach()[..., None, None].clamp_min(LEAST**2)
    eye = torch.eye(g.shape[-1], dtype=g.dtype, device=g.device)
    return torch.linalg.cholesky_ex(g + ridge * mean * eye)[0]


def _half_log_det(root: Tensor) -> Tensor:
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


class Products:
    """A map at some points, run once: what it makes of them, and products with J and Jᵀ of each row."""

    def __init__(self, f: Map, x: Float[Tensor, "n *p"]) -> None:
        self.x, self.z = x, f(x)
        self.dummy = torch.zeros_like(self.z, requires_grad=True)
        self.pulled = torch.autograd.grad(self.z, x, self.dummy, create_graph=True)[0]

    def back(self, w: Float[Tensor, "n d"], graph: bool = False) -> Float[Tensor, "n *p"]:
        """Jᵀw; `graph`: with its derivatives."""
        return torch.autograd.grad(self.z, self.x, w, retain_graph=True, create_graph=graph)[0]

    def push(self, v: Float[Tensor, "n *p"]) -> Float[Tensor, "n d"]:
        """J v, as the derivative of wᵀJ by w."""
        found = torch.autograd.grad(self.pulled, self.dummy, v, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(self.z) if found is None else found


def largest_stretch(f: Map, x: Float[Tensor, "n *p"], start: Float[Tensor, "n d"], steps: int) -> Float[Tensor, " n"]:
    """σ_max of J at each row, by power steps on JJᵀ from `start`: never above it, and rising to it.

    Its gradient is that of wᵀJv with both vectors held: what the derivative of a singular value is.
    """
    at, w = Products(f, x), start
    v = _unit(at.back(_unit(w)))
    for _ in range(steps):
        w = _unit(at.push(v))
        v = _unit(at.back(w))
    return (at.back(_unit(at.push(v)), graph=True) * v).flatten(1).sum(1)


def frobenius_squared(f: Map, x: Float[Tensor, "n *p"], probes: Float[Tensor, "k n d"]) -> Float[Tensor, " n"]:
    """‖J‖² = Σ s_i², as the mean of ‖Jᵀv‖² over probes v with E vvᵀ = I (Hutchinson): one reverse derivative each, unbiased."""
    z = f(x)
    found = [torch.autograd.grad(z, x, v, create_graph=True)[0].flatten(1).square().sum(1) for v in probes]
    return torch.stack(found).mean(0)


def moments(
    f: Map, x: Float[Tensor, "n *p"], probes: Float[Tensor, "k n d"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """tr JJᵀ = Σ s_i² and ‖JJᵀ‖_F² = Σ s_i⁴, as means of ‖Jᵀv‖² and ‖JJᵀv‖² over probes v with E vvᵀ = I; unbiased."""
    at, trace, squared = Products(f, x), [], []
    for v in probes:
        pulled = at.back(v, graph=True)
        pushed = torch.autograd.grad(at.pulled, at.dummy, pulled, create_graph=True)[0]
        trace.append(pulled.flatten(1).square().sum(1))
        squared.append(pushed.square().sum(1))
    return torch.stack(trace).mean(0), torch.stack(squared).mean(0)


def lanczos_log_volume(
    f: Map, x: Float[Tensor, "n *p"], probes: Float[Tensor, "k n d"], steps: int
) -> Float[Tensor, " n"]:
    """½ log det JJᵀ on the span of the probes, by stochastic Lanczos quadrature; f: R^p → R^d, p ≥ d.

    A probe v costs `steps` products with J and Jᵀ: from v/‖v‖ they make a tridiagonal T whose eigenvalues θ_k, of weights τ_k²,
    stand for the spectrum: vᵀ log(JJᵀ) v ≈ ‖v‖² Σ τ_k² log θ_k. With as many steps as dimensions only the probes are random.
    Differentiating T is fragile; the gradient is ½ E[wᵀ ∂(JJᵀ) v] with w = (JJᵀ)⁻¹v from the same T, both held.

    Probes within a subspace that J maps onto (u⊥, for a map onto the sphere) give the volume in it.
    """
    at = Products(f, x)
    values = []
    for v in probes:
        basis, t = _tridiagonal(at, v, min(steps, at.z.shape[1]))
        theta, vectors = torch.linalg.eigh(t)
        least = theta[:, -1:].clamp_min(LEAST**2) * torch.finfo(t.dtype).eps
        theta, first, size = theta.clamp_min(least), vectors[:, 0], v.square().sum(1)
        value = (first.square() * theta.log()).sum(1) * size / 2
        solved = (vectors * (first / theta)[:, None]).sum(2) * size.sqrt()[:, None]
        w = torch.einsum("nk,nkd->nd", solved, basis)
        slope = (at.back(w.detach(), graph=True) * at.back(v)).flatten(1).sum(1)
        values.append(value.detach() + slope - slope.detach())
    return torch.stack(values).mean(0)


def _tridiagonal(at: Products, v: Tensor, steps: int) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k k"]]:
    """Lanczos steps on JJᵀ, each new vector made orthogonal to all before it."""
    basis, diagonal, off = [_unit(v)], [], []
    for _ in range(steps):
        new = at.push(at.back(basis[-1]))
        diagonal.append((new * basis[-1]).sum(1))
        known = torch.stack(basis, 1)
        for _ in range(2):
            new = new - torch.einsum("nk,nkd->nd", torch.einsum("nkd,nd->nk", known, new), known)
        off.append(torch.linalg.vector_norm(new, dim=1))
        basis.append(_unit(new))
    t = torch.diag_embed(torch.stack(diagonal, 1))
    if steps > 1:
        beside = torch.stack(off[:-1], 1)
        t = t + torch.diag_embed(beside, 1) + torch.diag_embed(beside, -1)
    return torch.stack(basis[:-1], 1).detach(), t.detach()


def _unit(x: Tensor) -> Tensor:
    """Rows at length one, held; a row of zeros stays."""
    x = x.detach()
    length = torch.linalg.vector_norm(x.flatten(1), dim=1).view(-1, *[1] * (x.ndim - 1))
    return x / length.clamp_min(LEAST)

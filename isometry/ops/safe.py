"""Functions whose gradients misbehave at a point, made to behave there. Once differentiable."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def sqrt(x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """√max(x, 0), whose gradient at 0 is 0 instead of infinite."""
    if torch.compiler.is_compiling():
        positive = x > 0
        return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)
    return _Sqrt.apply(x)  # type: ignore[return-value]


def normalize(x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    """x / ‖x‖; a row of zeros stays zero, with a finite gradient."""
    least = 1e-12 if x.dtype == torch.float64 else 1e-8
    if torch.compiler.is_compiling():
        return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(least)
    return _Normalize.apply(x, least)  # type: ignore[return-value]


def squared_distance(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """‖z_i − r_j‖², from one matrix product; both are centred first, so that offsets cost no digits."""
    if torch.compiler.is_compiling():
        return -minus_squared_distance(z, r)
    return _SquaredDistance.apply(z, r, 1)  # type: ignore[return-value]


def minus_squared_distance(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """−‖z_i − r_j‖², likewise."""
    if torch.compiler.is_compiling():
        z, r = _centred(z, r)
        near = torch.addmm(r.square().sum(1), z, r.T, beta=-1, alpha=2)
        return (near - z.square().sum(1)[:, None]).clamp_max(0)
    return _SquaredDistance.apply(z, r, -1)  # type: ignore[return-value]


def _centred(z: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    centre = r.detach().mean(0) if len(r) else 0
    return z - centre, r - centre


def softly_largest(x: Float[Tensor, "n k m"]) -> Float[Tensor, "n m"]:
    """Σ_k q_k x_k, q the softmax of x over k."""
    if torch.compiler.is_compiling():
        return (torch.softmax(x, 1) * x).sum(1)
    return _SoftlyLargest.apply(x)  # type: ignore[return-value]


class _SoftlyLargest(torch.autograd.Function):
    """q_k (1 + x_k − Σ q x) backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        q = torch.softmax(x, 1)
        part = q * x
        found = part.sum(1)
        ctx.save_for_backward(part.addcmul_(q, found[:, None], value=-1).add_(q))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return ctx.saved_tensors[0] * grad[:, None]


class _Sqrt(torch.autograd.Function):
    """g / 2√x backward, as g √x / 2x: 0 at 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        root = x.clamp_min(0).sqrt_()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        return root.square().clamp_min_(1e-36).reciprocal_().mul_(root).mul_(grad).mul_(0.5)


class _Normalize(torch.autograd.Function):
    """(g − (g·u) u) / ‖x‖ backward, u the unit vector."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, least: float) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min_(least)
        unit = x / norm
        ctx.save_for_backward(unit, norm)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        unit, norm = ctx.saved_tensors
        along = torch.linalg.vecdot(grad, unit)[..., None]
        return torch.addcmul(grad, unit, along, value=-1).div_(norm), None


class _SquaredDistance(torch.autograd.Function):
    """±‖z_i − r_j‖²; its gradient ±2 (z_i − r_j) is also that of pairs so near that rounding made them equal."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, r: Tensor, sign: int) -> Tensor:
        z, r = _centred(z, r)
        ctx.sign = sign
        ctx.save_for_backward(z, r)
        far = torch.addmm(r.square().sum(1), z, r.T, beta=sign, alpha=-2 * sign)
        far.add_(z.square().sum(1)[:, None], alpha=sign)
        return far.clamp_min_(0) if sign > 0 else far.clamp_max_(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        z, r = ctx.saved_tensors
        scale = {"alpha": -2 * ctx.sign, "beta": 2 * ctx.sign}
        on_z = torch.addmm(grad.sum(1)[:, None] * z, grad, r, **scale) if ctx.needs_input_grad[0] else None
        on_r = torch.addmm(grad.sum(0)[:, None] * r, grad.T, z, **scale) if ctx.needs_input_grad[1] else None
        return on_z, on_r, None

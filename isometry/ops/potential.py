"""Energies of points that draw their kind and push all others, by a power of the distance; in few passes over one matrix."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from isometry.ops import masked, truth


def energy(
    far: Float[Tensor, "n m"], pos: masked.Weights, neg: masked.Weights, alpha: float, radius: float, least: float
) -> Float[Tensor, " n"]:
    """Σ_j neg_ij min(far_ij, radius)^{−alpha} − Σ_j pos_ij max(far_ij, radius)^{−alpha}.

    Below `least`, which is below `radius`, the power goes on as the straight line that touches it there.

    >>> energy(torch.tensor([[0.5, 2.0]]), torch.tensor([[False, True]]), torch.tensor([[True, False]]), 1.0, 1.0, 0.1)
    tensor([1.5000])
    """
    if not torch.compiler.is_compiling():
        return _Energy.apply(far, pos, neg, alpha, radius, least)  # type: ignore[return-value]
    steep = alpha * least ** (-alpha - 1) * (least - far).clamp_min(0)
    power, edge = far.clamp_min(least).reciprocal() ** alpha + steep, radius**-alpha
    return masked.total(power.clamp_min(edge), neg) - masked.total(power.clamp_max(edge), pos)


class _Energy(torch.autograd.Function):
    """Forward keeps the slope of each pair: −alpha far^{−alpha−1} by its weight, where it feels anything."""

    @staticmethod
    def forward(ctx: Any, far: Tensor, pos: Tensor, neg: Tensor, alpha: float, radius: float, least: float) -> Tensor:
        power = far.clamp_min(least).reciprocal_()
        slope = power.clone()
        slope.mul_(power.pow_(alpha)).mul_(-alpha)
        power.add_((least - far).clamp_min_(0), alpha=alpha * least ** (-alpha - 1))
        pulls, pushes, beyond = truth.numbers(pos, far.dtype), truth.numbers(neg, far.dtype), truth.above(far, radius)
        either = pulls + pushes
        flat = torch.linalg.vecdot(beyond, either) - pulls.sum(1)  # pushes beyond the radius, less pulls within
        felt = pushes.addcmul(beyond, either, value=-1)
        total = torch.linalg.vecdot(power, felt).add_(flat, alpha=radius**-alpha)
        ctx.save_for_backward(slope.mul_(felt))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * grad[:, None], None, None, None, None, None

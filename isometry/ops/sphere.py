"""Distances between random points of a sphere."""

import torch
from jaxtyping import Float
from torch import Tensor


def inverse_density(
    distance: Float[Tensor, "n m"], weight: Tensor, dim: int, cutoff: float, furthest: float
) -> Float[Tensor, "n m"]:
    """weight / q(max(D, cutoff)), 0 beyond `furthest`, and divided by a number a row so that nothing overflows.

    q(D) ∝ D^{d−2} (1 − D²/4)^{(d−3)/2} is the density of the distance of two uniform points of the unit sphere in d
    dimensions (Wu et al., ICCV 2017). In logarithms, from which the row's largest is taken: at d = 128, 1/q spans 10⁴⁰.
    """
    d = distance.clamp(cutoff, furthest)
    log = (2 - dim) * d.log() - (dim - 3) / 2 * torch.log1p(-d.square() / 4)
    there = (weight > 0) & (distance <= furthest)
    highest = log.masked_fill(~there, -torch.inf).amax(1, keepdim=True) if log.shape[1] else log[:, :1]
    return torch.where(there, (log - highest).exp() * weight, 0)

"""Distances between random points of a sphere."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops import masked, truth


def inverse_density(
    distance: Float[Tensor, "n m"], weight: Tensor, dim: int, cutoff: float, furthest: float
) -> Float[Tensor, "n m"]:
    """weight / q(max(D, cutoff)), 0 beyond `furthest`, and divided by a number a row so that nothing overflows.

    q(D) ∝ D^{d−2} (1 − D²/4)^{(d−3)/2} is the density of the distance of two uniform points of the unit sphere in d
    dimensions (Wu et al., ICCV 2017). In logarithms, from which the row's largest is taken: at d = 128, 1/q spans 10⁴⁰.
    """
    if not distance.shape[1]:
        return distance.clone()
    square = distance.clamp(cutoff, furthest).square_()
    log = square.log().mul_(1 - dim / 2)
    log.add_(square.mul_(-0.25).log1p_(), alpha=(3 - dim) / 2)
    there = truth.numbers(weight, log.dtype) if weight.dtype == torch.bool else truth.above(weight, 0)
    there = (there - truth.above(distance, furthest)).clamp_min_(0)
    log.add_(there - 1, alpha=-masked.OUT)
    log.sub_(log.amax(1, keepdim=True)).clamp_min_(masked.NOTHING).exp_().mul_(there)
    return log if weight.dtype == torch.bool else log.mul_(weight)

"""How much the log-ratios of a row differ: u = p log D_f − q log D_y of each pair, from two distances.

Value and gradient are made in one pass over rows that fit the cache, and nothing else of the matrix's size lives. Once
differentiable.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import divide
from isometry.ops import truth
from isometry.ops.triplets import tiles

TINY = 1e-30
"""Stands for a distance of 0 where all distances of a row are 0."""
HALVINGS = 40
"""How often the interval that holds a robust centre is halved before the last step, which is exact."""
EDGE = 1 + 1e-5
"""What is as far from a centre as this many times the bend still holds it: no less does where nothing is nearer."""


def spread(
    sim: Float[Tensor, "n m"],
    gap: Float[Tensor, "n m"],
    weight: Tensor,
    powers: tuple[float, float],
    nearest: float,
    huber: float = math.inf,
    scales: bool = False,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """min_c Σ_j w_j H(u_j − c) of each row, and that c; H(x) = x² up to |x| = `huber`, and linear beyond.

    D_f is minus `sim`. A distance below `nearest` times its row's weighted mean counts as that, and has no gradient; of D_f the
    share is `told_apart` at least. Only with `scales` does c have a gradient.
    """
    total, centre, *_ = torch.ops.isometry.log_ratios(sim, gap, weight, *powers, nearest, huber, scales)
    return total, centre


@torch.library.custom_op("isometry::log_ratios", mutates_args=())
def _spread(
    sim: Tensor, gap: Tensor, weight: Tensor, p: float, q: float, nearest: float, huber: float, scales: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    total, centre = sim.new_zeros(len(sim)), sim.new_zeros(len(sim))
    slope = torch.empty_like(sim, memory_format=torch.contiguous_format)
    along = torch.empty_like(slope) if scales else sim.new_empty(0)
    for rows in tiles(sim):
        w = truth.numbers(weight[rows], sim.dtype)
        many = w.sum(1)
        near, least = floored(sim[rows].neg(), w, many, max(nearest, told_apart(sim.dtype)))
        u, log_gap = near.log(), floored(gap[rows].to(sim.dtype, copy=True), w, many, nearest)[0].log_()
        torch.sub(u if p == 1 else u.mul_(p), log_gap, alpha=q, out=u)
        centre[rows] = divide(torch.linalg.vecdot(u, w), many) if huber == math.inf else robust_centre(u, w, huber)
        u.sub_(centre[rows, None])
        free = torch.gt(near, least, out=log_gap)
        if scales:  # the share of j among what holds c by a square, or at the edge of one, is ∂c/∂u_j
            held = w if huber == math.inf else w * (u.abs() <= huber * EDGE)
            torch.mul(divide(held, held.sum(1, keepdim=True)).mul_(free), -p / near, out=along[rows])
        pull = torch.mul(u if huber == math.inf else u.clamp(-huber, huber), w, out=slope[rows])
        excess = u if huber == math.inf else u.mul_(2).sub_(u.div(2).clamp_(-huber, huber))
        total[rows] = torch.linalg.vecdot(pull, excess)
        pull.mul_(free).div_(near).mul_(-2 * p)
    return total, centre, slope, along


@_spread.register_fake
def _(
    sim: Tensor, gap: Tensor, weight: Tensor, p: float, q: float, nearest: float, huber: float, scales: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    slope = torch.empty_like(sim, memory_format=torch.contiguous_format)
    row = sim.new_empty(len(sim))
    return row, torch.empty_like(row), slope, torch.empty_like(slope) if scales else sim.new_empty(0)


def _keep_slopes(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.scales = inputs[-1]
    ctx.save_for_backward(*output[2:])
    ctx.mark_non_differentiable(*output[2:], *([] if ctx.scales else [output[1]]))


def _backward(ctx, on_total: Tensor, on_centre: Tensor | None, *_) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    slope, along = ctx.saved_tensors
    grad = slope * on_total[:, None]
    if ctx.scales and on_centre is not None:
        grad = grad + along * on_centre[:, None]
    return grad, None, None, None, None, None, None, None


_spread.register_autograd(_backward, setup_context=_keep_slopes)


def told_apart(dtype: torch.dtype) -> float:
    """Distances from a matrix product, as shares of their row's mean: what is nearer may be nothing but rounding.

    Products are off by some ε of the squares, and roots of them by √ε: 0.28 % in float32, and 1.2e-7 in float64.
    """
    return 8 * math.sqrt(torch.finfo(dtype).eps)


def floored(distance: Tensor, weight: Tensor, many: Tensor, nearest: float) -> tuple[Tensor, Tensor]:
    """Distances that are no less than a share of their row's weighted mean, in place; and that least `[n 1]`."""
    least = (nearest * divide(torch.linalg.vecdot(distance, weight), many)).clamp_min_(TINY)[:, None]
    return torch.maximum(distance, least, out=distance), least


def robust_centre(u: Float[Tensor, "n m"], weight: Float[Tensor, "n m"], huber: float) -> Float[Tensor, " n"]:
    """The smallest c that makes Σ_j w_j H(u_j − c) least: where the clipped deviations cancel. O(m log m) a row.

    Sums of what lies below a number are read off a sorted row, so that each halving costs two searches.
    """
    if not u.shape[1]:
        return u.sum(1)
    there = weight > 0
    u, order = torch.where(there, u, torch.inf).sort(1)
    w = weight.gather(1, order)
    sums = [torch.nn.functional.pad(x.double().cumsum(1), (1, 0)) for x in (w, w * torch.where(u < torch.inf, u, 0))]
    high = torch.where(u < torch.inf, u, -torch.inf).amax(1, keepdim=True).double()
    low = torch.minimum(u[:, :1].double(), high)
    known = low.isfinite() & high.isfinite()
    low, high = torch.where(known, low, 0), torch.where(known, high, 0)

    def inside(c: Tensor) -> tuple[Tensor, Tensor]:
        """Σ of the clipped deviations from c, and the weight of those that are not clipped."""
        first = torch.searchsorted(u, (c - huber).to(u.dtype))
        last = torch.searchsorted(u, (c + huber).to(u.dtype), right=True)
        (below, upto), (less, more) = ([x.gather(1, at) for at in (first, last)] for x in sums)
        held = upto - below
        return more - less - c * held + huber * (sums[0][:, -1:] - upto - below), held

    for _ in range(HALVINGS):
        middle = (low + high) / 2
        up = inside(middle)[0] > 0
        low, high = torch.where(up, middle, low), torch.where(up, high, middle)
    middle = (low + high) / 2
    pull, held = inside(middle)
    step = torch.where(held > 1e-6 * sums[0][:, -1:], divide(pull, held), 0)
    return (middle + step).squeeze(1).to(u.dtype)

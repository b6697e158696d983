"""Sums, maxima and log-sum-exps over the pairs of a row that have weight. Empty is neutral: 0 with zero gradient."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from isometry.cost import LEAST, divide
from isometry.ops import truth

Weights = Float[Tensor, "n m"] | Bool[Tensor, "n m"]
OUT = -1e30
"""Stands for a similarity that is not there: finite, so that rows with none have gradients of 0 and not NaN."""
FEW = 16
"""Up to one pair in so many is few: they are gathered, instead of all being gone through."""
NOTHING = -80.0
"""An exponent whose power adds nothing to 1, and is not yet so small that processors are slow with it."""


def some(weight: Weights) -> Bool[Tensor, " n"]:
    """Rows that have any pair."""
    return truth.some(weight)


def count(weight: Weights) -> Float[Tensor, " n"]:
    """How many pairs a row has (their weights' sum)."""
    return truth.count(weight).to(torch.get_default_dtype()) if weight.dtype == torch.bool else weight.sum(1)


def total(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted sum over a row's pairs. What has no weight must be finite all the same."""
    return torch.linalg.vecdot(x, truth.numbers(weight, x.dtype))


def active(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, "n m"]:
    """Weights of the pairs whose x is above 0."""
    return truth.above(x, 0).mul_(truth.numbers(weight, x.dtype))


def hinge(x: Float[Tensor, "n m"], weight: Weights, power: float = 1.0) -> tuple[Tensor, Tensor]:
    """Σ_j w_ij [x_ij]₊^power of each row, and the weight of its pairs with x above 0."""
    if power in (1, 2) and not torch.compiler.is_compiling():
        return _Hinge.apply(x, weight, power)  # type: ignore[return-value]
    there = active(x, weight)
    return total(x if power == 1 else x.clamp_min(0) ** power, there), there.sum(1)


class _Hinge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, power: float) -> tuple[Tensor, Tensor]:
        slope = active(x, weight)
        many = slope.sum(1)
        slope = slope if power == 1 else slope.mul_(x)
        ctx.save_for_backward(slope)
        ctx.power = power
        ctx.mark_non_differentiable(many)
        return torch.linalg.vecdot(slope, x), many

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * (ctx.power * grad)[:, None], None, None


def average(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted mean over a row's pairs; 0 for a row without any."""
    weight = truth.numbers(weight, x.dtype)
    return divide(torch.linalg.vecdot(x, weight), weight.sum(1))


def only(x: Float[Tensor, "n m"], weight: Weights, fill: float = OUT) -> Float[Tensor, "n m"]:
    """x where there is weight, `fill` elsewhere."""
    return x.masked_fill(~weight if weight.dtype == torch.bool else weight <= 0, fill)


def log_sum_exp(
    x: Float[Tensor, "n m"],
    weight: Weights | Int[Tensor, " n"],
    plus_one: bool = False,
    over: Float[Tensor, " n"] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, " n"]:
    """log Σ_j w_ij e^{scale x_ij}, 0 for a row without pairs; or log(1 + Σ_j w_ij e^{scale (x_ij − over_i)}); scale > 0.
    Instead of weights `[n m]` it takes columns `[n]`: of each row all but that one.

    >>> log_sum_exp(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
    tensor([0.6931])
    """
    if x.shape[1] == 0:
        return x.sum(1)
    if torch.compiler.is_compiling():  # the compiler fuses what is written out
        inside = torch.logsumexp(only(scale * x + _log(weight, x.dtype), weight), 1)
        if plus_one:
            return F.softplus(inside if over is None else inside - scale * over, threshold=50)
        return torch.where(some(weight), inside, 0)
    return _LogSumExp.apply(x, weight, plus_one, over, scale)  # type: ignore[return-value]


def log_softmax(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, "n m"]:
    """x_ij − log Σ_k w_ik e^{x_ik}."""
    return torch.log_softmax(x, 1) if truth.is_all_true(weight) else x - log_sum_exp(x, weight)[:, None]


class _LogSumExp(torch.autograd.Function):
    """Row by row in few passes over one matrix, which backward scales."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, plus_one: bool, over: Tensor | None, scale: float) -> Tensor:
        one = weight.ndim == 1
        out = weight[:, None] if one else _out(weight, x.dtype)
        share = x.scatter(1, out, OUT) if one else torch.add(x, out, alpha=OUT)
        highest = share.amax(1).clamp_min_(OUT / 10)
        share.sub_(highest[:, None])
        share = share if scale == 1 else share.mul_(scale)
        share.clamp_min_(NOTHING).exp_()
        if one:
            share.scatter_(1, out, 0)
        else:
            share = share.addcmul_(share, out, value=-1) if weight.dtype == torch.bool else share.mul_(weight)
        total = share.sum(1).clamp_min_(LEAST)  # less only in rows without pairs
        inside, slope, chance = total.log().add_(highest, alpha=scale), total.reciprocal_(), None
        if plus_one:
            inside = inside if over is None else inside.sub_(over, alpha=scale)
            chance = inside.sigmoid()
            slope.mul_(chance)
            inside = F.softplus(inside, threshold=50)
        else:
            inside.mul_(highest > OUT / 10)
        ctx.scale = scale
        ctx.save_for_backward(share, slope, chance)
        return inside

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, Tensor | None, None]:
        share, slope, chance = ctx.saved_tensors
        grad = ctx.scale * grad
        on_over = -grad * chance if ctx.needs_input_grad[3] else None
        return share * (grad * slope)[:, None], None, None, on_over, None


def powers(x: Float[Tensor, "n m"], top: Float[Tensor, " n"], weight: Weights, scale: float) -> Float[Tensor, "n m"]:
    """e^{scale x_ij − top_i} where there is weight, 0 elsewhere; `top` has no gradient, and is at least as large as the
    exponents of what has weight.
    """
    if torch.compiler.is_compiling():
        return torch.exp(only(scale * x - top[:, None], weight, NOTHING)) * (weight > 0)
    return _Powers.apply(x, top, weight, scale)  # type: ignore[return-value]


class _Powers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, top: Tensor, weight: Tensor, scale: float) -> Tensor:
        out = torch.mul(x, scale).sub_(top[:, None]).clamp_(NOTHING, 0).exp_()
        out.mul_(truth.numbers(weight, x.dtype) if weight.dtype == torch.bool else truth.above(weight, 0))
        ctx.scale = scale
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return (grad * ctx.saved_tensors[0]).mul_(ctx.scale), None, None, None


def softplus_below(x: Float[Tensor, "n m"], level: Float[Tensor, " n"], weight: Weights) -> Float[Tensor, " n"]:
    """Σ_j w_ij log(1 + e^{level_i − x_ij}). Where few pairs have weight, only they are looked at."""
    few = not torch.compiler.is_compiling() and x.device.type == "cpu" and weight.dtype == torch.bool
    if few and FEW * int(truth.count(weight).sum()) <= weight.numel():
        return _SoftplusBelow.apply(x, level, weight)  # type: ignore[return-value]
    return total(F.softplus(level[:, None] - x, threshold=50), weight)


class _SoftplusBelow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, level: Tensor, weight: Tensor) -> Tensor:
        places = weight.flatten().nonzero()[:, 0]
        rows = places.div(x.shape[1], rounding_mode="floor")
        lack = level[rows] - x.flatten()[places]
        ctx.save_for_backward(places, rows, lack.sigmoid())
        ctx.shape = x.shape
        return torch.zeros_like(level).index_add_(0, rows, F.softplus(lack, threshold=50))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        places, rows, slope = ctx.saved_tensors
        slope = slope * grad[rows]
        on_x = slope.new_zeros(ctx.shape)
        on_x.view(-1)[places] = -slope
        return on_x, torch.zeros_like(grad).index_add_(0, rows, slope), None


def largest(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Largest over a row's pairs; −1e30 for a row without any."""
    if not x.shape[1]:
        return x.sum(1) + OUT
    return torch.where(some(weight), _where(x, weight).amax(1), OUT)


def smallest(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Smallest over a row's pairs; 1e30 for a row without any."""
    return -largest(-x, weight)


def _where(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, "n m"]:
    """x where there is weight and about −1e30 elsewhere: added, which is far quicker than a choice by mask."""
    return torch.add(x, _out(weight, x.dtype), alpha=OUT)


def _out(weight: Weights, dtype: torch.dtype) -> Tensor:
    """1 where there is no weight, else 0."""
    return truth.numbers(~weight, dtype) if weight.dtype == torch.bool else 1 - truth.above(weight, 0).to(dtype)


def _log(weight: Weights, dtype: torch.dtype) -> Tensor:
    if weight.dtype == torch.bool:
        return torch.zeros((), dtype=dtype, device=weight.device)
    return torch.where(weight > 0, weight, 1).log()

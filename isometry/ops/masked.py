"""Sums, maxima and log-sum-exps over the pairs of a row that have weight. Empty is neutral: 0 with zero gradient."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Weights = Float[Tensor, "n m"] | Bool[Tensor, "n m"]
OUT = -1e30
"""Stands for a similarity that is not there: finite, so that rows with none have gradients of 0 and not NaN."""


def some(weight: Weights) -> Bool[Tensor, " n"]:
    """Rows that have any pair."""
    return weight.any(1) if weight.dtype == torch.bool else (weight > 0).any(1)


def count(weight: Weights) -> Float[Tensor, " n"]:
    """How many pairs a row has (their weights' sum)."""
    return weight.sum(1).to(torch.get_default_dtype() if weight.dtype == torch.bool else weight.dtype)


def total(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted sum over a row's pairs. What has no weight must be finite all the same."""
    return torch.linalg.vecdot(x, weight.to(x.dtype))


def average(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted mean over a row's pairs; 0 for a row without any."""
    many = count(weight).to(x.dtype)
    return total(x, weight) / torch.where(many > 0, many, 1)


def only(x: Float[Tensor, "n m"], weight: Weights, fill: float = OUT) -> Float[Tensor, "n m"]:
    """x where there is weight, `fill` elsewhere."""
    return x.masked_fill(~weight if weight.dtype == torch.bool else weight <= 0, fill)


def log_sum_exp(x: Float[Tensor, "n m"], weight: Weights, plus_one: bool = False) -> Float[Tensor, " n"]:
    """log Σ_j w_ij e^{x_ij}, or log(1 + Σ_j w_ij e^{x_ij}); 0 for a row without pairs.

    >>> log_sum_exp(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
    tensor([0.6931])
    """
    if x.shape[1] == 0:
        return x.sum(1)
    if torch.compiler.is_compiling():  # the compiler fuses what is written out
        inside = torch.logsumexp(only(x + _log(weight, x.dtype), weight), 1)
        return F.softplus(inside, threshold=50) if plus_one else torch.where(some(weight), inside, 0)
    inside = _LogSumExp.apply(x, weight)[0]
    return F.softplus(inside, threshold=50) if plus_one else torch.where(inside > OUT / 2, inside, 0)


class _LogSumExp(torch.autograd.Function):
    """Row by row in few passes over one matrix, which backward scales; −1e30 where a row has no pairs."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        share = _where(x, weight)
        highest = share.amax(1, keepdim=True).clamp_min_(OUT / 10)
        share.sub_(highest).exp_()
        if weight.dtype != torch.bool:
            share.mul_(weight)
        total = share.sum(1)
        there = total > 0
        return torch.where(there, highest[:, 0] + total.log(), OUT), share, torch.where(there, total, 1).reciprocal_()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        share, scale = ctx.saved_tensors
        return share * (grad * scale)[:, None], None


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
    out = (~weight if weight.dtype == torch.bool else weight <= 0).to(x.dtype)
    return torch.add(x, out, alpha=OUT)


def _log(weight: Weights, dtype: torch.dtype) -> Tensor:
    if weight.dtype == torch.bool:
        return torch.zeros((), dtype=dtype, device=weight.device)
    return torch.where(weight > 0, weight, 1).log()

"""Histograms of a row's pairs whose bins are tents, so that they have a gradient. Over rows that fit the cache."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.triplets import tiles


def tents(
    x: Float[Tensor, "n m"], pos: Tensor, neg: Tensor, last: int
) -> tuple[Float[Tensor, "n b"], Float[Tensor, "n b"]]:
    """Σ_j w_ij max(0, 1 − |x_ij − b|) for b = 0, 1, … last, of positives and of negatives; x lies in [0, last].

    Once differentiable; O(m) a row however many bins, and no memory but the result's.
    """
    return torch.ops.isometry.tents(x, pos, neg, last)


@torch.library.custom_op("isometry::tents", mutates_args=())
def _tents(x: Tensor, pos: Tensor, neg: Tensor, last: int) -> tuple[Tensor, Tensor]:
    found = x.new_zeros(len(x), last + 1), x.new_zeros(len(x), last + 1)
    for rows in tiles(x):
        below, share = _below(x[rows], last)
        for weight, bins in zip((pos, neg), found, strict=True):
            low = weight[rows].to(x.dtype)
            high = low * share
            bins[rows].scatter_add_(1, below, low - high).narrow(1, 1, last).scatter_add_(1, below, high)
    return found


@_tents.register_fake
def _(x: Tensor, pos: Tensor, neg: Tensor, last: int) -> tuple[Tensor, Tensor]:
    return x.new_empty(len(x), last + 1), x.new_empty(len(x), last + 1)


@torch.library.custom_op("isometry::tents_backward", mutates_args=())
def _backward(on_pos: Tensor, on_neg: Tensor, x: Tensor, pos: Tensor, neg: Tensor, last: int) -> Tensor:
    slope = torch.empty_like(x)
    for rows in tiles(x):
        below, _ = _below(x[rows], last)
        torch.mul(pos[rows], on_pos[rows].diff(dim=1).gather(1, below), out=slope[rows])
        slope[rows].addcmul_(neg[rows].to(x.dtype), on_neg[rows].diff(dim=1).gather(1, below))
    return slope


@_backward.register_fake
def _(on_pos: Tensor, on_neg: Tensor, x: Tensor, pos: Tensor, neg: Tensor, last: int) -> Tensor:
    return torch.empty_like(x)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.last = inputs[3]


def _differentiate(ctx: Any, on_pos: Tensor, on_neg: Tensor) -> tuple[Tensor, None, None, None]:
    return torch.ops.isometry.tents_backward(on_pos, on_neg, *ctx.saved_tensors, ctx.last), None, None, None


_tents.register_autograd(_differentiate, setup_context=_keep)


def _below(x: Tensor, last: int) -> tuple[Tensor, Tensor]:
    """The bin at or below each x, and how far beyond it x lies."""
    below = x.long().clamp_(0, last - 1)
    return below, x - below

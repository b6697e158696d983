"""Straight-line distances of labels, at the speed of a matrix product and as exact as differences."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FEW = 1 << 14
"""Pairs below which a product is not worth its preparation."""
NARROW = 4
"""Numbers a row up to which differences are as fast."""
PIECE = 1 << 19
"""Pairs whose product is made at once: what a processor's cache holds, in double precision."""
CLOSE = 2.0**-24
"""Squares below this share of the longest rows' are subtracted: the product's rounding would be seen in single precision."""
MANY = 0.05
"""The share of such pairs from which on all are subtracted."""


def straight(rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
    """‖a_i − b_j‖ for all pairs, to the last bits of single precision. NaN where a row has one. No gradient by the product.

    On a processor, |a|² + |b|² − 2a·b is one product in double precision about the mean, and pairs that are very close, equal
    ones among them, are subtracted. Short lists, narrow rows, other precisions and devices are subtracted altogether.

    >>> straight(torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0], [0.0, 3.0]]))
    tensor([[5., 0.]])
    """
    plain = rows.ndim == 2 and rows.dtype == cols.dtype == torch.float32 and rows.device.type == "cpu"
    watched = torch.is_grad_enabled() and (rows.requires_grad or cols.requires_grad)
    if not plain or watched or rows.shape[1] <= NARROW or len(rows) * len(cols) < FEW or torch.compiler.is_compiling():
        return subtracted(rows, cols)
    b = cols.double()
    centre = b.nanmean(0).nan_to_num_()
    a, b = rows.double().sub_(centre), b.sub_(centre)
    length, other = (x.square().sum(1, keepdim=True) for x in (a, b))
    left = torch.cat([a, length, torch.ones_like(length)], 1)
    right = torch.cat([b.mul_(-2), torch.ones_like(other), other], 1).T
    least = CLOSE * float(length.nan_to_num().max() + other.nan_to_num().max())
    out = rows.new_empty(len(rows), len(cols))
    for some in torch.arange(len(rows)).split(max(1, PIECE // len(cols))):
        place = slice(int(some[0]), int(some[-1]) + 1)
        squares = out[place].copy_(left[place] @ right)
        close = places(squares <= least)
        if len(close) > MANY * squares.numel():
            squares.copy_(subtracted(rows[place], cols))
            continue
        apart = rows[place][close // len(cols)] - cols[close % len(cols)]
        squares.view(-1)[close] = apart.square().sum(1)
        squares.sqrt_()
    return out


def subtracted(rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
    """The same, each pair by its own differences."""
    return torch.cdist(rows, cols, compute_mode="donot_use_mm_for_euclid_dist")


def places(true: Bool[Tensor, "n m"]) -> Int[Tensor, " k"]:
    """Where a matrix is true, counted along its rows, where that is rare; besides, what lies within eight of such a place."""
    if true.shape[1] % 8:
        return true.view(-1).nonzero().squeeze(1)
    return (8 * true.view(torch.int64).view(-1).nonzero() + torch.arange(8)).view(-1)

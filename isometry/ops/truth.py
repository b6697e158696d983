"""Matrices of truth values, by the passes that a processor makes fast.

On a processor, comparing into truth values, adding those up and turning them into numbers each cost about five times the
same pass over numbers: so numbers are compared into numbers, narrow ones, and truth values are read as the bytes they are.
"""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

MANY = 2**15
"""From so many comparisons on it pays to look at the numbers first."""


def equal(rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]) -> Bool[Tensor, "n m"]:
    """Whether the row's number is the column's."""
    if torch.compiler.is_compiling() or rows.device.type != "cpu" or len(rows) * len(cols) < MANY:
        return rows[:, None] == cols[None, :]
    kind = _narrowest(rows, cols)
    a, b = rows.to(kind), cols.to(kind)
    return torch.eq(a[:, None], b[None, :], out=a.new_empty(len(a), len(b))).bool()


def _narrowest(*numbers: Int[Tensor, "..."]) -> torch.dtype:
    ends = [int(end) for x in numbers for end in x.aminmax()]
    fitting = (
        kind
        for kind in (torch.int16, torch.int32)
        if torch.iinfo(kind).min <= min(ends) and max(ends) <= torch.iinfo(kind).max
    )
    return next(fitting, torch.int64)


def all_true(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Bool[Tensor, "n m"]:
    """Yes for every row and column, without memory: `is_all_true` tells it at once."""
    return torch.ones((), dtype=torch.bool, device=rows.device).expand(len(rows), len(cols))


def is_all_true(mask: Shaped[Tensor, "n m"]) -> bool:
    """Whether it is known, without looking at each, that everything holds."""
    if torch.compiler.is_compiling() or mask.dtype != torch.bool or mask.device.type != "cpu" or not mask.numel():
        return False
    return mask.stride() == (0, 0) and bool(mask[0, 0])


def above(x: Float[Tensor, "n m"], least: float) -> Float[Tensor, "n m"]:
    """1 where x is above `least`, else 0."""
    if torch.compiler.is_compiling():
        return (x > least).to(x.dtype)
    return torch.gt(x.detach(), least, out=torch.empty_like(x))


def numbers(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Truth values as ones and zeros; numbers as they are."""
    return (mask.view(torch.uint8) if mask.dtype == torch.bool else mask).to(dtype)


def times(weights: Tensor, mask: Tensor) -> Tensor:
    """Weights where the mask holds; truth values stay truth values."""
    return weights & mask if weights.dtype == torch.bool else weights * mask


def other_than(weights: Tensor) -> Tensor:
    """What is left of 1; truth values stay truth values."""
    return ~weights if weights.dtype == torch.bool else 1 - weights


def either(pos: Tensor, neg: Tensor) -> Tensor:
    """Both weights together; truth values stay truth values."""
    return pos | neg if pos.dtype == neg.dtype == torch.bool else pos + neg


def some(mask: Shaped[Tensor, "n m"]) -> Bool[Tensor, " n"]:
    """Rows in which something holds, or has a weight above 0."""
    if not mask.shape[1]:
        return mask.new_zeros(len(mask), dtype=torch.bool)
    return (mask.view(torch.uint8) if mask.dtype == torch.bool else mask).amax(1) > 0


def count(mask: Bool[Tensor, "n m"]) -> Int[Tensor, " n"]:
    """How many of a row hold."""
    return mask.view(torch.uint8).sum(1, dtype=torch.int32)

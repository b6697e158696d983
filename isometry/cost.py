"""What a loss writes down: sums over rows and what to divide them by.

An objective never divides over rows: the engine adds both vectors up over blocks and ranks, and divides once. So the
same text has the same value and gradient densely, in blocks, over ranks and from cached embeddings.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

LEAST = 1e-20
"""Less than anything is counted."""


class RowSum(NamedTuple):
    """One term of a cost: `total [n]` (or `[n k]`) over what each row has, and its `count [n]` (no gradient)."""

    total: Float[Tensor, "n *k"]
    count: Float[Tensor, " n"]


class Cost(dict[str, RowSum]):
    """Named terms: `Cost(pull=mean(pull, where=rel.pos.any(1)), push=mean(push))`."""


def mean(x: Float[Tensor, "n *k"], where: Bool[Tensor, " n"] | None = None) -> RowSum:
    """A term that is averaged over rows, or over the rows where `where` holds."""
    if where is None:
        return RowSum(x, x.new_ones(len(x)))
    shown = where.reshape(-1, *[1] * (x.ndim - 1))
    return RowSum(torch.where(shown, x, 0), where.to(x.dtype))


def ratio(total: Float[Tensor, "n *k"], count: Float[Tensor, " n"]) -> RowSum:
    """A term averaged over something that rows have many of: pairs, triplets."""
    return RowSum(total, count.detach().to(total.dtype))


def divide(total: Tensor, count: Tensor) -> Tensor:
    """total / count; 0 where there was nothing to count."""
    return total / count.clamp_min(LEAST)

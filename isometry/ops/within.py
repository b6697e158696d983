"""Pairs within classes, for items that are sorted by class: blocks beside the diagonal, never a full matrix."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes

ROWS = 512  # items at once, at most
CHUNK = 2**19  # numbers at once: what fits the cache

Compare = Callable[[Tensor, Tensor], Tensor]


def blocks(size: Int[Tensor, " c"], memory: str | int) -> Iterator[tuple[slice, slice]]:
    """Slices of items, and for each the slice that holds their classes, whole."""
    end = size.cumsum(0)
    n = int(end[-1]) if len(end) else 0
    most = int(size.max()) if n else 0
    rows = max(1, min(ROWS, in_bytes(memory) // (48 * (ROWS + 2 * most))))
    owner = torch.repeat_interleave(torch.arange(len(size), device=size.device), size)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        first, last = int(owner[start]), int(owner[stop - 1])
        yield slice(start, stop), slice(int(end[first] - size[first]), int(end[last]))


def over_others(
    z: Float[Tensor, "n d"],
    size: Int[Tensor, " c"],
    compare: Compare,
    reduce: Callable[[Tensor, Tensor], Tensor],
    memory: str | int,
) -> Float[Tensor, " n"]:
    """What `reduce(values, mask)` makes of each item's values with the others of its class; float64.

    Args:
        size: sizes of the classes, in the order of the items.
        compare: `(z_i, z_j) -> [rows cols]`, of rows in float64.
    """
    owner = torch.repeat_interleave(torch.arange(len(size), device=z.device), size)
    made = [z.new_empty(0, dtype=torch.float64)]
    for rows, cols in blocks(size, memory):
        other = owner[rows, None] == owner[None, cols]
        place = torch.arange(rows.start, rows.stop, device=z.device)
        other[place - rows.start, place - cols.start] = False
        made.append(reduce(compare(z[rows].double(), z[cols].double()), other))
    return torch.cat(made)


def mean(values: Float[Tensor, "n m"], mask: Tensor) -> Float[Tensor, " n"]:
    """Of the values under the mask; NaN where there is none."""
    return torch.where(mask, values, 0).sum(1) / mask.sum(1)


def sums(
    z: Float[Tensor, "n d"], size: Int[Tensor, " c"], embed: Callable[[Tensor], Tensor]
) -> tuple[Float[Tensor, "c e"], Float[Tensor, " c"]]:
    """Σ x_i and Σ ‖x_i‖² over the items of each class, of x_i = embed(z_i) in float64."""
    owner = torch.repeat_interleave(torch.arange(len(size), device=z.device), size)
    width = embed(z[:1].double()).shape[1]
    total = z.new_zeros(len(size), width, dtype=torch.float64)
    squares = total.new_zeros(len(size))
    for rows in chunks(z):
        x = embed(z[rows].double())
        total.index_add_(0, owner[rows], x)
        squares.index_add_(0, owner[rows], x.square().sum(1))
    return total, squares


def chunks(z: Float[Tensor, "n d"]) -> list[slice]:
    """Slices of rows that fit the cache."""
    step = max(1, CHUNK // max(1, z.shape[1]))
    return [slice(start, min(start + step, len(z))) for start in range(0, len(z), step)]

"""Distances of all rows to all columns, made piece by piece so that what is needed on the way stays small."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

ROOM = 2**25
"""Numbers held at once on the way, about."""


def in_pieces(
    distance: Callable[[Tensor, Tensor], Tensor],
    rows: Float[Tensor, "*b n t"],
    cols: Float[Tensor, "*b m t"],
    each: int,
    room: int = ROOM,
) -> Float[Tensor, "*b n m"]:
    """`distance(rows, cols)` of some rows at a time, where it needs `each` numbers for every pair.

    `distance` takes `[b n t]` and `[b m t]`. The result does not depend on how the work is cut.
    """
    lists, n, m = rows.shape[:-2], rows.shape[-2], cols.shape[-2]
    if not (math.prod(lists) and n and m):
        return rows.new_zeros(*lists, n, m)
    a, b = rows.reshape(-1, n, rows.shape[-1]), cols.reshape(-1, m, cols.shape[-1])
    some = max(1, room // max(1, m * each))  # rows at once
    many = max(1, some // max(1, n))  # lists at once
    made = [
        torch.cat([distance(part, b[i : i + many]) for part in a[i : i + many].split(some, 1)], 1)
        for i in range(0, len(a), many)
    ]
    return torch.cat(made).reshape(*lists, n, m)

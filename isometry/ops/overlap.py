"""How much sparse rows share, without a pass over the pairs that share nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes

MEETINGS = 2**18  # common entries of two rows that are looked at together, at most
CELLS = 2**19  # pairs of rows kept in view, at most: what a cache holds


def overlaps(
    a: Any, b: Any, memory: str | int = "512 MB"
) -> Iterator[tuple[slice, Int[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]]:
    """Σ_f min(a_if, b_jf) of all pairs of rows that have a column in common.

    Args:
        a, b: scipy matrices of compressed rows, `[n F]` and `[m F]`, all entries positive.

    Yields:
        Rows of `a`; and for each pair its row of `a` (counted from the first of these, rising), its row of `b`, its sum.
    """
    columns = b.tocsc()
    start, item, weight = (torch.from_numpy(part) for part in (columns.indptr, columns.indices, columns.data))
    row_start, feature, mine = (torch.from_numpy(part) for part in (a.indptr, a.indices, a.data))
    m = b.shape[0]
    step = max(1, min(CELLS, in_bytes(memory) // 40) // max(1, m))
    most = max(1, min(MEETINGS, in_bytes(memory) // 160))
    total = torch.zeros(step * m, dtype=torch.float64)
    for first in range(0, a.shape[0], step):
        last = min(first + step, a.shape[0])
        entries = slice(int(row_start[first]), int(row_start[last]))
        lengths = (row_start[first + 1 : last + 1] - row_start[first:last]).long()
        base = torch.repeat_interleave(torch.arange(last - first) * m, lengths)
        f = feature[entries].long()
        meetings = (start[f + 1] - start[f]).long()
        for part in _pieces(meetings, most):
            count = meetings[part]
            at = torch.repeat_interleave(start[f[part]] - count.cumsum(0) + count, count)
            at += torch.arange(len(at))
            cell = torch.repeat_interleave(base[part], count) + item[at]
            total.scatter_add_(0, cell, torch.minimum(torch.repeat_interleave(mine[entries][part], count), weight[at]))
        cell = torch.from_numpy(np.flatnonzero(total.numpy() != 0))
        sums = total[cell]
        total[cell] = 0
        row = torch.div(cell, m, rounding_mode="floor")
        yield slice(first, last), row, cell - row * m, sums


def _pieces(count: Tensor, most: int) -> Iterator[slice]:
    """Neighbouring entries whose counts add up to `most` at most (or single ones that are larger)."""
    end = count.cumsum(0)
    start = 0
    while start < len(count):
        before = int(end[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(end, before + most, right=True)))
        yield slice(start, stop)
        start = stop

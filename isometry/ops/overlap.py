"""How much sparse rows share, without a pass over the pairs that share nothing."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.sparse import CSR

MEETINGS = 2**19  # common entries of two rows that are looked at together, at most
BYTES = 64  # what one of them takes
ROWS = 1024  # rows together, at most


def overlaps(a: CSR, b: CSR, besides: CSR | None = None, memory: str | int = "512 MB") -> Iterator[tuple[slice, CSR]]:
    """Σ_f min(a_if, b_jf) of all pairs of rows that have a column in common, some rows of `a` at a time.

    The minima stand in a sparse matrix with a row for each entry of `a`, and a product adds up those of a row of `a`: time
    and memory grow with the number of common entries, not with that of pairs.

    Args:
        a, b: `[n F]` and `[m F]`, all entries positive.
        besides: `[n m]`, values to add to the sums.

    Yields:
        Rows of `a`, and their sums `[r m]`, those of a row in no order.
    """
    from scipy.sparse import csr_array, vstack

    extra: CSR = csr_array((a.shape[0], b.shape[0])) if besides is None else besides
    columns = b.tocsc()
    columns = csr_array((columns.data, columns.indices, columns.indptr), shape=columns.shape[::-1])
    for rows in _pieces(a, np.diff(columns.indptr), max(1, min(MEETINGS, in_bytes(memory) // BYTES))):
        start = a.indptr[rows.start : rows.stop + 1]
        entries = slice(start[0], start[-1])
        shared = columns[a.indices[entries]]
        np.minimum(shared.data, np.repeat(a.data[entries], np.diff(shared.indptr)), out=shared.data)
        yield rows, _adding(start - start[0]) @ vstack([shared, extra[rows]], format="csr")


def at_least(sums: CSR, least: Float[Tensor, " r"]) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]:
    """The stored values of each row that are no smaller than its `least`: their rows and columns, rising, and they."""
    at = np.flatnonzero(sums.data >= np.repeat(least.cpu().numpy(), np.diff(sums.indptr)))
    row, column = np.searchsorted(sums.indptr, at, side="right") - 1, sums.indices[at].astype(np.int64)
    order = np.argsort(row * sums.shape[1] + column)
    parts = (torch.from_numpy(part[order]).to(least.device) for part in (row, column, sums.data[at]))
    return next(parts), next(parts), next(parts)


def _adding(start: np.ndarray) -> CSR:
    """Adds up neighbouring rows of a matrix, from each start to the next, and to each sum one of the rows after them."""
    from scipy.sparse import csr_array

    n, size = len(start) - 1, int(start[-1])
    index = np.insert(np.arange(size, dtype=np.int32), start[1:], size + np.arange(n, dtype=np.int32))
    return csr_array((np.ones(len(index)), index, start + np.arange(n + 1, dtype=np.int32)), shape=(n, size + n))


def _pieces(a: CSR, met: np.ndarray, most: int) -> Iterator[slice]:
    """Neighbouring rows whose entries meet `most` others at most (or single ones that meet more)."""
    start, n = 0, a.shape[0]
    while start < n:
        ends = a.indptr[start : start + ROWS + 1] - a.indptr[start]
        reach = np.concatenate([[0], met[a.indices[a.indptr[start] :][: ends[-1]]].cumsum()])[ends[1:]]
        stop = start + max(1, int(np.searchsorted(reach, most, side="right")))
        yield slice(start, stop)
        start = stop

"""Sparse matrices of compressed rows (scipy's `csr_array`, float64, on the CPU)."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

CSR = Any


def from_lists(index: Int[Tensor, "n k"], weight: Float[Tensor, "n k"], columns: int) -> CSR:
    """A row for each list: `weight` at `index`; −1 holds nothing, and no index is twice in a list.

    >>> from_lists(torch.tensor([[1, -1], [0, 1]]), torch.tensor([[2.0, 0.0], [3.0, 4.0]]), 2).toarray()
    array([[0., 2.], [3., 4.]])
    """
    there = index >= 0
    return from_counts(there.sum(1), index[there], weight[there], columns)


def from_counts(count: Int[Tensor, " n"], index: Int[Tensor, " p"], weight: Float[Tensor, " p"], columns: int) -> CSR:
    """Rows of the given lengths, one after the other."""
    from scipy.sparse import csr_array

    start = np.concatenate([[0], count.cpu().numpy().cumsum()])
    small = max(columns, int(start[-1])) < 2**31
    kind = np.int32 if small else np.int64
    parts = (weight.double().cpu().numpy(), index.cpu().numpy().astype(kind), start.astype(kind))
    return csr_array(parts, shape=(len(count), columns))


def normalised(w: CSR) -> CSR:
    """D^{-1/2} W D^{-1/2}, D holding the row sums; rows that sum to zero stay zero."""
    from scipy.sparse import diags_array

    degree = np.asarray(w.sum(axis=1)).ravel()
    scale = diags_array(np.where(degree > 0, degree, 1) ** -0.5 * (degree > 0))
    return (scale @ w @ scale).tocsr()


def row_of_entries(a: CSR) -> np.ndarray:
    """The row of each stored entry."""
    return np.repeat(np.arange(a.shape[0]), np.diff(a.indptr))


def largest(a: CSR, keep: int) -> CSR:
    """The `keep` largest entries of each row, the lower column first among equals.

    >>> from scipy.sparse import csr_array
    >>> largest(csr_array([[3.0, 1.0, 2.0], [0.0, 5.0, 0.0]]), 2).toarray()
    array([[3., 0., 2.], [0., 5., 0.]])
    """
    from scipy.sparse import csr_array

    if not a.nnz or int(np.diff(a.indptr).max()) <= keep:
        return a
    row = row_of_entries(a)
    order = np.lexsort((a.indices, -a.data, row))
    kept = np.sort(order[np.arange(a.nnz) - a.indptr[row] < keep])
    start = np.concatenate([[0], np.bincount(row[kept], minlength=a.shape[0]).cumsum()])
    return csr_array((a.data[kept], a.indices[kept], start), shape=a.shape)


def lists(a: CSR, k: int) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k largest entries of each row, largest first, padded with −inf and −1."""
    a = largest(a, k)
    row = row_of_entries(a)
    order = np.lexsort((a.indices, -a.data, row))
    place = np.arange(a.nnz) - a.indptr[row]
    weight = np.full((a.shape[0], k), -np.inf)
    index = np.full((a.shape[0], k), -1)
    weight[row, place], index[row, place] = a.data[order], a.indices[order]
    return torch.from_numpy(weight), torch.from_numpy(index)

"""Everything searches everything: a product of a matrix with itself, of which one half is the other's mirror image.

Each tile of the upper half is made once and read twice, by its rows and by its columns; so all neighbours of n items take half of
n² products. What a tile adds to a row's best is little after the first few: only where the maximum of a group of similarities
passes the row's k-th best are the members looked at.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TILE = 2048
"""Items of a side of a tile."""
ROOM = 6 * TILE**2
"""Bytes of a tile, and of what is found in it."""
GROUP = 8
"""Similarities of which one maximum is taken."""
MOST = 64
"""With more neighbours than this, too many groups pass."""
LEAST = 4 * TILE
"""With fewer items there is nothing to gain."""
NARROW = 256
"""With fewer dimensions a product costs no more than reading what it gives."""


def worth(q: Tensor, g: Tensor, k: int) -> bool:
    """Whether queries and gallery are the same rows of memory, on a processor, and enough of them."""
    same = q is g or (q.data_ptr() == g.data_ptr() and q.shape == g.shape and q.stride() == g.stride())
    enough = len(q) >= LEAST and q.shape[1] >= NARROW and k <= MOST
    return same and enough and q.device.type == "cpu" and q.dtype == torch.float32


def by_halves(z: Float[Tensor, "n d"], k: int) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k largest float32 inner products of each row with all rows, itself included, and the rows they are with."""
    n = len(z)
    best = z.new_full((n, k), -torch.inf)
    index = torch.zeros(n, k, dtype=torch.int64)
    room = z.new_empty(TILE, TILE)
    for top in range(0, n, TILE):
        rows = slice(top, min(top + TILE, n))
        for left in range(top, n, TILE):
            cols = slice(left, min(left + TILE, n))
            tile = room.view(-1)[: (rows.stop - top) * (cols.stop - left)].view(rows.stop - top, -1)
            torch.mm(z[rows], z[cols].T, out=tile)
            _take(best[rows], index[rows], tile, left, fresh=left == 0)
            if left > top:
                _take(best[cols], index[cols], tile.T, top, fresh=top == 0)
    return best, index


def _take(best: Tensor, index: Tensor, score: Float[Tensor, "n m"], first: int, *, fresh: bool) -> None:
    """Puts what is larger than a row's last into its `best [n k]`, in order; column j of `score` is item `first` + j. `fresh`:
    rows that have nothing yet."""
    if fresh:
        torch.topk(score, best.shape[1], dim=1, out=(best, index))
        index += first
        return
    if score.shape[1] % GROUP:
        row, col = (score > best[:, -1:]).nonzero(as_tuple=True)
        value = score[row, col]
    else:
        row, col, value = _larger(score, best[:, -1])
    if len(row):
        _merge(best, index, row, col + first, value)


def _larger(score: Float[Tensor, "n m"], least: Float[Tensor, " n"]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and values of the scores above `least`, by row. A group is every (m / `GROUP`)th column, or neighbours in a
    tile that is turned: whatever lies so that maxima are taken along whole lines of memory.
    """
    n, m = score.shape
    apart = m // GROUP
    if score.stride(1) == 1:
        highest = score.view(n, GROUP, apart).amax(1)
    else:
        highest = score.T.view(GROUP, apart, n).amax(0).T
    row, group = (highest > least[:, None]).nonzero(as_tuple=True)
    cols = group[:, None] + torch.arange(0, m, apart)
    value = score[row[:, None], cols]
    hit, member = (value > least[row][:, None]).nonzero(as_tuple=True)
    return row[hit], cols[hit, member], value[hit, member]


def _merge(best: Tensor, index: Tensor, row: Tensor, item: Tensor, value: Tensor) -> None:
    """The k best of what a row had and what is new; `row` ascends."""
    k = best.shape[1]
    some, number, count = row.unique_consecutive(return_inverse=True, return_counts=True)
    place = torch.arange(len(row)) - (count.cumsum(0) - count)[number] + k
    width = k + int(count.max())
    values, items = best.new_full((len(some), width), -torch.inf), index.new_zeros(len(some), width)
    values[:, :k], items[:, :k] = best[some], index[some]
    values[number, place], items[number, place] = value, item
    found, order = values.topk(k, dim=1)
    best[some], index[some] = found, items.gather(1, order)

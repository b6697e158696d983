"""Where the matches of a query come in the order of the whole gallery: counted, without the order itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

NOWHERE = 2**62  # the place of no item
FEW = 6  # matches a query up to which each is compared with all items; above, items are sorted


def places(
    sim: Float[Tensor, "n m"], match: Bool[Tensor, "n m"], keys: Callable[[Tensor], Int[Tensor, "k m"]]
) -> tuple[Int[Tensor, "n p"], Int[Tensor, "n p"], Bool[Tensor, " n"]]:
    """Places of the matches, rising from 1, padded with `NOWHERE`; their columns; and for which rows ties matter.

    Ties matter where a match and another item are equally similar. Only there are `keys` asked for: for some rows, whole
    numbers that are never equal, in the order of the similarities.

    Args:
        sim: similarities; −inf for items that are left out, which match nothing.

    >>> sim = torch.tensor([[0.9, 0.1, 0.5, 0.7]])
    >>> places(sim, torch.tensor([[False, True, False, True]]), lambda rows: sim[rows].argsort(1))[0]
    tensor([[2, 4]])
    """
    value, column = _matches(sim, match)
    p = value.shape[1]
    real = column >= 0
    above, equal = _compared(sim, value) if p <= FEW else _searched(sim, value)
    slot = torch.arange(p, device=sim.device)
    first = torch.searchsorted(-value, -value)  # the first slot of the same value
    among = torch.searchsorted(-value, -value, right=True) - first
    place = above + 1 + slot - first
    mixed = (real & (equal > among)).any(1)
    rows = mixed.nonzero().squeeze(1)
    if len(rows):
        place[rows], column[rows] = _by_keys(keys(rows), column[rows])
    return place.masked_fill(~real, NOWHERE), column, mixed


def _matches(sim: Tensor, match: Tensor) -> tuple[Tensor, Tensor]:
    """Similarities and columns of the matches, most similar first; −inf and −1 where a row has no more."""
    row, col = match.nonzero(as_tuple=True)
    many = match.sum(1)
    p = int(many.max()) if len(many) else 0
    slot = torch.arange(len(row), device=sim.device) - (many.cumsum(0) - many)[row]
    value = torch.full((len(sim), p), -torch.inf, device=sim.device)
    column = torch.full((len(sim), p), -1, device=sim.device)
    value[row, slot], column[row, slot] = sim[row, col], col
    value, order = value.sort(dim=1, descending=True, stable=True)
    return value, column.gather(1, order)


def _compared(sim: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """How many items lie above each value, and how many are equal to it, match by match."""
    above, equal = torch.zeros((2, *value.shape), dtype=torch.int64, device=sim.device)
    for j in range(value.shape[1]):
        one = value[:, j : j + 1]
        above[:, j], equal[:, j] = (sim > one).sum(1), (sim == one).sum(1)
    return above, equal


def _searched(sim: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The same, by sorting the items."""
    ordered = ascending(sim)
    value = value.contiguous()
    right = torch.searchsorted(ordered, value, right=True)
    return sim.shape[1] - right, right - torch.searchsorted(ordered, value)


def _by_keys(key: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Places and columns of the matches where the order of equals is that of the keys."""
    real = column >= 0
    own = key.gather(1, column.clamp_min(0)).masked_fill(~real, torch.iinfo(torch.int64).min)
    own, order = own.sort(dim=1, descending=True)
    above = key.shape[1] - torch.searchsorted(ascending(key), own, right=True)
    return above + 1, column.gather(1, order)


def ascending(x: Shaped[Tensor, "n m"]) -> Shaped[Tensor, "n m"]:
    """Rows in rising order. On a processor by numpy, whose sort is several times faster, on as many threads as torch."""
    if x.device.type != "cpu":
        return x.sort(dim=1).values
    out = x.contiguous().numpy().copy()
    threads = torch.get_num_threads()
    parts = np.array_split(out, max(1, min(threads, len(out))))
    if len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: part.sort(axis=1), parts))
    else:
        out.sort(axis=1)
    return torch.from_numpy(out)

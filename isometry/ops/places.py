"""Where the matches of a query come in the order of the whole gallery."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.ops.ranking import unpack

NOWHERE = 2**62  # the place of no item
FEW = 6  # matches a query up to which each is compared with all items; above, items are sorted

Keys = Callable[[Tensor], Tensor]


def places(
    sim: Float[Tensor, "n m"],
    match: Bool[Tensor, "n m"],
    keys: Keys,
    turn: Int[Tensor, " n"],
    worth: Float[Tensor, "n m"] | None = None,
) -> tuple[Int[Tensor, "n p"], Int[Tensor, "n p"], Bool[Tensor, " n"]]:
    """Places of the matches, rising from 1, padded with `NOWHERE`; their columns, padded with −1; where ties matter.

    Ties matter where a match and another item are equally similar, or two matches of unequal worth.

    Args:
        sim: similarities; −inf for items that are left out, which match nothing.
        keys, turn: for some rows, their `ranking.keys`, and the turns these were made with.

    >>> from isometry.ops.ranking import keys
    >>> sim, turn = torch.tensor([[0.9, 0.1, 0.5, 0.7]]), torch.tensor([0])
    >>> match = torch.tensor([[False, True, False, True]])
    >>> places(sim, match, lambda rows: keys(sim[rows], torch.arange(4), turn[rows], 4), turn)[0]
    tensor([[2, 4]])
    """
    many = match.sum(1)
    if int(many.max() if len(many) else 0) > FEW:
        return _sorted(match, keys(torch.arange(len(sim), device=sim.device)), turn, worth)
    rank, column, mixed = _compared(sim, match, worth)
    rows = mixed.nonzero().squeeze(1)
    if len(rows):
        again = _sorted(match[rows], keys(rows), turn[rows], None)
        width = again[0].shape[1]
        rank[rows], column[rows] = NOWHERE, -1
        rank[rows, :width], column[rows, :width] = again[0], again[1]
    return rank, column, mixed


def _sorted(match: Tensor, key: Tensor, turn: Tensor, worth: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """By sorting all items."""
    sim, order = unpack(~ascending(~key), turn, key.shape[1])
    hit = match.gather(1, order)
    unlike = hit[:, 1:] != hit[:, :-1]
    if worth is not None:
        value = worth.gather(1, order)
        unlike |= value[:, 1:] != value[:, :-1]
    mixed = (unlike & (sim[:, 1:] == sim[:, :-1]) & (sim[:, 1:] > -torch.inf)).any(1)
    place, slot, row = _in_slots(hit)
    rank = place.new_full((len(hit), int(slot.max()) + 1 if len(slot) else 0), NOWHERE)
    column = torch.full_like(rank, -1)
    rank[row, slot], column[row, slot] = place + 1, order[row, place]
    return rank, column, mixed


def _compared(sim: Tensor, match: Tensor, worth: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """By comparing each match with all items; among equals in no stated order."""
    col, slot, row = _in_slots(match)
    width = int(slot.max()) + 1 if len(slot) else 0
    value = torch.full((len(sim), width), -torch.inf, device=sim.device)
    column = torch.full((len(sim), width), -1, device=sim.device)
    value[row, slot], column[row, slot] = sim[row, col], col
    value, order = value.sort(dim=1, descending=True, stable=True)
    column = column.gather(1, order)
    above, equal = torch.zeros((2, *value.shape), dtype=torch.int64, device=sim.device)
    for j in range(width):
        one = value[:, j : j + 1]
        above[:, j], equal[:, j] = (sim > one).sum(1), (sim == one).sum(1)
    same = value[:, :, None] == value[:, None, :]
    real = column >= 0
    mixed = (real & (equal > same.sum(2))).any(1)
    if worth is not None:
        each = worth.gather(1, column.clamp_min(0))
        mixed |= (same & (each[:, :, None] != each[:, None, :]) & real[:, :, None] & real[:, None, :]).flatten(1).any(1)
    earlier = same.tril(-1).sum(2)
    return (above + 1 + earlier).masked_fill(~real, NOWHERE), column, mixed


def _in_slots(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Columns of what is true, which of its row it is, from 0, and its row."""
    row, col = mask.nonzero(as_tuple=True)
    many = torch.bincount(row, minlength=len(mask))
    return col, torch.arange(len(row), device=mask.device) - (many.cumsum(0) - many)[row], row


def ascending(x: Int[Tensor, "n m"]) -> Int[Tensor, "n m"]:
    """Rows in rising order. On a processor by numpy, whose sort is several times faster, on as many threads as torch."""
    if x.device.type != "cpu":
        return x.sort(dim=1).values
    out = x.contiguous().numpy().copy()
    threads = min(torch.get_num_threads(), len(out))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: part.sort(axis=1), np.array_split(out, threads)))
    else:
        out.sort(axis=1)
    return torch.from_numpy(out)

"""Where the matches of a query come in the order of the whole gallery."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.ops.counting import above_and_equal, how_many, in_threads

NOWHERE = 2**62  # the place of no item
LOW = 2**32 - 1
LEFT_OUT = 2**31 - 2**23  # the upper half of the key of −inf
FEW = 16  # matches a query up to which each is compared with all items; above, items are sorted


def places(
    sim: Float[Tensor, "n m"],
    match: Bool[Tensor, "n m"],
    turn: Int[Tensor, " n"],
    worth: Float[Tensor, "n m"] | None = None,
) -> tuple[Int[Tensor, "n p"], Int[Tensor, "n p"], Bool[Tensor, " n"]]:
    """Places of the matches, rising from 1, padded with `NOWHERE`; their columns, padded with −1; where ties matter.

    Ties matter where a match and another item are equally similar, or two matches of unequal worth.

    Args:
        sim: similarities; −inf for items that are left out, which match nothing.
        turn: among equals the first column at or after a row's turn comes first, cyclically, as in `ranking`.

    >>> sim, match = torch.tensor([[0.9, 0.1, 0.5, 0.7]]), torch.tensor([[False, True, False, True]])
    >>> places(sim, match, torch.tensor([0]))[0]
    tensor([[2, 4]])
    """
    many = how_many(match)
    few = int(many.max() if len(many) else 0) <= FEW
    rank, column, mixed = _compared(sim, match, worth) if few else _sorted(match, by_column(sim), worth)
    rows = mixed.nonzero().squeeze(1)
    if len(rows):
        m = sim.shape[1]
        turned = (torch.arange(m, device=sim.device) + turn[rows, None]) % m
        again = _sorted(match[rows].gather(1, turned), by_column(sim[rows].gather(1, turned)), None)
        width = again[0].shape[1]
        rank[rows], column[rows] = NOWHERE, -1
        rank[rows, :width] = again[0]
        column[rows, :width] = torch.where(again[1] >= 0, turned.gather(1, again[1].clamp_min(0)), -1)
    return rank, column, mixed


def by_column(sim: Float[Tensor, "n m"]) -> Int[Tensor, "n m"]:
    """64-bit keys, smaller for larger similarities and, among equals, for earlier columns."""
    bits = (sim + 0.0).view(torch.int32)  # + 0.0: minus zero is zero
    bits = ~(bits ^ ((bits >> 31) & 0x7FFFFFFF))
    return (bits.long() << 32).bitwise_or_(torch.arange(sim.shape[1], device=sim.device))


def _sorted(match: Tensor, key: Tensor, worth: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """By sorting all items."""
    ordered = ascending(key)
    order, bits = ordered & LOW, ordered >> 32
    hit = match.gather(1, order)
    unlike = hit[:, 1:] != hit[:, :-1]
    if worth is not None:
        value = worth.gather(1, order)
        unlike |= value[:, 1:] != value[:, :-1]
    mixed = (unlike & (bits[:, 1:] == bits[:, :-1]) & (bits[:, 1:] < LEFT_OUT)).any(1)
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
    above, equal = above_and_equal(sim, value)
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
    in_threads(lambda rows: out[rows.start : rows.stop].sort(axis=1), len(out))
    return torch.from_numpy(out)

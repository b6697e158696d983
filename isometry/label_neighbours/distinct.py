"""Equal labels taken together: neighbours are searched among distinct labels, and handed out to items.

Ages, hours and ratings have a few values for a million items; all items of one value are each other's neighbours at 0.
Were they taken by index, all would have the same few neighbours. So equals are taken in turn, beginning after the item.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

NO = -1
"""No label: of a list that is not full."""
ROOM = 2**22  # numbers worked on at once


class Distinct(NamedTuple):
    """Which items have which label.

    Attributes:
        labels: `[u t]`, in the order in which they first appear. items: `[m]`, label by label, each in order.
        start: `[u + 1]`, where a label's items begin.
    """

    labels: Float[Tensor, "u t"]
    items: Int[np.ndarray, " m"]
    start: Int[np.ndarray, " u+1"]


def distinct(labels: Float[Tensor, "n t"], known: Int[np.ndarray, " m"]) -> Distinct:
    """The distinct labels of the known items."""
    rows = labels[torch.from_numpy(known)] + 0.0  # −0 is 0
    whole = np.ascontiguousarray(rows.numpy()).view(np.dtype((np.void, rows.shape[1] * rows.element_size())))[:, 0]
    _, first, owner = np.unique(whole, return_index=True, return_inverse=True)
    del whole
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    owner = place[owner.reshape(-1)]
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(first)))])
    unique = rows if len(first) == len(known) else rows[torch.from_numpy(np.sort(first))]
    return Distinct(unique, known[np.argsort(owner, kind="stable")], start)


def handed_out(
    groups: Distinct, rows: np.ndarray, lists: np.ndarray, gaps: np.ndarray, k: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Lists of labels `[b k]` become lists of items: yields items, their neighbours and the distances.

    Among items at one distance: those with the item's own label, beginning after it and going round; then label by label
    in the order of the list, each likewise.
    """
    items, start = groups.items, groups.start
    if len(start) - 1 == len(items):
        yield items[rows], np.where(lists == NO, 0, items[lists]), gaps
        return
    many = start[rows + 1] - start[rows]
    who = np.repeat(np.arange(len(rows)), many)
    own = np.arange(len(who)) - np.repeat(np.cumsum(many) - many, many)  # the item's place among its equals
    named = int(items.max()) + 1
    sought = np.repeat(np.arange(len(start) - 1), np.diff(start)) * named + items
    for part in np.array_split(np.arange(len(who)), -(-len(who) * k * (k + 1) // ROOM) or 1):
        row = who[part]
        near = np.concatenate([rows[row, None], lists[row]], 1)  # labels, the own one first
        there = near != NO
        near = np.where(there, near, 0)
        item = items[start[rows[row]] + own[part]]
        first, size = start[near], np.where(there, start[near + 1] - start[near], 0)
        after = np.searchsorted(sought, near * named + item[:, None], side="right") - first
        size[:, 0] -= 1
        end = np.cumsum(size, 1)
        slot = np.broadcast_to(np.arange(k), (len(part), k))
        which = (end[:, :, None] <= slot[:, None, :]).sum(1)
        full, which = which < near.shape[1], np.minimum(which, near.shape[1] - 1)
        step = slot - np.take_along_axis(end - size, which, 1) + np.take_along_axis(after, which, 1)
        around = np.maximum(1, np.take_along_axis(size, which, 1) + (which == 0))
        at = np.take_along_axis(first, which, 1) + step % around
        gap = np.take_along_axis(np.concatenate([np.zeros((len(part), 1), gaps.dtype), gaps[row]], 1), which, 1)
        yield item, items[np.where(full, at, 0)], np.where(full, gap, np.inf).astype(np.float32)

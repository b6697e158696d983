"""The order of a gallery as a query sees it: by similarity, and among equals by a stated turn.

Similarities are taken in float64 and rounded to float32, so they depend neither on how the work was cut into tiles nor
on the matrix product of one machine: equal vectors tie exactly. A similarity and the place of its item in the turn are
packed into one 64-bit key; keys are never equal, so every selection from them has one answer.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from isometry.ops.counting import above_and_equal

Compare = Callable[[Tensor, Tensor], Tensor]
LOW = 2**32 - 1


def inner(q: Float[Tensor, "*b n d"], g: Float[Tensor, "*b m d"]) -> Float[Tensor, "*b n m"]:
    """qᵀg; the cosine, where rows have length one."""
    return q @ g.mT


def minus_distance(q: Float[Tensor, "*b n d"], g: Float[Tensor, "*b m d"]) -> Float[Tensor, "*b n m"]:
    """−‖q − g‖, from differences: vectors that coincide are at 0 exactly."""
    return -torch.cdist(q, g, compute_mode="donot_use_mm_for_euclid_dist")


def keys(sim: Float[Tensor, "n k"], index: Int[Tensor, "..."], turn: Int[Tensor, " n"], m: int) -> Int[Tensor, "n k"]:
    """64-bit keys, larger is earlier: by float32 similarity, then by how far `index` lies behind `turn`, cyclically."""
    bits = (sim.float() + 0.0).view(torch.int32)  # + 0.0: minus zero is zero
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the order of floats as an order of integers
    behind = index - turn[:, None]
    behind = torch.where(behind < 0, behind + m, behind)
    return (bits.long() << 32).bitwise_or_(behind.neg_().add_(LOW))


def unpack(key: Int[Tensor, "n k"], turn: Int[Tensor, " n"], m: int) -> tuple[Tensor, Tensor]:
    """The similarity and the gallery index of each key."""
    bits = (key >> 32).int()
    sim = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(torch.float32)
    return sim, (LOW - (key & LOW) + turn[:, None]) % max(m, 1)


def tiles(q: Tensor, g: Tensor, compare: Compare, width: int) -> Iterator[tuple[slice, Tensor]]:
    """Similarities of all queries to `width` gallery items at a time, rounded from float64 to float32.

    Raises:
        ValueError: where the similarity is not a number.
    """
    q = q.double()
    for start in range(0, len(g), width):
        sim = compare(q, g[start : start + width].double()).float()
        if sim.isnan().any():
            raise ValueError("The similarity of some pair is NaN; it must be a number for any two finite embeddings.")
        yield slice(start, start + sim.shape[1]), sim


def top(
    q: Float[Tensor, "n d"], g: Float[Tensor, "m d"], k: int, *, compare: Compare, turn: Int[Tensor, " n"], width: int
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The first k of the gallery for each query (k ≤ m), by keys, a tile at a time."""
    m = len(g)
    best = torch.empty(len(q), 0, dtype=torch.int64, device=q.device)
    for cols, sim in tiles(q, g, compare, width):
        key = keys(sim, torch.arange(cols.start, cols.stop, device=q.device), turn, m)
        best = torch.cat([best, key], 1) if best.shape[1] else key
        best = best.topk(min(k, best.shape[1]), dim=1, sorted=cols.stop == m).values
    return unpack(best, turn, m)


def agree(a: Shaped[Tensor, "..."], b: Shaped[Tensor, "..."], *, sets: bool) -> Bool[Tensor, "..."]:
    """Whether labels match, broadcast: equal and known (−1 matches nothing), or, for label sets, sharing a label."""
    return (a & b).any(-1) if sets else (a == b) & (a != -1)


def first_hit(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    *,
    compare: Compare,
    turn: Int[Tensor, " n"],
    match: Callable[[slice], Tensor],
    other: Callable[[slice], Tensor],
    width: int,
) -> Int[Tensor, " n"]:
    """Rank of each query's first match: 1 + the number of other items before its best match. Two passes, no sorting.

    Args:
        match, other: for a slice of the gallery, `[n t]`: whether it matches, and whether it is another item.
    """
    m, lowest = len(g), torch.iinfo(torch.int64).min
    best = torch.full((len(q),), -torch.inf, device=q.device)
    for cols, sim in tiles(q, g, compare, width):
        best = torch.maximum(best, sim.masked_fill(~(match(cols) & other(cols)), -torch.inf).amax(1))
    rank, alike = torch.ones((2, len(q)), dtype=torch.int64, device=q.device)
    for cols, sim in tiles(q, g, compare, width):
        sim = sim.masked_fill(~other(cols), -torch.inf)
        above, equal = above_and_equal(sim, best[:, None])
        matched = ((sim == best[:, None]) & match(cols)).any(1) & (equal[:, 0] == 1)
        rank, alike = rank + above[:, 0], alike + equal[:, 0] - matched.long()
    for at in (alike > 1).nonzero().squeeze(1).split(max(1, len(q) // 8)):  # equals: the turn says which comes first
        first = torch.full((len(at),), lowest, device=q.device)
        for cols, sim in tiles(q[at], g, compare, width):
            key = keys(sim, torch.arange(cols.start, cols.stop, device=q.device), turn[at], m)
            first = torch.maximum(first, key.masked_fill(~(match(cols) & other(cols))[at], lowest).amax(1))
        rank[at] = 1
        for cols, sim in tiles(q[at], g, compare, width):
            key = keys(sim, torch.arange(cols.start, cols.stop, device=q.device), turn[at], m)
            rank[at] += ((key > first[:, None]) & other(cols).expand(len(q), -1)[at]).sum(1)
    return rank


def relevant(
    y: Int[Tensor, " n"], y_g: Int[Tensor, " m"], ids: Int[Tensor, " n"] | None, ids_g: Int[Tensor, " m"] | None
) -> Int[Tensor, " n"]:
    """How many gallery items carry the query's label, itself (by id) not counted. O((n + m) log(n + m)).

    >>> relevant(torch.tensor([5, 5, -1]), torch.tensor([5, 5, -1]), torch.arange(3), torch.arange(3))
    tensor([1, 1, 0])
    """
    count = occurrences(y, y_g)
    if ids is not None and ids_g is not None:
        label = torch.unique(torch.cat([y, y_g]), return_inverse=True)[1]
        item = torch.unique(torch.cat([ids, ids_g]), return_inverse=True)[1]
        pair = item * (int(label.max()) + 1 if len(label) else 1) + label
        count = count - occurrences(pair[: len(y)], pair[len(y) :])
    return count.masked_fill(y == -1, 0)


def occurrences(x: Int[Tensor, " n"], within: Int[Tensor, " m"]) -> Int[Tensor, " n"]:
    """How often each x occurs in `within`."""
    ordered = within.sort().values
    return torch.searchsorted(ordered, x, right=True) - torch.searchsorted(ordered, x)


def shuffled(ids: Int[Tensor, " n"], seed: int) -> Int[Tensor, " n"]:
    """A hash of each id (SplitMix64, as non-negative int64): an order that knows nothing of labels."""
    word = np.uint64
    x = ids.cpu().numpy().astype(word) + word(0x9E3779B97F4A7C15 * (2 * seed + 1) % 2**64)
    x = (x ^ (x >> word(30))) * word(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> word(27))) * word(0x94D049BB133111EB)
    return torch.from_numpy(((x ^ (x >> word(31))) >> word(1)).astype(np.int64)).to(ids.device)

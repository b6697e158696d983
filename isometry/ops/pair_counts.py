"""Genuine and impostor pairs counted by score, exactly, without storing them.

Pairs of one class are few beside all pairs: their distinct scores are kept (the edges), and all pairs are counted at
and between the edges, a sorted tile at a time. What a threshold accepts changes for genuine pairs at the edges only, so
nothing is lost by not knowing the impostors' own scores. Where the edges would not fit in memory they are a sample, and
`genuine_scores` finds those that lie in a gap between two of them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.ranking import agree, shuffled
from isometry.ops.roc import Steps

TILE = 2**20  # pairs at once: what fits the cache
MOST = 2**22  # pairs at once, where there are many edges to place in each tile
PAIR = 48  # bytes that a pair of a tile takes
EDGE = 512  # bytes that an edge takes, until the figures are read off
COARSE = 4096  # edges at most, where groups are left out


@dataclass(frozen=True)
class Pairs:
    """Who is paired with whom.

    Attributes:
        q, g: mapped rows of queries and gallery; the very same tensor where each pair is to be counted once.
        y, y_g: numbers of classes, rising; or label sets, bool.
        ids, ids_g: a query and a gallery item of one id are no pair.
        group, group_g: which group the class belongs to, rising.
        compare: the similarity of mapped rows.
        memory: working memory in bytes, beside these.
    """

    q: Float[Tensor, "n d"]
    g: Float[Tensor, "m d"]
    y: Shaped[Tensor, "n ..."]
    y_g: Shaped[Tensor, "m ..."]
    ids: Int[Tensor, " n"]
    ids_g: Int[Tensor, " m"]
    group: Int[Tensor, " n"]
    group_g: Int[Tensor, " m"]
    compare: Callable[[Tensor, Tensor], Tensor]
    memory: int


class Counted(NamedTuple):
    """What a falling threshold accepts of all pairs, exactly; and of those that do not touch a group, for each group, at
    fewer scores. No groups where there are fewer than two.
    """

    steps: Steps
    without: list[Steps]


def all_pairs(
    q: Float[Tensor, "n d"],
    y: Shaped[Tensor, "n ..."],
    ids: Int[Tensor, " n"],
    against: tuple[Tensor, Tensor, Tensor] | None,
    compare: Callable[[Tensor, Tensor], Tensor],
    memory: str | int,
    *,
    groups: int = 1,
    seed: int = 0,
) -> Pairs:
    """All pairs of items of known label and different id; without `against`, of the items among themselves, once each.

    Args:
        y: classes int64 (−1 is unknown), or label sets, bool (none set is unknown; sharing a label is genuine).
        against: the gallery's rows, labels and ids.
        groups, seed: into how many groups classes are put, as the seed has it. Label sets are one group.
    """
    number = _numbers(y if against is None else torch.cat([y, against[1]]), groups, seed)
    mine = _known(q, y, ids, number)
    other = mine if against is None else _known(*against, number)
    (z, label, name, group), (g, label_g, name_g, group_g) = mine, other
    return Pairs(z, g, label, label_g, name, name_g, group, group_g, compare, in_bytes(memory))


@torch.no_grad()
def genuine_scores(pairs: Pairs, low: float = -math.inf, high: float = math.inf) -> Float[Tensor, " k"]:
    """Distinct scores of genuine pairs from `low` to `high`, rising: all of them, or an even sample where memory ends."""
    room = max(2, pairs.memory // EDGE)
    kept, held, stride = [pairs.q.new_empty(0)], 0, 1
    for sim, same, other, _ in _tiles(pairs, size=TILE, genuine=True):
        score = sim[(same & other).expand_as(sim)]
        kept.append(score[(score >= low) & (score <= high)][::stride])
        held += len(kept[-1])
        while held > room:
            score = torch.cat(kept).unique()
            if len(score) > room // 2:
                score, stride = score[::2], 2 * stride
            kept, held = [score], len(score)
    return torch.cat(kept).unique()


@torch.no_grad()
def counted(pairs: Pairs, edges: Float[Tensor, " k"]) -> Counted:
    """How many genuine and impostor pairs lie at each edge, and between edges.

    Raises:
        ValueError: where the similarity is not a number.
    """
    groups = 1 + max((int(group[-1]) for group in (pairs.group, pairs.group_g) if len(group)), default=0)
    coarse = edges[torch.linspace(0, len(edges) - 1, min(COARSE, len(edges))).long()] if groups > 1 else edges[:0]
    whole = [_Counts(edges), _Counts(edges)]
    touched = [[_Counts(coarse) for _ in range(groups + 1)] for _ in whole]  # the last is of all pairs
    for sim, same, other, blocks in _tiles(pairs, size=min(MOST, max(TILE, 4 * len(edges)))):
        for score, every, parts in zip(_parted(sim, same & other, same | ~other), whole, touched, strict=True):
            if len(score):
                for counts in (every, *(parts[block] for block in {*blocks, groups} if groups > 1)):
                    counts.add(score)
    without = [
        Steps.of(coarse, *((every[-1] - every[group]).sums() for every in touched))
        for group in range(groups if groups > 1 else 0)
    ]
    return Counted(Steps.of(edges, *(every.sums() for every in whole)), without)


def _parted(sim: Tensor, hit: Tensor, blank: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of genuine pairs, and of impostors (all but the `blank` ones), rising."""
    genuine = sim[hit.expand_as(sim)] if hit.any() else sim.new_empty(0)
    if not blank.any():
        return _sorted(genuine), _sorted(sim.flatten())
    count = int((~blank.expand_as(sim)).sum())
    return _sorted(genuine), _sorted(sim.masked_fill(blank, torch.nan).flatten(), count)


class _Counts:
    """Numbers below each edge, and up to it; one more for the end."""

    def __init__(self, edges: Tensor):
        self.edges = edges
        self.below = torch.zeros(len(edges) + 1, dtype=torch.int64, device=edges.device)
        self.upto = self.below.clone()

    def add(self, score: Tensor) -> None:
        """Counts these; they rise."""
        below = torch.searchsorted(score, self.edges)
        tied = (score[below.clamp_max(len(score) - 1)] == self.edges).nonzero().squeeze(1)
        self.below[:-1] += below
        below[tied] = torch.searchsorted(score, self.edges[tied], right=True)
        self.upto[:-1] += below
        self.below[-1] += len(score)

    def __sub__(self, other: "_Counts") -> "_Counts":
        rest = _Counts(self.edges)
        rest.below, rest.upto = self.below - other.below, self.upto - other.upto
        return rest

    def sums(self) -> tuple[Tensor, Tensor]:
        """At the edges `[k]`, and below each and above the last `[k + 1]`."""
        return (self.upto - self.below)[:-1], self.below - torch.nn.functional.pad(self.upto[:-1], (1, 0))


def _sorted(score: Tensor, count: int | None = None) -> Tensor:
    """Rising; the first `count`, behind which there are blanks. On the CPU numpy sorts, with vector instructions."""
    if score.device.type == "cpu":
        score.numpy().sort()
    else:
        score = score.sort().values
    score = score[:count]
    if len(score) and score[-1].isnan():
        raise ValueError("The similarity of some pair is NaN; it must be a number for any two finite embeddings.")
    return score


def _tiles(
    pairs: Pairs, *, size: int, genuine: bool = False
) -> Iterator[tuple[Tensor, Tensor, Tensor, tuple[int, int]]]:
    """Scores of a tile, whether each is of one class, whether it counts at all, and the tile's groups; masks may be
    `[1 1]`.

    Similarities are taken in float64 and rounded to float32, so that equal vectors have equal scores in every tile.
    With `genuine`, tiles that can hold no genuine pair are left out.
    """
    size = max(1, min(size, pairs.memory // 2 // PAIR))
    itself = pairs.q is pairs.g
    width = max(1, min(len(pairs.g), math.isqrt(size)))
    across = _pieces(pairs.group_g, width)
    for a, rows in _pieces(pairs.group, max(1, size // width)):
        for b, cols in across:
            if itself and cols.stop <= rows.start:
                continue
            same = _same(pairs.y[rows], pairs.y_g[cols])
            if genuine and same.numel() == 1 and not same:
                continue
            other = _other(pairs.ids[rows], pairs.ids_g[cols])
            if itself and cols.start < rows.stop:
                later = torch.ones(len(pairs.q[rows]), len(pairs.g[cols]), dtype=torch.bool, device=same.device)
                other = other & later.triu(rows.start - cols.start + 1)
            yield pairs.compare(pairs.q[rows].double(), pairs.g[cols].double()).float(), same, other, (a, b)


def _pieces(group: Tensor, size: int) -> list[tuple[int, slice]]:
    """Consecutive items of one group, `size` at most: the group, and where they are."""
    ends = [0, *torch.bincount(group).cumsum(0).tolist()]
    return [
        (number, slice(start, min(start + size, stop)))
        for number, (first, stop) in enumerate(pairwise(ends))
        for start in range(first, stop, size)
    ]


def _same(y: Tensor, y_g: Tensor) -> Bool[Tensor, "n m"]:
    """Whether pairs are genuine; a single False where classes, which rise, do not overlap."""
    if y.ndim == 2:
        return y.float() @ y_g.float().T > 0
    if y[-1] < y_g[0] or y_g[-1] < y[0]:
        return torch.zeros(1, 1, dtype=torch.bool, device=y.device)
    return agree(y[:, None], y_g[None], sets=False)


def _other(ids: Tensor, ids_g: Tensor) -> Bool[Tensor, "n m"]:
    """Whether the two are different items; a single True where all are."""
    if not torch.isin(ids, ids_g).any():
        return torch.ones(1, 1, dtype=torch.bool, device=ids.device)
    return ids[:, None] != ids_g[None]


def _numbers(y: Tensor, groups: int, seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A map from labels to what they are in the order of groups, and to the groups; classes are dealt out by a hash."""
    if y.ndim == 2:
        return lambda y: (y, torch.zeros(len(y), dtype=torch.int64, device=y.device))
    names = y[y != -1].unique()
    dealt = torch.empty_like(names)
    dealt[shuffled(names, seed).argsort(stable=True)] = torch.arange(len(names), device=y.device)
    group = dealt % max(1, min(groups, len(names)))
    number = group * len(names) + torch.arange(len(names), device=y.device)

    def read(y: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.searchsorted(names, y)
        return number[at], group[at]

    return read


def _known(z: Tensor, y: Tensor, ids: Tensor, number: Callable[..., tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
    """The items of known label, in the order of their classes' numbers: rows, labels, ids and groups."""
    keep = (y != -1 if y.ndim == 1 else y.any(1)).nonzero().squeeze(1)
    label, group = number(y[keep])
    if y.ndim == 1:
        order = label.argsort(stable=True)
        keep, label, group = keep[order], label[order], group[order]
    return z[keep], label, ids[keep], group

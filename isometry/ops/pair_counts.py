"""Genuine and impostor pairs counted by score, exactly, without storing them.

Pairs of one class are few beside all pairs: their distinct scores are kept (the edges), and all pairs are counted at
and between the edges, a sorted tile at a time. What a threshold accepts changes for genuine pairs at the edges only, so
nothing is lost by not knowing the impostors' own scores. Where the edges would not fit in memory they are a sample, and
`genuine_scores` finds those that lie in a gap between two of them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.ranking import agree
from isometry.ops.roc import Steps

TILE = 2**20  # pairs at once: what fits the cache
MOST = 2**22  # pairs at once, where there are many edges to place in each tile
PAIR = 48  # bytes that a pair of a tile takes
EDGE = 512  # bytes that an edge takes, until the figures are read off


@dataclass(frozen=True)
class Pairs:
    """Who is paired with whom.

    Attributes:
        q, g: mapped rows of queries and gallery; the very same tensor where each pair is to be counted once.
        y, y_g: classes, rising; or label sets, bool.
        ids, ids_g: a query and a gallery item of one id are no pair.
        compare: the similarity of mapped rows.
        memory: working memory in bytes, beside these.
    """

    q: Float[Tensor, "n d"]
    g: Float[Tensor, "m d"]
    y: Shaped[Tensor, "n ..."]
    y_g: Shaped[Tensor, "m ..."]
    ids: Int[Tensor, " n"]
    ids_g: Int[Tensor, " m"]
    compare: Callable[[Tensor, Tensor], Tensor]
    memory: int


def all_pairs(
    q: Float[Tensor, "n d"],
    y: Shaped[Tensor, "n ..."],
    ids: Int[Tensor, " n"],
    against: tuple[Tensor, Tensor, Tensor] | None,
    compare: Callable[[Tensor, Tensor], Tensor],
    memory: str | int,
) -> Pairs:
    """All pairs of items of known label and different id; without `against`, of the items among themselves, once each.

    Args:
        y: classes int64 (−1 is unknown), or label sets, bool (none set is unknown; sharing a label is genuine).
        against: the gallery's rows, labels and ids.
    """
    mine = _known(q, y, ids)
    other = mine if against is None else _known(*against)
    return Pairs(mine[0], other[0], mine[1], other[1], mine[2], other[2], compare, in_bytes(memory))


@torch.no_grad()
def genuine_scores(pairs: Pairs, low: float = -math.inf, high: float = math.inf) -> Float[Tensor, " k"]:
    """Distinct scores of genuine pairs from `low` to `high`, rising: all of them, or an even sample where memory ends."""
    room = max(2, pairs.memory // EDGE)
    kept, held, stride = [pairs.q.new_empty(0)], 0, 1
    for sim, same, other in _tiles(pairs, size=TILE, genuine=True):
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
def counted(pairs: Pairs, edges: Float[Tensor, " k"]) -> Steps:
    """How many genuine and impostor pairs lie at each edge, and between edges.

    Raises:
        ValueError: where the similarity is not a number.
    """
    genuine, impostor = _Counts(edges), _Counts(edges)
    for sim, same, other in _tiles(pairs, size=min(MOST, max(TILE, 4 * len(edges)))):
        hit, blank = same & other, same | ~other
        if hit.any():
            genuine.add(sim[hit.expand_as(sim)])
        if blank.any():
            impostor.add(sim.masked_fill(blank, torch.nan).flatten(), int((~blank.expand_as(sim)).sum()))
        else:
            impostor.add(sim.flatten())
    return Steps.of(edges, genuine.sums(), impostor.sums())


class _Counts:
    """Numbers below each edge, and up to it; one more for the end."""

    def __init__(self, edges: Tensor):
        self.edges = edges
        self.below = torch.zeros(len(edges) + 1, dtype=torch.int64, device=edges.device)
        self.upto = self.below.clone()

    def add(self, score: Tensor, count: int | None = None) -> None:
        """Counts those that are numbers: `count` of them, where some were blanked out."""
        count = len(score) if count is None else count
        if not count:
            return
        score = _sorted(score)[:count]
        if score[-1].isnan():
            raise ValueError("The similarity of some pair is NaN; it must be a number for any two finite embeddings.")
        below = torch.searchsorted(score, self.edges)
        tied = (score[below.clamp_max(count - 1)] == self.edges).nonzero().squeeze(1)
        self.below[:-1] += below
        below[tied] = torch.searchsorted(score, self.edges[tied], right=True)
        self.upto[:-1] += below
        self.below[-1] += count

    def sums(self) -> tuple[Tensor, Tensor]:
        """At the edges `[k]`, and below each and above the last `[k + 1]`."""
        return (self.upto - self.below)[:-1], self.below - torch.nn.functional.pad(self.upto[:-1], (1, 0))


def _sorted(score: Tensor) -> Tensor:
    """Rising, NaN last. On the CPU numpy sorts with vector instructions, in place."""
    if score.device.type != "cpu":
        return score.sort().values
    score.numpy().sort()
    return score


def _tiles(pairs: Pairs, *, size: int, genuine: bool = False) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Scores of a tile, whether each is of one class, and whether it counts at all; masks may be `[1 1]`.

    Similarities are taken in float64 and rounded to float32, so that equal vectors have equal scores in every tile.
    With `genuine`, tiles that can hold no genuine pair are left out.
    """
    size = max(1, min(size, pairs.memory // 2 // PAIR))
    itself = pairs.q is pairs.g
    width = max(1, min(len(pairs.g), math.isqrt(size)))
    for start in range(0, len(pairs.q), max(1, size // width)):
        rows = slice(start, start + max(1, size // width))
        for col in range(start if itself else 0, len(pairs.g), width):
            cols = slice(col, col + width)
            same = _same(pairs.y[rows], pairs.y_g[cols])
            if genuine and same.numel() == 1 and not same:
                continue
            other = _other(pairs.ids[rows], pairs.ids_g[cols])
            if itself and cols.start < rows.stop:
                later = torch.ones(len(pairs.q[rows]), len(pairs.g[cols]), dtype=torch.bool, device=same.device)
                other = other & later.triu(start - col + 1)
            yield pairs.compare(pairs.q[rows].double(), pairs.g[cols].double()).float(), same, other


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


def _known(z: Tensor, y: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The items of known label, in the order of their classes."""
    keep = (y != -1 if y.ndim == 1 else y.any(1)).nonzero().squeeze(1)
    if y.ndim == 1:
        keep = keep[y[keep].argsort(stable=True)]
    return z[keep], y[keep], ids[keep]

"""The gallery as the queries see it, a chunk of queries at a time, with whatever the metrics read.

Two ways lead to a ranking. Where metrics look at few neighbours, and labels are classes or label sets, a fast exact search
gives lists. Where they look deep, place every match, or weigh relations of any kind, the similarities of some queries to
the whole gallery are made at once, and the places of the matches are counted in them. Both order equals alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, Ties
from isometry.ops.counting import how_many
from isometry.ops.groups import equals
from isometry.ops.memory import in_bytes
from isometry.ops.neighbours import DENSE, TILE, pieces, rows_in, search
from isometry.ops.places import NOWHERE, places
from isometry.ops.ranking import agree, first_hit, keys, shuffled, tiles
from isometry.protocols.sides import Side

PLENTY = 2**28  # bytes of similarities to the whole gallery at once, at most


class Asked(NamedTuple):
    """What some metrics read."""

    depth: Callable[[int], int]
    first: bool
    ranks: bool
    gaps: bool

    @classmethod
    def by(cls, metrics: list[Metric]) -> "Asked":
        return cls(
            lambda relevant: max((metric.depth(relevant) for metric in metrics), default=1),
            *(
                any(getattr(metric, name) for metric in metrics)
                for name in ("needs_first", "needs_ranks", "needs_gaps")
            ),
        )


@dataclass(frozen=True)
class Contest:
    """Both sides in the order of their hashed ids, which knows nothing of labels.

    Attributes:
        q, g: embedded queries and gallery. order: where each query was given.
        turn: where in the gallery each query begins to count among equals.
        relate: what the labels say of pairs; None where they are classes or label sets.
        lists: neighbours `(similarities, index)` that stand in for the search, or None.
    """

    q: Side
    g: Side
    order: Tensor
    turn: Tensor
    compare: Callable[..., Tensor]
    relate: Any = None
    memory: str | int = "512 MB"
    lists: tuple[Tensor, Tensor] | None = None

    @cached_property
    def own(self) -> list[tuple[Tensor, Tensor]]:
        """Codes of queries and gallery: items with the query's code are left out for it."""
        codes = [] if self.q.ids is None or self.g.ids is None else [(self.q.ids, self.g.ids)]
        return codes + ([] if self.same_sequence is None else [self.same_sequence])

    @cached_property
    def same_sequence(self) -> tuple[Tensor, Tensor] | None:
        """Codes of (class, sequence), never equal where either is unknown."""
        q, g = self.q, self.g
        if q.sequence is None or g.sequence is None:
            return None
        pairs = torch.cat([torch.stack([side.y, side.sequence], 1) for side in (q, g)])  # type: ignore[list-item]
        code = torch.unique(pairs, dim=0, return_inverse=True)[1]
        code = torch.where((pairs < 0).any(1), -1, code)
        one, other = code[: len(q.y)], code[len(q.y) :]
        return torch.where(one < 0, -2, one), other

    def part(self, rows: slice) -> "Contest":
        """Some of the queries."""
        lists = None if self.lists is None else (self.lists[0][rows], self.lists[1][rows])
        return replace(self, q=self.q.take(rows), order=self.order[rows], turn=self.turn[rows], lists=lists)

    def others(self, at: Tensor, cols: slice = slice(None)) -> Tensor:
        """Which items a query may find: `[n m]`, or `[1 1]` where all."""
        left = torch.ones(1, 1, dtype=torch.bool, device=at.device)
        for code_q, code_g in self.own:
            left = left & (code_q[at, None] != code_g[cols][None])
        return left

    def matches(self, at: Tensor, cols: slice = slice(None)) -> Tensor:
        """Which items match, by class or by a shared label, others or not."""
        if self.q.y.ndim == 1:
            return agree(self.q.y[at][:, None], self.g.y[cols][None], sets=False)
        return self.q.y[at].float() @ self.g.y[cols].float().T > 0

    def key(self, at: Tensor, sim: Tensor) -> Tensor:
        """Keys of similarities to the whole gallery."""
        return keys(sim, torch.arange(sim.shape[1], device=sim.device), self.turn[at], sim.shape[1])


def contest(
    queries: Side, gallery: Side, embed: Callable[..., Tensor], compare: Callable[..., Tensor], seed: int, **rest: Any
) -> Contest:
    """Both sides embedded and shuffled."""

    def shuffle(side: Side) -> tuple[Tensor, Side]:
        order = shuffled(_ids(side), seed).argsort(stable=True)
        taken = side.take(order)
        return order, taken._replace(z=embed(taken.z.float()).contiguous())

    order, q = shuffle(queries)
    g = q if gallery is queries else shuffle(gallery)[1]
    turn = shuffled(_ids(q), seed + 1) % max(1, len(g.z))
    return Contest(q, g, order, turn, compare, **rest)


def _ids(side: Side) -> Tensor:
    return torch.arange(len(side.z), device=side.z.device) if side.ids is None else side.ids


class Chunk(NamedTuple):
    """Rankings of some queries: `rows` of the contest; `graded` is what graded metrics see.

    `doubt` marks queries among whose equals it matters which comes first, or may.
    """

    rows: Tensor
    plain: Ranking
    graded: Ranking
    doubt: Tensor


def by_lists(c: Contest, asked: Asked, found: Tensor) -> Iterator[Chunk]:
    """Chunks from lists of neighbours; `found` is how many matches each query has."""
    m, depth = len(c.g.z), asked.depth(int(found.max()) if len(found) else 1)
    for rows, sim, index in _lists(c, min(depth + 1, m)):
        at = torch.arange(len(c.q.z), device=found.device)[rows]
        hits = _hits(c.q.y[rows], c.g.y, index, c.memory)
        equal = (sim[:, 1:] == sim[:, :-1]) & (sim[:, 1:] > -torch.inf)
        doubt = (equal & (hits[:, 1:] != hits[:, :-1])).any(1)
        if depth < hits.shape[1]:
            doubt |= equal[:, depth - 1]
        first = hits.byte().argmax(1) + 1
        unseen = ((found[rows] > 0) & ~hits.any(1)).nonzero().squeeze(1) if asked.first else first[:0]
        for part in pieces(unseen, rows_in(c.memory, 64 * min(TILE, m))):
            first[part] = _first(c, at[part]) if c.lists is None else 2**62
        ranking = Ranking(hits[:, :depth], found[rows], first)
        yield Chunk(at, ranking, ranking, doubt & (found[rows] > 0) if c.lists is None else torch.zeros_like(doubt))


def _lists(c: Contest, k: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    if c.lists is None:
        ids = (c.q.ids, c.g.ids)
        apart = [] if c.same_sequence is None else [c.same_sequence]
        yield from search(c.q.z, c.g.z, k, ids_q=ids[0], ids_g=ids[1], similarity=c.compare, turn=c.turn,
                          memory=c.memory, apart=apart)  # fmt: skip
    else:
        for part in torch.arange(len(c.q.z)).split(rows_in(c.memory, 200 * k)):
            rows = slice(int(part[0]), int(part[-1]) + 1)
            yield rows, c.lists[0][rows], c.lists[1][rows]


def _hits(y: Tensor, y_g: Tensor, index: Tensor, memory: str | int) -> Tensor:
    """Whether each neighbour matches."""
    if y.ndim == 1:
        return agree(y[:, None], y_g[index.clamp_min(0)], sets=False) & (index >= 0)
    parts = torch.arange(len(y), device=y.device).split(rows_in(memory, 2 * index.shape[1] * y.shape[1]))
    return torch.cat([agree(y[p][:, None], y_g[index[p].clamp_min(0)], sets=True) & (index[p] >= 0) for p in parts])


def _first(c: Contest, at: Tensor) -> Tensor:
    """Ranks of the first matches, counted over the whole gallery."""
    return first_hit(
        c.q.z[at], c.g.z, compare=c.compare, turn=c.turn[at], width=TILE,
        match=lambda cols: c.matches(at, cols), other=lambda cols: c.others(at, cols),
    )  # fmt: skip


class Whole(NamedTuple):
    """Some queries and the whole gallery, `[n m]`: similarities (−inf where left out), matches, what pairs are worth."""

    sim: Tensor
    match: Tensor
    other: Tensor
    worth: Tensor | None
    gap: Tensor | None

    @property
    def graded(self) -> Tensor:
        """What graded metrics take for a match."""
        return self.match if self.worth is None else self.worth > 0


def whole(c: Contest, at: Tensor) -> Whole:
    """Similarities and relations of these queries to the whole gallery."""
    sim = torch.empty(len(at), len(c.g.z), device=c.q.z.device)
    for cols, part in tiles(c.q.z[at], c.g.z, c.compare, TILE):
        sim[:, cols] = part
    other = c.others(at).expand_as(sim)
    sim = sim.masked_fill_(~other, -torch.inf)
    if c.relate is None:
        return Whole(sim, c.matches(at) & other, other, None, None)
    rel = c.relate(c.q.y[at], c.g.y)
    known = (rel.any > 0) & other
    gap = torch.where(known, rel.gap.float(), torch.inf)
    return Whole(sim, (rel.pos > 0) & other, other, (rel.affinity.float() * known).clamp_min(0), gap)


def rows_at_once(c: Contest) -> int:
    """How many queries meet the whole gallery at once."""
    each = (48 if c.relate is None else 96) * max(1, len(c.g.z)) + 8 * c.q.z.shape[1]
    return max(1, min(4096, min(in_bytes(c.memory), PLENTY) // each))


def by_places(c: Contest, plain: Asked, graded: Asked | None, rows: Tensor) -> Iterator[tuple[Chunk, Whole]]:
    """Chunks from the whole gallery; `graded` is None where no metric is."""
    for at in rows.split(rows_at_once(c)):
        table = whole(c, at)
        one, mixed = _placed(c, at, table, table.match, plain, None)
        other, also = (one, mixed) if graded is None else _placed(c, at, table, table.graded, graded, table.worth)
        yield Chunk(at, one, other, mixed | also), table


def _placed(
    c: Contest, at: Tensor, table: Whole, match: Tensor, asked: Asked, worth: Tensor | None
) -> tuple[Ranking, Tensor]:
    """The ranking whose matches are counted, and the queries in which ties matter."""
    if not asked.first and not asked.ranks:
        return _foremost(c, at, table, match, asked, worth)
    rank, column, mixed = places(table.sim, match, c.turn[at], worth)
    relevant, m = (rank < NOWHERE).sum(1), table.sim.shape[1]
    depth = min(asked.depth(int(relevant.max()) if len(relevant) else 1), m)
    seen = torch.where(rank <= depth, rank - 1, depth)
    made: dict[str, Tensor] = {"ranks": rank, "others": how_many(table.other)}
    hits = torch.zeros(len(at), depth + 1, dtype=torch.bool, device=rank.device).scatter_(1, seen, True)[:, :depth]
    if worth is not None:
        made["worth"] = worth.gather(1, column.clamp_min(0)) * (column >= 0)
        made["gains"] = worth.new_zeros(len(at), depth + 1).scatter_(1, seen, made["worth"])[:, :depth]
        made["best"] = worth.topk(depth, dim=1).values
    if asked.gaps and table.gap is not None:
        near, also = _foremost(c, at, table, match, asked, worth)
        made["gaps"], made["least_gaps"], mixed = near.gaps, near.least_gaps, mixed | also  # type: ignore[assignment]
    first = rank[:, 0] if rank.shape[1] else torch.ones_like(relevant)
    return Ranking(hits, relevant, first, **made), mixed


def _foremost(
    c: Contest, at: Tensor, table: Whole, match: Tensor, asked: Asked, worth: Tensor | None
) -> tuple[Ranking, Tensor]:
    """The same from the first places alone; ties further down do not matter."""
    relevant, m = how_many(match), table.sim.shape[1]
    depth = min(asked.depth(int(relevant.max()) if len(relevant) else 1), m)
    key = c.key(at, table.sim).masked_fill_(~table.other, torch.iinfo(torch.int64).min)
    index = key.topk(min(depth + 1, m), dim=1).indices
    read = {"hits": match, "gains": worth, "gaps": table.gap if asked.gaps else None}
    seen = {name: x.gather(1, index) for name, x in read.items() if x is not None}
    sim = table.sim.gather(1, index)
    equal = (sim[:, 1:] == sim[:, :-1]) & (sim[:, 1:] > -torch.inf)
    mixed = torch.stack([(equal & (x[:, 1:] != x[:, :-1])).any(1) for x in seen.values()]).any(0)
    if depth < m:
        mixed = mixed | equal[:, depth - 1]
    made: dict[str, Tensor] = {name: x[:, :depth] for name, x in seen.items()}
    made["others"] = how_many(table.other)
    if worth is not None:
        made["best"] = worth.topk(depth, dim=1).values
    if "gaps" in made and table.gap is not None:
        made["least_gaps"] = table.gap.topk(depth, dim=1, largest=False).values
    return Ranking(relevant=relevant, first=made["hits"].byte().argmax(1) + 1, **made), mixed


def ties(c: Contest, table: Whole, metrics: list[Metric]) -> Ties:
    """The groups of equals that some metrics read, which are alike in what they read."""
    metric, match = metrics[0], table.graded if metrics[0].graded else table.match
    relevant = how_many(match)
    most = int(relevant.max()) if len(relevant) else 1
    depth = min(max(one.depth(most) for one in metrics), table.sim.shape[1])
    worth, gap = (table.worth if metric.graded else None), (table.gap if metric.needs_gaps else None)
    of_gap = {} if gap is None else {repr(one.gap_gain): one.gap_gain(gap.double()) for one in metrics if one.gap_gain}
    extra = [*(x.double() for x in (worth, gap) if x is not None), *of_gap.values()]
    size, hits, sums = equals(table.sim, match, depth, extra, metric.needs_ranks)
    made: dict[str, Any] = {"others": how_many(table.other)}
    if worth is not None:
        width = max(1, int(relevant.max())) if metric.needs_ranks else depth
        made["gain"], made["best"] = sums.pop(0), worth.topk(width, dim=1).values
    if gap is not None:
        made["gap"], made["least_gaps"] = sums[0], gap.topk(depth, dim=1, largest=False).values
        made["gap_gains"] = dict(zip(of_gap, sums[1:], strict=True))
    return Ties(size, hits, relevant, **made)


def deep(depth: int, m: int) -> bool:
    """Whether so many neighbours are cheaper counted than listed."""
    return depth * DENSE >= m and m > 512

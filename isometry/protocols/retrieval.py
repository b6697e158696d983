"""Retrieval: every query searches the gallery; the metrics say how good what it finds is.

The rules, which published code differs in: a query is told from its own gallery item by id; labels are compared as
64-bit integers; average precision is divided by the number of relevant items; queries without a match in the gallery
are not scored; equal similarities are ordered by a hash of the ids, other for each query, so that the order of the
data, which tends to be that of the classes, decides nothing: a collapsed model scores about chance.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isometry.expression import parse
from isometry.metrics.metric import Metric, Ranking
from isometry.ops.bootstrap import group_bootstrap
from isometry.ops.memory import in_bytes
from isometry.ops.neighbours import TILE, pieces, rows_in, search
from isometry.ops.ranking import agree, first_hit, inner, minus_distance, relevant, shuffled
from isometry.protocols.sides import Side, say_what_is_scored, sides
from isometry.similarities import cosine, euclidean, squared_euclidean

RANKS_LIKE: dict[Any, Callable[..., Tensor]] = {
    cosine: inner, euclidean: minus_distance, squared_euclidean: minus_distance,
}  # fmt: skip
"""Similarities that a fast search can stand for, once rows are embedded."""


@dataclass(frozen=True)
class Result:
    """A metric's value.

    Attributes:
        value: mean over the queries that are scored.
        low, high: its interval, from drawing classes with replacement; NaN where there are fewer than two classes.
        per_query: float32 `[n]` on the CPU, in the order the queries were given; NaN for those not scored.
    """

    value: float
    low: float
    high: float
    per_query: Tensor

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Results(dict[str, Result]):
    """Results by the text of their metric, in any spelling that parses to it."""

    def __missing__(self, text: str) -> Result:
        name = repr(parse(text))
        if name not in self:
            raise KeyError(f"{text} was not evaluated; there are {', '.join(self)}")
        return self[name]


@torch.no_grad()
def evaluate(
    z: Any,
    y: Any,
    metrics: str | Metric | Sequence[Metric] = "Recall(k=1), MAPAtR()",
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    similarity: Any = cosine,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> Results:
    """Exact retrieval metrics with class-level bootstrap intervals, all from one search.

    Args:
        z, y: embeddings `[n d]` and labels of the queries, torch or numpy. Labels are integers `[n]` (−1 is unknown: it
            matches nothing and is not scored, but stays in the gallery) or label sets, bool `[n L]` (sharing a label
            is a match).
        metrics: text such as "Recall(k=1), MAPAtR()", or metrics.
        against: the gallery, `(g, y_g)` or `(g, y_g, ids_g)`. Without it every query searches all others.
        ids: names the queries, so that a gallery item with the same id is left out for its query. With `against`, ids
            are given on both sides or not at all. Without `against`, items that share an id are left out together.
        similarity: of the catalogue, its text, or any `(z, r) -> [n m]`; larger is closer.
        samples, confidence, seed: of the bootstrap; `samples=0` leaves the intervals out. The seed also orders ties.
        memory: working memory beside one float32 copy of each side.

    Returns:
        A mapping from a metric's text to its `Result`; `float(result)` is the value.

    Raises:
        ValueError: for embeddings with NaN or Inf, labels or ids of the wrong length or dtype, or when no query has a
            match.

    >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.8]])
    >>> evaluate(z, torch.tensor([0, 0, 1, 1]), "Recall(k=1), MAPAtR()")
    {'Recall(k=1)': 1.0000 [1.0000, 1.0000], 'MAPAtR()': 1.0000 [1.0000, 1.0000]}
    """
    chosen = _metrics(metrics)
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence of an interval lies between 0 and 1; got {confidence}.")
    queries, gallery = sides(z, y, ids, against)
    found = _relevant(queries, gallery, memory)
    say_what_is_scored(found, queries.y)
    values = torch.full((len(found), len(chosen)), torch.nan, device=found.device)
    for rows, ranking in _rankings(queries, gallery, found, chosen, similarity, seed, memory):
        scores = torch.stack([metric.per_query(ranking) for metric in chosen.values()], 1)
        values[rows] = scores.masked_fill((ranking.relevant == 0)[:, None], torch.nan)
    values, scored = values.cpu(), (found > 0).cpu()
    classes = torch.unique(queries.y.cpu()[scored], dim=0, return_inverse=True)[1]
    low, high = group_bootstrap(values[scored], classes, samples=samples, confidence=confidence, seed=seed)
    mean = values[scored].double().mean(0)
    return Results(
        {
            text: Result(float(mean[i]), float(low[i]), float(high[i]), values[:, i].clone())
            for i, text in enumerate(chosen)
        }
    )


def _rankings(
    queries: Side,
    gallery: Side,
    found: Tensor,
    chosen: dict[str, Metric],
    similarity: Any,
    seed: int,
    memory: str | int,
) -> Iterator[tuple[Tensor, Ranking]]:
    """Which queries, and their rankings, a chunk at a time. The data is first put in the order of hashed ids."""
    embed, compare = _geometry(similarity)
    order, q, g = _shuffle(queries, gallery, embed, seed)
    m, sets = len(g.z), g.y.ndim == 2
    deepest = max(metric.depth(int(found.max())) for metric in chosen.values())
    named = shuffled(torch.arange(len(q.z), device=found.device) if q.ids is None else q.ids, seed + 1)
    turn = named % m
    needs_first = any(metric.needs_first for metric in chosen.values())
    chunks = search(q.z, g.z, min(deepest, m), ids_q=q.ids, ids_g=g.ids, similarity=compare, turn=turn, memory=memory)
    for rows, _, index in chunks:
        relevant = found[order[rows]]
        hits = _hits(q.y[rows], g.y, index, sets, memory)
        first = hits.byte().argmax(1) + 1
        deeper = ((relevant > 0) & ~hits.any(1)).nonzero().squeeze(1) if needs_first else first[:0]
        for part in pieces(deeper, rows_in(memory, (48 + (g.y.shape[1] if sets else 0)) * min(TILE, m))):
            at = part + rows.start
            first[part] = _first(q.take(at), g, compare, turn[at], sets)
        yield order[rows], Ranking(hits, relevant, first)


def _shuffle(queries: Side, gallery: Side, embed: Callable[..., Tensor], seed: int) -> tuple[Tensor, Side, Side]:
    """Both sides embedded and in the order of their hashed ids; with the queries' order."""

    def shuffle(side: Side) -> tuple[Tensor, Side]:
        ids = torch.arange(len(side.z), device=side.z.device) if side.ids is None else side.ids
        order = shuffled(ids, seed).argsort(stable=True)
        taken = side.take(order)
        return order, taken._replace(z=embed(taken.z.float()).contiguous())

    order, q = shuffle(queries)
    return order, q, q if gallery is queries else shuffle(gallery)[1]


def _hits(y: Tensor, y_g: Tensor, index: Tensor, sets: bool, memory: str | int) -> Tensor:
    """Whether each neighbour matches."""
    if not sets:
        return agree(y[:, None], y_g[index.clamp_min(0)], sets=False) & (index >= 0)
    parts = torch.arange(len(y), device=y.device).split(rows_in(memory, 2 * index.shape[1] * y.shape[1]))
    return torch.cat([agree(y[p][:, None], y_g[index[p].clamp_min(0)], sets=True) & (index[p] >= 0) for p in parts])


def _first(q: Side, g: Side, compare: Callable[..., Tensor], turn: Tensor, sets: bool) -> Tensor:
    """Ranks of the first matches, counted over the whole gallery."""

    def match(cols: slice) -> Tensor:
        return agree(q.y[:, None], g.y[cols][None], sets=sets)

    def other(cols: slice) -> Tensor:
        if q.ids is None or g.ids is None:
            return torch.ones(1, 1, dtype=torch.bool, device=q.z.device)
        return q.ids[:, None] != g.ids[cols][None]

    return first_hit(q.z, g.z, compare=compare, turn=turn, match=match, other=other, width=TILE)


def _relevant(queries: Side, gallery: Side, memory: str | int) -> Tensor:
    """How many matches each query has; by grouping for classes, by a product in chunks for label sets."""
    if queries.y.ndim == 1:
        return relevant(queries.y, gallery.y, queries.ids, gallery.ids)
    parts = []
    for p in torch.arange(len(queries.y)).split(max(1, in_bytes(memory) // (16 * len(gallery.y)))):
        match = queries.y[p].float() @ gallery.y.float().T > 0
        if queries.ids is not None and gallery.ids is not None:
            match &= queries.ids[p][:, None] != gallery.ids[None]
        parts.append(match.sum(1))
    return torch.cat(parts)


def _geometry(similarity: Any) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """A row-wise map, and the comparison of mapped rows."""
    similarity = parse(similarity) if isinstance(similarity, str) else similarity
    embed = getattr(similarity, "embed", lambda z: z)
    return embed, RANKS_LIKE.get(similarity) or getattr(similarity, "compare", similarity)


def _metrics(metrics: str | Metric | Sequence[Metric]) -> dict[str, Metric]:
    """Metrics by their text."""
    read: Any = parse(metrics) if isinstance(metrics, str) else metrics
    several = read if isinstance(read, (tuple, list)) else (read,)
    for metric in several:
        if not isinstance(metric, Metric):
            raise ValueError(f"{metric!r} is no metric; a metric is written like 'Recall(k=1)' or 'MAPAtR()'.")
    if not several:
        raise ValueError("No metric was given; write for example 'Recall(k=1), MAPAtR()'.")
    return {repr(metric): metric for metric in several}

"""How alike are pairs of one class, and pairs of two: histograms of cosine similarity without the pair matrix."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .record import Items, Record

BINS = 20_000  # of cosine similarity, over [-1, 1]
EXACT_PAIRS = 40_000_000
SAMPLED_NUMBERS = 250_000_000  # pairs × dimensions that are gathered for each kind when sampling
BLOCK = 1 << 21


class Pairs(NamedTuple):
    """Counts `[BINS]` of pairs of the same class and of different classes; a query with itself is no pair."""

    positive: Int[Tensor, " b"]
    negative: Int[Tensor, " b"]
    exact: bool


class EqualError(NamedTuple):
    """The threshold at which as many positive pairs lie below as negative ones above, and that share."""

    threshold: float
    rate: float


def histogram(record: Record, exact_pairs: int = EXACT_PAIRS) -> Pairs:
    """Every pair of a query and a gallery item when they are at most `exact_pairs`, otherwise a uniform sample of each kind."""
    n, m = len(record.queries), len(record.searched)
    if n * m <= exact_pairs:
        return _every(record)
    return _sampled(record)


def equal_error(pairs: Pairs) -> EqualError | None:
    """Where the share of positives below equals the share of negatives at or above; None without both kinds of pair.

    Between edges of bins it is interpolated; when the classes are separate, the middle of the gap is taken.
    """
    if not int(pairs.positive.sum()) or not int(pairs.negative.sum()):
        return None
    missed, accepted = error_rates(pairs)
    edges = torch.linspace(-1, 1, BINS + 1, dtype=torch.float64)
    gap = missed - accepted  # from -1 to 1, never falling
    level = (gap.abs() < 1e-12).nonzero().flatten()
    if len(level):
        middle = (edges[level[0]] + edges[level[-1]]) / 2
        return EqualError(float(middle), float(accepted[level[0]]))
    k = int((gap > 0).nonzero()[0])
    w = gap[k - 1] / (gap[k - 1] - gap[k])
    threshold = edges[k - 1] + w * (edges[k] - edges[k - 1])
    return EqualError(float(threshold), float(accepted[k - 1] + w * (accepted[k] - accepted[k - 1])))


def error_rates(pairs: Pairs) -> tuple[Float[Tensor, " e"], Float[Tensor, " e"]]:
    """At each edge between bins: the share of positives below it, and of negatives at or above it; both `[BINS + 1]`."""
    zero = torch.zeros(1, dtype=torch.float64)
    below = [torch.cat([zero, count.double().cumsum(0)]) for count in (pairs.positive, pairs.negative)]
    positive, negative = (total / total[-1].clamp(min=1) for total in below)
    return positive, 1 - negative


def bins_of(sim: Float[Tensor, "..."]) -> Int[Tensor, "..."]:
    """The bin of each similarity; the last one holds 1 as well."""
    return ((sim + 1) * (BINS / 2)).long().clamp(0, BINS - 1)


def _every(record: Record) -> Pairs:
    queries, gallery = record.queries, record.searched
    own, others = record.identities()
    counts = torch.zeros(3 * BINS, dtype=torch.int64)
    columns = gallery.unit(slice(None))
    step = max(1, BLOCK // max(1, len(gallery)))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        y, y_g = queries.labels[rows, None], gallery.labels[None]
        kind = (y == y_g).long()
        kind[(y < 0) | (y_g < 0) | (own[rows, None] == others[None])] = 2
        counts += torch.bincount((bins_of(queries.unit(rows) @ columns.T) + BINS * kind).flatten(), minlength=3 * BINS)
    negative, positive, _ = counts.view(3, BINS)
    return Pairs(positive, negative, exact=True)


def _sampled(record: Record) -> Pairs:
    noise = torch.Generator().manual_seed(0)
    wanted = min(1_000_000, SAMPLED_NUMBERS // record.queries.z.shape[1])
    q, g = (_in_classes(items.labels, len(record.classes)) for items in (record.queries, record.searched))
    weight = (q.size.double() * g.size.double()).cumsum(0)

    def positives() -> tuple[Tensor, Tensor]:
        u = torch.rand(3, wanted, generator=noise, dtype=torch.float64)
        label = torch.searchsorted(weight, u[0] * weight[-1], right=True).clamp(max=len(weight) - 1)
        return q.pick(label, u[1]), g.pick(label, u[2])

    def negatives() -> tuple[Tensor, Tensor]:
        i, j = (torch.randint(len(side.order), (wanted,), generator=noise) for side in (q, g))
        return q.order[i], g.order[j]

    known = len(q.order) > 0 and len(g.order) > 0
    return Pairs(
        _draw(record, positives, wanted, same=True)
        if known and weight[-1] > 0
        else torch.zeros(BINS, dtype=torch.int64),
        _draw(record, negatives, wanted, same=False) if known else torch.zeros(BINS, dtype=torch.int64),
        exact=False,
    )


class _Classes(NamedTuple):
    order: Tensor
    start: Tensor
    size: Tensor

    def pick(self, label: Tensor, u: Tensor) -> Tensor:
        return self.order[self.start[label] + (u * self.size[label]).long().clamp(max=self.size[label] - 1)]


def _in_classes(labels: Tensor, classes: int) -> _Classes:
    order = labels.argsort(stable=True)
    order = order[int((labels < 0).sum()) :]
    size = torch.bincount(labels[order], minlength=classes)
    return _Classes(order, size.cumsum(0) - size, size)


def _draw(record: Record, draw, wanted: int, same: bool) -> Int[Tensor, " b"]:
    """Counts of `wanted` pairs of the kind asked for; the others that were drawn are passed over."""
    queries, gallery = record.queries, record.searched
    own, others = record.identities()
    counts, found = torch.zeros(BINS, dtype=torch.int64), 0
    for _ in range(6):
        i, j = draw()
        keep = ((queries.labels[i] == gallery.labels[j]) == same) & (own[i] != others[j])
        i, j = i[keep][: wanted - found], j[keep][: wanted - found]
        found += len(i)
        for a, b in zip(i.split(20_000), j.split(20_000), strict=True):
            counts += torch.bincount(bins_of(_cosine(queries, a, gallery, b)), minlength=BINS)
        if found >= wanted or not len(i):
            break
    return counts


def _cosine(queries: Items, i: Tensor, gallery: Items, j: Tensor) -> Float[Tensor, " p"]:
    return (queries.unit(i) * gallery.unit(j)).sum(1)

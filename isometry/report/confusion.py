"""Which classes are hard to retrieve, and which are taken for each other."""

from typing import NamedTuple

import torch
from torch import Tensor

from .record import Record


class HardClass(NamedTuple):
    """A class, the mean per-query value of its scored queries, how many they are, and the class most found instead."""

    label: int
    value: float
    queries: int
    taken_for: int | None
    share: float


class Confused(NamedTuple):
    """Two classes, and the share of the first R neighbours of each that belong to the other; None without queries."""

    a: int
    b: int
    a_to_b: float | None
    b_to_a: float | None


class Mistakes(NamedTuple):
    """Wrong neighbours within the first R of each query, counted by (class, class found); slots by class."""

    pairs: Tensor
    counts: Tensor
    slots: Tensor


def mistakes(record: Record) -> Mistakes:
    """Looks at the first min(R, k) neighbours of each scored query, R being its number of relevant items."""
    labels, found = record.queries.labels, record.searched.labels
    rank = torch.arange(record.neighbours.shape[1])
    looked = (rank < relevant(record)[:, None]) & (record.neighbours >= 0) & (labels >= 0)[:, None]
    looked &= torch.isfinite(record.per_query)[:, None]
    row, column = looked.nonzero(as_tuple=True)
    own, other = labels[row], found[record.neighbours[row, column]]
    slots = torch.bincount(own, minlength=len(record.classes))
    wrong = (own != other) & (other >= 0)
    classes = max(1, len(record.classes))
    key, counts = (own[wrong] * classes + other[wrong]).unique(return_counts=True)
    return Mistakes(torch.stack([key // classes, key % classes], 1), counts, slots)


def hardest(record: Record, seen: Mistakes, rows: int = 10) -> list[HardClass]:
    """Classes by mean per-query value, lowest first; those with a single query only where no others are left."""
    scored = torch.isfinite(record.per_query) & (record.queries.labels >= 0)
    labels, values = record.queries.labels[scored], record.per_query[scored].double()
    queries = torch.bincount(labels, minlength=len(record.classes))
    mean = torch.zeros(len(record.classes), dtype=torch.float64).index_add_(0, labels, values) / queries.clamp(min=1)
    present = queries.nonzero().flatten()
    order = present[(-queries[present]).argsort(stable=True)]
    order = order[(mean[order] + 2.0 * (queries[order] < 2)).argsort(stable=True)]
    return [HardClass(c, float(mean[c]), int(queries[c]), *_most_taken_for(seen, c)) for c in order[:rows].tolist()]


def _most_taken_for(seen: Mistakes, label: int) -> tuple[int | None, float]:
    mine = (seen.pairs[:, 0] == label).nonzero().flatten()
    if not len(mine):
        return None, 0.0
    most = mine[seen.counts[mine].argmax()]
    return int(seen.pairs[most, 1]), int(seen.counts[most]) / int(seen.slots[label])


def confused(record: Record, seen: Mistakes, rows: int = 8) -> list[Confused]:
    """Pairs of classes by how often one is found for the other, both ways together, over all places looked at."""
    if not len(seen.pairs):
        return []
    classes, (low, high) = len(record.classes), seen.pairs.sort(dim=1).values.unbind(1)
    key, where = (low * classes + high).unique(return_inverse=True)
    both = torch.stack([key // classes, key % classes], 1)
    count = torch.zeros(len(both), dtype=torch.int64).index_add_(0, where, seen.counts)
    share = count / seen.slots[both].sum(1).clamp(min=1)
    order = count.argsort(descending=True, stable=True)
    order = order[share[order].argsort(descending=True, stable=True)][:rows]

    def one_way(a: int, b: int) -> float | None:
        found = seen.counts[(seen.pairs[:, 0] == a) & (seen.pairs[:, 1] == b)].sum()
        return int(found) / int(seen.slots[a]) if int(seen.slots[a]) else None

    return [Confused(a, b, one_way(a, b), one_way(b, a)) for a, b in both[order].tolist()]


def relevant(record: Record) -> Tensor:
    """How many items of its own class each query can find, itself apart."""
    found = record.searched.labels
    count = torch.bincount(found[found >= 0], minlength=max(1, len(record.classes)))
    own, others = record.identities()
    inside = torch.isin(own, others)
    return count[record.queries.labels.clamp(min=0)] - inside.long()

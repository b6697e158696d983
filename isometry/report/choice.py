"""Which queries the gallery shows: some at random, the best and the worst."""

import torch
from torch import Tensor

from .confusion import relevant
from .record import Record

ROWS = 8


def at_random(record: Record, rows: int = ROWS) -> list[int]:
    """Scored queries, drawn evenly with a fixed seed."""
    scored = _scored(record)
    return scored[torch.randperm(len(scored), generator=torch.Generator().manual_seed(1))][:rows].tolist()


def best(record: Record, rows: int = ROWS) -> list[int]:
    """The highest per-query values, one query a class; among equals, those with the most relevant items."""
    return _one_a_class(record, [relevant(record), record.per_query.double()], rows)


def worst(record: Record, rows: int = ROWS) -> list[int]:
    """The lowest per-query values, one query a class; among equals, those most sure of a wrong first neighbour."""
    if record.similarities.shape[1] == 0:
        return _one_a_class(record, [-record.per_query.double()], rows)
    first = record.neighbours[:, 0].clamp(min=0)
    wrong = record.searched.labels[first] != record.queries.labels
    sureness = torch.where(wrong, record.similarities[:, 0].double(), -2.0)
    return _one_a_class(record, [sureness, -record.per_query.double()], rows)


def _scored(record: Record) -> Tensor:
    return (torch.isfinite(record.per_query) & (record.queries.labels >= 0)).nonzero().flatten()


def _one_a_class(record: Record, keys: list[Tensor], rows: int) -> list[int]:
    """The first `rows` queries by the last key, falling, then by those before it; a class is not shown twice."""
    order = _scored(record)
    for key in keys:
        order = order[key[order].argsort(descending=True, stable=True)]
    seen: set[int] = set()
    chosen: list[int] = []
    for i in order.tolist():
        label = int(record.queries.labels[i])
        if label not in seen:
            seen.add(label)
            chosen.append(i)
        if len(chosen) == rows:
            break
    return chosen

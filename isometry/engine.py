"""The hinge: one text of a loss, run densely, in blocks of rows with recomputation, or over ranks.

The value and the gradient are the same in all of them, because an objective only adds up over rows (see `cost`).
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isometry import distributed
from isometry.blocks import Block, in_blocks
from isometry.cost import Cost, RowSum, divide
from isometry.ops.memory import in_bytes
from isometry.relation import Relation
from isometry.samples import Samples

if TYPE_CHECKING:
    from isometry.loss import Loss

BUDGET: ContextVar[int] = ContextVar("budget", default=256 * 2**20)
"""Largest pair matrix, in bytes, that is made at once."""
BLOCK = 32 * 2**20
"""Size of the pair matrix of one block, in bytes: small enough to stay near the processor, large enough to be busy."""


@contextlib.contextmanager
def memory_budget(size: str | int) -> Iterator[None]:
    """Inside, pair matrices above `size` ("64 MB", or bytes) are made in blocks of rows and recomputed backward.

    >>> with memory_budget("64 MB"):
    ...     BUDGET.get()
    67108864
    """
    token = BUDGET.set(in_bytes(size))
    try:
        yield
    finally:
        BUDGET.reset(token)


def cost(loss: "Loss", rows: Samples, cols: Samples) -> Cost:
    """The loss's terms for all rows, made in as many blocks as the budget wants."""
    with torch.autocast(rows.z.device.type, enabled=False):
        rows, cols = _embedded(loss, rows, cols)
        if loss.whole:
            return _own(loss, rows, cols)
        columns = _columns(loss, rows, cols) if loss.by_columns else None
        return _over_rows(partial(_block, loss), loss, rows, cols, columns)


def _over_rows(make: Block, loss: "Loss", rows: Samples, cols: Samples, columns: Tensor | None = None) -> Cost:
    n, m, width = len(rows.z), len(cols.z), rows.z.element_size()
    budget = BUDGET.get()
    if n * m * width <= budget or n <= 1:
        return make(rows, cols, columns)
    learned = [p for p in loss.parameters() if p.requires_grad]
    return in_blocks(make, rows, cols, columns, learned, max(1, min(budget, BLOCK) // (m * width)))


def _columns(loss: "Loss", rows: Samples, cols: Samples) -> Tensor:
    """`loss.prepare` of every reference over all queries of all ranks `[m s]`; each rank makes its share."""
    queries = distributed.gather(rows)

    def statistics(some: Samples, queries: Samples, _: Tensor | None) -> Cost:
        rel = relation(loss, some, queries)
        made = loss.prepare(loss.similarity.compare(queries.z, some.z).T, rel)
        return Cost(columns=RowSum(made, made.new_ones(len(made))))

    share = distributed.share(len(cols.z))
    return distributed.joined(_over_rows(statistics, loss, cols.take(share), queries)["columns"].total)


def _own(loss: "Loss", rows: Samples, cols: Samples) -> Cost:
    """This rank's rows of an objective that wants to see all rows at once."""
    start = sum(distributed.lengths(len(rows.z), rows.z.device)[: distributed.rank()])
    mine = slice(start, start + len(rows.z))
    terms = _block(loss, distributed.gather(rows), cols)
    return Cost({name: RowSum(total[mine], count[mine]) for name, (total, count) in terms.items()})


def means(terms: Cost, weight: Tensor | None) -> dict[str, Tensor]:
    """Each term's mean over all rows of all ranks."""
    found = {}
    for name, (total, count) in terms.items():
        if weight is not None:
            total, count = total * weight.reshape(-1, *[1] * (total.ndim - 1)), count * weight
        found[name] = divide(distributed.add_up(total.sum(0)), distributed.add_up(count.detach().sum()).detach())
    return found


def relation(loss: "Loss", rows: Samples, cols: Samples) -> Relation:
    """What the supervision says of these rows and columns."""
    rel = loss.relate(rows.y, cols.y)
    if rows.ids is not None and cols.ids is not None:
        rel = rel.without_self(rows.ids, cols.ids)
    return rel if cols.weight is None else rel.weighted(cols.weight)


def pairs(loss: "Loss", rows: Samples, cols: Samples) -> tuple[Tensor, Relation]:
    """Similarities and relation of these rows and columns (embeddings already mapped by `similarity.embed`)."""
    rel = relation(loss, rows, cols)
    if loss.by_reference:
        return loss.similarity.compare(cols.z, rows.z).T, rel
    return loss.similarity.compare(rows.z, cols.z), rel


def _block(loss: "Loss", rows: Samples, cols: Samples, columns: Tensor | None = None) -> Cost:
    with torch.autocast(rows.z.device.type, enabled=False):
        sim, rel = pairs(loss, rows, cols)
        rel = loss.miner(sim.detach(), rel)
        return loss.objective(sim, rel) if columns is None else loss.combine(sim, rel, columns)


def _embedded(loss: "Loss", rows: Samples, cols: Samples) -> tuple[Samples, Samples]:
    z = loss.similarity.embed(_wide(rows.z))
    r = z if cols.z is rows.z else loss.similarity.embed(_wide(cols.z))
    return rows._replace(z=z), cols._replace(z=r)


def _wide(z: Tensor) -> Tensor:
    return z if z.dtype == torch.float64 else z.float()

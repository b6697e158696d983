"""The hinge: one text of a loss, run densely, in blocks of rows, or over ranks.

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
from isometry.blocks import Block, halves, in_blocks, slabs, summed_in_blocks
from isometry.cost import Cost, RowSum, divide
from isometry.miners import all_pairs
from isometry.ops.memory import in_bytes, keep_freed_memory
from isometry.relation import Relation
from isometry.relations import same_class
from isometry.samples import Samples

if TYPE_CHECKING:
    from isometry.loss import Loss

BUDGET: ContextVar[int | None] = ContextVar("budget", default=None)
"""Largest pair matrix, in bytes, that is made at once; None: what suits the device."""
LARGEST = {"cpu": 2 * 2**20}
BLOCK = {"cpu": 4 * 2**20}
"""The same, and the size of one block's matrix: on a processor what stays in its cache, on an accelerator what keeps it busy."""
ELSEWHERE = (256 * 2**20, 32 * 2**20)
TERMS, COLUMNS = 2, 8
"""How many times the largest a matrix may be for losses that are dear in blocks: of several terms, since each has a gradient of
its own there, and with statistics of columns, for which it is made twice."""
FEW = 32
"""Rows of a block at least, if the budget allows: what is done once a block for all references must be worth it."""


@contextlib.contextmanager
def memory_budget(size: str | int) -> Iterator[None]:
    """Inside, pair matrices above `size` ("64 MB", or bytes) are made in blocks of rows, none of which is kept.

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
    """The loss's terms for each row, made in as many blocks as the budget wants."""
    with _single(rows.z.device.type):
        rows, cols = _embedded(loss, rows, cols)
        if loss.whole:
            return _own(loss, rows, cols)
        columns = _columns(loss, rows, cols) if loss.by_columns else None
        return _over_rows(partial(_block, loss), loss, rows, cols, columns)


def mean_cost(loss: "Loss", rows: Samples, cols: Samples) -> dict[str, RowSum]:
    """Each term's mean over all rows of all ranks, and what it was divided by. As `means(cost(…))`, but in blocks nothing
    is made twice.
    """
    if rows.z.device.type == "cpu" and not torch.compiler.is_compiling():
        keep_freed_memory()
    with _single(rows.z.device.type):
        rows, cols = _embedded(loss, rows, cols)
        if loss.whole:
            return _means(_own(loss, rows, cols), rows.weight)
        step = _rows_at_once(rows, cols)
        if loss.by_columns and _rows_at_once(rows, cols, COLUMNS) >= len(rows.z) and _alone(rows, cols):
            return _means(_both_ways(loss, rows, cols), rows.weight)
        columns = _columns(loss, rows, cols) if loss.by_columns else None
        make = partial(_block, loss)
        if step >= len(rows.z):
            return _means(make(rows, cols, columns), rows.weight)
        learned = [p for p in loss.parameters() if p.requires_grad]
        if loss.symmetric and columns is None and _either_way(loss, rows, cols):
            parts = halves(len(rows.z), step * len(cols.z))
            return _totals(summed_in_blocks(make, rows, cols, columns, learned, parts, None))
        with torch.no_grad():
            first = make(rows.take(slice(1)), cols, columns)
        if len(first) > 1 and _rows_at_once(rows, cols, TERMS) >= len(rows.z):
            return _means(make(rows, cols, columns), rows.weight)
        if any(total.ndim > 1 for total, _ in first.values()):
            return _means(_over_rows(make, loss, rows, cols, columns), rows.weight)
        parts = slabs(len(rows.z), step)
        return _totals(summed_in_blocks(make, rows, cols, columns, learned, parts, rows.weight))


def _either_way(loss: "Loss", rows: Samples, cols: Samples) -> bool:
    """Whether a pair is the same seen from either side: the batch with itself, and nothing that tells rows from columns."""
    return (
        all(a is b for a, b in zip(rows, cols, strict=True))
        and _alone(rows, cols)
        and loss.miner is all_pairs
        and loss.relate is same_class
        and getattr(loss.similarity, "symmetric", False)
    )


def _totals(sums: dict[str, RowSum]) -> dict[str, RowSum]:
    return {name: _mean(total, count) for name, (total, count) in sums.items()}


def _rows_at_once(rows: Samples, cols: Samples, slack: int = 1) -> int:
    """How many rows of the pair matrix are made at once."""
    n, m = len(rows.z), len(cols.z)
    width = rows.z.element_size() * max(side.z.shape[1:-1].numel() for side in (rows, cols))
    device = rows.z.device.type
    given = BUDGET.get()
    budget = slack * LARGEST.get(device, ELSEWHERE[0]) if given is None else given
    if torch.compiler.is_compiling() or n * m * width <= budget:
        return max(n, 1)
    wanted = BLOCK.get(device, ELSEWHERE[1]) // (m * width)
    return max(1, wanted, FEW) if given is None else max(1, min(max(wanted, FEW), budget // (m * width)))


def _over_rows(make: Block, loss: "Loss", rows: Samples, cols: Samples, columns: Tensor | None = None) -> Cost:
    step = _rows_at_once(rows, cols)
    if step >= len(rows.z):
        return make(rows, cols, columns)
    return in_blocks(make, rows, cols, columns, [p for p in loss.parameters() if p.requires_grad], step)


def _columns(loss: "Loss", rows: Samples, cols: Samples) -> Tensor:
    """`loss.prepare` of every reference over all queries of all ranks `[m s]`; each rank makes its share."""
    queries = distributed.gather(rows)

    def statistics(some: Samples, queries: Samples, _: Tensor | None) -> Cost:
        rel = relation(loss, some, queries)
        made = loss.prepare(loss.similarity.compare(queries.z, some.z).T, rel)
        return Cost(columns=RowSum(made, made.new_ones(len(made))))

    share = distributed.share(len(cols.z))
    return distributed.joined(_over_rows(statistics, loss, cols.take(share), queries)["columns"].total)


def _alone(rows: Samples, cols: Samples) -> bool:
    """Whether these are all rows there are, each counted once."""
    return distributed.ranks() == 1 and rows.weight is None and cols.weight is None


def _both_ways(loss: "Loss", rows: Samples, cols: Samples) -> Cost:
    """`prepare` and `combine` on one matrix."""
    sim, rel = pairs(loss, rows, cols)
    columns = loss.prepare(sim.T, rel.T)
    return loss.combine(sim, loss.miner(sim.detach(), rel), columns)


def _own(loss: "Loss", rows: Samples, cols: Samples) -> Cost:
    """This rank's rows of an objective that wants to see all rows at once."""
    start = sum(distributed.lengths(len(rows.z), rows.z.device)[: distributed.rank()])
    mine = slice(start, start + len(rows.z))
    terms = _block(loss, distributed.gather(rows), cols)
    return Cost({name: RowSum(total[mine], count[mine]) for name, (total, count) in terms.items()})


def means(terms: Cost, weight: Tensor | None) -> dict[str, Tensor]:
    """Each term's mean over all rows of all ranks."""
    return {name: mean for name, (mean, _) in _means(terms, weight).items()}


def _means(terms: Cost, weight: Tensor | None) -> dict[str, RowSum]:
    found = {}
    for name, (total, count) in terms.items():
        if weight is not None:
            total, count = total * weight.reshape(-1, *[1] * (total.ndim - 1)), count * weight
        found[name] = _mean(total.sum(0), count.sum())
    return found


def _mean(total: Tensor, count: Tensor) -> RowSum:
    count = distributed.add_up(count.detach()).detach()
    return RowSum(divide(distributed.add_up(total), count), count)


def relation(loss: "Loss", rows: Samples, cols: Samples) -> Relation:
    """What the supervision says of these rows and columns."""
    rel = loss.relate(rows.y, cols.y)
    if rows.ids is not None and cols.ids is not None:
        rel = rel.without_self(rows.ids, cols.ids)
    rel = rel if cols.weight is None else rel.weighted(cols.weight)
    rel.row_weight = rows.weight
    return rel


def pairs(loss: "Loss", rows: Samples, cols: Samples) -> tuple[Tensor, Relation]:
    """Similarities and relation of these rows and columns (embeddings already mapped by `similarity.embed`)."""
    rel = relation(loss, rows, cols)
    if loss.by_reference:
        return loss.similarity.compare(cols.z, rows.z).T, rel
    return loss.similarity.compare(rows.z, cols.z), rel


def _block(loss: "Loss", rows: Samples, cols: Samples, columns: Tensor | None = None) -> Cost:
    with _single(rows.z.device.type):
        sim, rel = pairs(loss, rows, cols)
        rel = loss.miner(sim.detach(), rel)
        return loss.objective(sim, rel) if columns is None else loss.combine(sim, rel, columns)


def _embedded(loss: "Loss", rows: Samples, cols: Samples) -> tuple[Samples, Samples]:
    z = loss.similarity.embed(_wide(rows.z))
    r = z if cols.z is rows.z else loss.similarity.embed(_wide(cols.z))
    return rows._replace(z=z), cols._replace(z=r)


def _single(device: str) -> contextlib.AbstractContextManager:
    """Single precision inside, whatever is cast outside."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()


def _wide(z: Tensor) -> Tensor:
    return z if z.dtype == torch.float64 else z.float()

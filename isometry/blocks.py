"""A loss in blocks of rows: nothing of the size of the pair matrix lives, and each block is made again backward."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from isometry.cost import Cost, RowSum
from isometry.samples import Samples

Block = Callable[[Samples, Samples, Tensor | None], Cost]


def in_blocks(
    make: Block, rows: Samples, cols: Samples, columns: Tensor | None, learned: Sequence[Tensor], step: int
) -> Cost:
    """`make(rows, cols, columns)`, but for `step` rows at a time. Once differentiable, in both sides' `z`, in `columns`
    and in `learned`.

    Memory is that of one block, plus the embeddings and their gradients; the price is that backward repeats forward.
    """
    names: list[str] = []
    out = _InBlocks.apply(make, rows, cols, step, names, rows.z, cols.z, columns, *learned)
    return Cost({name: RowSum(out[2 * k], out[2 * k + 1]) for k, name in enumerate(names)})


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, make: Block, rows: Samples, cols: Samples, step: int, names: list, *inputs: Any) -> Any:
        ctx.make, ctx.step = make, step
        ctx.sides = [side._replace(z=None) for side in (rows, cols)]
        ctx.save_for_backward(*inputs)
        n, whole = len(rows.z), {}
        for some in _slices(n, step):
            for name, (total, count) in make(rows.take(some), cols, inputs[2]).items():
                if name not in whole:
                    whole[name] = (total.new_empty(n, *total.shape[1:]), count.new_empty(n))
                whole[name][0][some], whole[name][1][some] = total, count
        names.extend(whole)
        ctx.names = tuple(names)
        ctx.mark_non_differentiable(*(count for _, count in whole.values()))
        return tuple(vector for pair in whole.values() for vector in pair)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        z, r, columns, *learned = ctx.saved_tensors
        wanted = [k for k, needed in enumerate(ctx.needs_input_grad[5:]) if needed]
        sums: dict[int, Tensor] = {0: torch.zeros_like(z)} if 0 in wanted else {}
        r = r.detach().requires_grad_(1 in wanted)
        columns = None if columns is None else columns.detach().requires_grad_(2 in wanted)
        cols = ctx.sides[1]._replace(z=r)
        for some in _slices(len(z), ctx.step):
            mine = z[some].detach().requires_grad_(0 in wanted)
            with torch.enable_grad():
                terms = ctx.make(ctx.sides[0].take(some)._replace(z=mine), cols, columns)
            ends = [(terms[name].total, grads[2 * k][some]) for k, name in enumerate(ctx.names)]
            ends = [(total, grad) for total, grad in ends if total.requires_grad]
            if not ends:
                continue
            inputs: Any = [(mine, r, columns, *learned)[k] for k in wanted]
            found = torch.autograd.grad([t for t, _ in ends], inputs, [g for _, g in ends], allow_unused=True)
            for k, grad in zip(wanted, found, strict=True):
                if grad is not None and k == 0:
                    sums[k][some] = grad
                elif grad is not None:
                    sums[k] = sums[k].add_(grad) if k in sums else grad.contiguous()
        return None, None, None, None, None, *(sums.get(k) for k in range(3 + len(learned)))


Part = tuple[slice, slice, int]
"""Some rows, some columns, and how often their pairs count."""


def slabs(n: int, step: int) -> list[Part]:
    """`step` rows at a time against all columns."""
    return [(some, slice(None), 1) for some in _slices(n, step)]


def halves(n: int, area: int) -> list[Part]:
    """Each pair of n items once, where both ways cost the same: some rows among themselves, then against all that follow,
    twice; about `area` pairs at a time.

    >>> [(rows.stop, cols.start, cols.stop, times) for rows, cols, times in halves(4, 8)]
    [(2, 0, 2, 1), (2, 2, 4, 2), (4, 2, 4, 1)]
    """
    parts, start = [], 0
    while start < n:
        end = min(n, start + max(1, area // (n - start)))
        parts.append((slice(start, end), slice(start, end), 1))
        if end < n:
            parts.append((slice(start, end), slice(end, n), 2))
        start = end
    return parts


def summed_in_blocks(
    make: Block,
    rows: Samples,
    cols: Samples,
    columns: Tensor | None,
    learned: Sequence[Tensor],
    parts: Sequence[Part],
    weight: Tensor | None,
) -> dict[str, RowSum]:
    """The sums over rows of what `make` gives (`total` and `count` are scalars), `weight` times each row.

    A sum's gradient is known but for a factor while the block still lies near the processor, so it is taken there and then:
    nothing is made twice. Its price is a gradient of both sides for each term.
    """
    names: list[str] = []
    inputs = (rows.z, cols.z, columns, *learned)
    if not torch.is_grad_enabled():  # then no gradient is to be taken on the way
        inputs = tuple(None if x is None else x.detach() for x in inputs[:3])
    out = _SummedInBlocks.apply(make, rows, cols, parts, weight, names, *inputs)
    return {name: RowSum(out[2 * k], out[2 * k + 1]) for k, name in enumerate(names)}


class _SummedInBlocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        make: Block,
        rows: Samples,
        cols: Samples,
        parts: Sequence[Part],
        weight: Any,
        names: list,
        *inputs: Any,
    ) -> Any:
        wanted = [k for k, needed in enumerate(ctx.needs_input_grad[6:]) if needed]
        held: list[Any] = [None if x is None else x.detach().requires_grad_(k in wanted) for k, x in enumerate(inputs)]
        (z, r, columns), learned = held[:3], inputs[3:]  # parameters are read where they lie
        sums: dict[str, list[Tensor]] = {}
        grads: dict[str, dict[int, Tensor]] = {}
        for some, those, times in parts:
            mine, theirs = (x.detach().requires_grad_(k in wanted) for k, x in enumerate((z[some], r[those])))
            with torch.enable_grad():
                terms = make(rows.take(some)._replace(z=mine), cols.take(those)._replace(z=theirs), columns)
                heavy = None if weight is None else weight[some]
                found = {name: _sum_up(term, heavy, times) for name, term in terms.items()}
            leaves = [(mine, theirs, columns, *learned)[k] for k in wanted]
            for left, (name, (total, count)) in zip(reversed(range(len(found))), found.items(), strict=True):
                if name in sums:
                    sums[name] = [a.add_(b) for a, b in zip(sums[name], (total.detach(), count), strict=True)]
                else:
                    sums[name] = [total.detach().clone(), count.clone()]
                    grads[name] = {k: torch.zeros_like(x) for k, x in enumerate((z, r)) if k in wanted}
                if wanted and total.requires_grad:
                    slopes = torch.autograd.grad(total, leaves, retain_graph=left > 0, allow_unused=True)
                    _add(grads[name], {0: some, 1: those}, zip(wanted, slopes, strict=True))
        names.extend(sums)
        ctx.grads, ctx.inputs = list(grads.values()), len(inputs)
        ctx.mark_non_differentiable(*(count for _, count in sums.values()))
        return tuple(x for pair in sums.values() for x in pair)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        whole: list[Tensor | None] = [None] * ctx.inputs
        for k, parts in enumerate(ctx.grads):
            for place, part in parts.items():
                before, scaled = whole[place], part * grads[2 * k]
                whole[place] = scaled if before is None else before.add_(scaled)
        return None, None, None, None, None, None, *whole


def _sum_up(term: RowSum, weight: Tensor | None, times: int) -> tuple[Tensor, Tensor]:
    total, count = term
    if weight is not None:
        total, count = total * weight, count * weight
    total, count = total.sum(), count.detach().sum()
    return (total, count) if times == 1 else (total * times, count * times)


def _add(grads: dict[int, Tensor], places: dict[int, slice], slopes: Iterable[tuple[int, Tensor | None]]) -> None:
    for k, slope in slopes:
        if slope is not None and k in places:
            grads[k][places[k]] += slope
        elif slope is not None:
            grads[k] = grads[k].add_(slope) if k in grads else slope.contiguous()


def _slices(n: int, step: int) -> list[slice]:
    return [slice(i, i + step) for i in range(0, n, step)]

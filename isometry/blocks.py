"""A loss in blocks of rows: nothing of the size of the pair matrix lives, and each block is made again backward."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from isometry.cost import Cost, RowSum
from isometry.samples import Samples

Block = Callable[[Samples, Samples, Tensor | None], Cost]


def in_blocks(
    make: Block, rows: Samples, cols: Samples, columns: Tensor | None, learned: list[Tensor], step: int
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
                    sums[k] = sums[k].add_(grad) if k in sums else grad
        return None, None, None, None, None, *(sums.get(k) for k in range(3 + len(learned)))


def _slices(n: int, step: int) -> list[slice]:
    return [slice(i, i + step) for i in range(0, n, step)]

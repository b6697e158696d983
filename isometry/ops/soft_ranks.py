"""Soft ranks: how much lies above an item, where a step function stands for "is above".

An item is compared with all others of its row, one item after the other and over rows that fit the cache: time is that of
the comparisons, memory that of one matrix, and nothing has the size of triplets. Backward compares again.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.triplets import positives, tiles

Curve = Callable[[Tensor], Tensor]


def slots(weight: Tensor, *x: Float[Tensor, "n m"]) -> tuple[Float[Tensor, "n p"], ...]:
    """The weights of each row's pairs that have one, and their values in each x, padded with weight 0.

    When it is compiled, the number of pairs is not known: then every column is a slot.
    """
    if torch.compiler.is_compiling():
        return weight.to(x[0].dtype), *x
    at, real = positives(weight)
    return weight.gather(1, at).to(x[0].dtype) * real, *(one.gather(1, at) for one in x)


def tie(x: Tensor) -> float:
    """Similarities that differ by no more are equal: 16 units in the last place of 1."""
    return 16 * torch.finfo(x.dtype).eps


def above(
    scores: Float[Tensor, "n p"], asked: Tensor, others: Float[Tensor, "n m"], weight: Tensor, step: Curve
) -> Float[Tensor, "n p"]:
    """Σ_j w_ij step(others_ij − scores_ip) where `asked [n p]` holds, and 0 elsewhere."""
    found = torch.zeros_like(scores)
    for rows in tiles(others):
        at, real = positives(asked[rows])
        score, total = scores[rows].gather(1, at), torch.zeros_like(at, dtype=scores.dtype)
        one, weigh = others[rows], weight[rows].to(scores.dtype)
        for p in range(at.shape[1]):
            total[:, p] = torch.linalg.vecdot(step(one - score[:, p, None]), weigh)
        found[rows].scatter_add_(1, at, total * real)
    return found


def above_backward(
    grad: Float[Tensor, "n p"],
    scores: Float[Tensor, "n p"],
    asked: Tensor,
    others: Float[Tensor, "n m"],
    weight: Tensor,
    slope: Curve,
) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n m"]]:
    """Gradients of `above` in the scores and in the others; `slope` is the step's derivative."""
    on_scores, on_others = torch.zeros_like(scores), torch.zeros_like(others)
    for rows in tiles(others):
        at, real = positives(asked[rows])
        score, pull = scores[rows].gather(1, at), grad[rows].gather(1, at) * real
        one, weigh = others[rows], weight[rows].to(scores.dtype)
        push, lost = on_others[rows], torch.zeros_like(score)
        for p in range(at.shape[1]):
            steep = slope(one - score[:, p, None])
            lost[:, p] = torch.linalg.vecdot(steep, weigh)
            push.addcmul_(steep, pull[:, p, None])
        push *= weigh
        on_scores[rows].scatter_add_(1, at, -lost * pull)
    return on_scores, on_others


def register(name: str, curves: Callable[[list[float]], tuple[Curve, Curve]]) -> Any:
    """Makes `above` of one kind of step an operator that compiles: `op(scores, asked, others, weight, numbers)`.

    `curves(numbers)` gives the step and its slope.
    """

    @torch.library.custom_op(f"isometry::above_{name}", mutates_args=())
    def forward(scores: Tensor, asked: Tensor, others: Tensor, weight: Tensor, numbers: list[float]) -> Tensor:
        return above(scores, asked, others, weight, curves(numbers)[0])

    @forward.register_fake
    def _(scores: Tensor, asked: Tensor, others: Tensor, weight: Tensor, numbers: list[float]) -> Tensor:
        return torch.empty_like(scores, memory_format=torch.contiguous_format)

    @torch.library.custom_op(f"isometry::above_{name}_backward", mutates_args=())
    def backward(
        grad: Tensor, scores: Tensor, asked: Tensor, others: Tensor, weight: Tensor, numbers: list[float]
    ) -> tuple[Tensor, Tensor]:
        return above_backward(grad, scores, asked, others, weight, curves(numbers)[1])

    @backward.register_fake
    def _(
        grad: Tensor, scores: Tensor, asked: Tensor, others: Tensor, weight: Tensor, numbers: list[float]
    ) -> tuple[Tensor, Tensor]:
        return torch.empty_like(scores), torch.empty_like(others)

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:4])
        ctx.numbers = inputs[4]

    def differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        on_scores, on_others = backward(grad.contiguous(), *ctx.saved_tensors, ctx.numbers)
        return on_scores, None, on_others, None, None

    forward.register_autograd(differentiate, setup_context=keep)
    return forward

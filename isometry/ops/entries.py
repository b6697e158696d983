"""Some entries of a product of two matrices, without the rest."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 2**19
"""Elements that are gathered at once: what a processor's cache holds."""
FEW = 48
"""Up to one entry in so many is few: above it the product is quicker."""


def entries(
    a: Float[Tensor, "n m"], b: Float[Tensor, "k m"], row: Int[Tensor, " e"], col: Int[Tensor, " e"]
) -> Float[Tensor, " e"]:
    """Σ_j a[row, j] b[col, j]: a bᵀ at these places. O(e m), and memory of a tile; once differentiable.

    >>> entries(torch.eye(2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]), torch.tensor([1, 1]))
    tensor([3., 4.])
    """
    if FEW * len(row) > len(a) * len(b):
        return (a @ b.T)[row, col]
    return _Entries.apply(a, b, row, col)  # type: ignore[return-value]


class _Entries(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, row: Tensor, col: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, row, col)
        step = max(1, TILE // max(1, a.shape[1]))
        parts = [torch.linalg.vecdot(a[i], b[j]) for i, j in zip(row.split(step), col.split(step), strict=True)]
        return torch.cat(parts) if parts else a.new_zeros(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        a, b, row, col = ctx.saved_tensors
        on_a, on_b = ctx.needs_input_grad[:2]
        spread = torch.sparse_coo_tensor(torch.stack([row, col]), grad, (len(a), len(b)), check_invariants=False)
        return spread @ b if on_a else None, spread.T @ a if on_b else None, None, None

"""Matrix products of which a gradient may have few entries."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

MANY = 2**18
"""Products of fewer pairs are not worth a look."""
FEW = 32
"""Up to one entry in so many is few."""


def product(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """z rᵀ. On a processor its gradient is z's and r's rows added up where few pairs have one, as positives do, and a product
    elsewhere.
    """
    if torch.compiler.is_compiling() or z.device.type != "cpu" or len(z) * len(r) < MANY:
        return z @ r.T
    return _Product.apply(z, r)  # type: ignore[return-value]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, r: Tensor) -> Tensor:
        ctx.save_for_backward(z, r)
        return z @ r.T

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        z, r = ctx.saved_tensors
        on_z, on_r = ctx.needs_input_grad
        if FEW * int(torch.count_nonzero(grad)) > grad.numel():
            return grad @ r if on_z else None, grad.T @ z if on_r else None
        row, col = grad.nonzero(as_tuple=True)
        each = grad[row, col][:, None]
        return (
            torch.zeros_like(z).index_add(0, row, each * r[col]) if on_z else None,
            torch.zeros_like(r).index_add(0, col, each * z[row]) if on_r else None,
        )

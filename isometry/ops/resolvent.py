"""(I − αS)^{-1} y: where random walks from y over a graph spend their time, by conjugate gradients."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.sparse import CSR

Apply = Callable[[Tensor], Tensor]


def resolvent(
    s: CSR, y: Float[Tensor, "b n"], alpha: float, *, tolerance: float = 1e-6, most: int = 1000
) -> Float[Tensor, "b n"]:
    """Solves (I − αS) xᵀ = yᵀ for each row; S is symmetric with eigenvalues in [−1, 1], and 0 ≤ α < 1.

    >>> from scipy.sparse import csr_array
    >>> resolvent(csr_array([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), 0.8) * 0.2
    tensor([[0.5556, 0.4444]], dtype=torch.float64)
    """

    def apply(x: Tensor) -> Tensor:
        return x - alpha * torch.from_numpy(s @ x.T.contiguous().numpy()).T

    return conjugate_gradients(apply, y.double().cpu(), tolerance=tolerance, most=most)


def blocks(s: CSR, y: Float[Tensor, "b t"], alpha: float, *, tolerance: float, most: int) -> Float[Tensor, "b t"]:
    """The same where every row has a graph of its own: S is block-diagonal, `[b·t b·t]`."""

    def apply(x: Tensor) -> Tensor:
        return x - alpha * torch.from_numpy(s @ x.contiguous().flatten().numpy()).view_as(x)

    return conjugate_gradients(apply, y.double().cpu(), tolerance=tolerance, most=most)


def conjugate_gradients(apply: Apply, y: Float[Tensor, "b n"], *, tolerance: float, most: int) -> Float[Tensor, "b n"]:
    """Solves a positive definite system for each row, until ‖residual‖ ≤ tolerance · ‖y‖ or after `most` steps."""
    x = torch.zeros_like(y)
    residual, direction = y.clone(), y.clone()
    power = torch.linalg.vecdot(residual, residual)[:, None]
    enough = power * tolerance**2
    for _ in range(most):
        if not bool((power > enough).any()):
            break
        there = apply(direction)
        curve = torch.linalg.vecdot(direction, there)[:, None]
        step = torch.where(power > enough, power / torch.where(curve > 0, curve, 1), 0)
        x += step * direction
        residual = residual - step * there
        new = torch.linalg.vecdot(residual, residual)[:, None]
        direction = residual + torch.where(power > 0, new / torch.where(power > 0, power, 1), 0) * direction
        power = torch.where(step > 0, new, power)
    return x

"""Diffusion on the tensor product of graphs: two items are alike where their neighbours, in any of the graphs, are.

A ← a Σ_uv β_uv S_u A S_v + (1 − a) I, a = 1/(1 + μ), where each S_v is symmetric with eigenvalues in [−1, 1] and β lies on the
simplex: the minimum over A of Σ_uv β_uv H_uv(A) + μ‖A − I‖² with H_uv(A) = ‖A‖² − tr(Aᵀ S_u A S_v).
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.simplex import onto_simplex
from isometry.ops.sparse import CSR, largest


def diffused(
    s: Sequence[CSR],
    beta: Float[Tensor, "u v"],
    *,
    mu: float,
    steps: int,
    keep: int,
    start: CSR | None = None,
    memory: str | int = "512 MB",
) -> CSR:
    """A after `steps` rounds from `start` (I), of each row the `keep` largest entries; the rest is forgotten in each round."""
    from scipy.sparse import eye_array, vstack

    one = eye_array(s[0].shape[0]).tocsr()
    a, share = one if start is None else start, 1 / (1 + mu)
    weight = beta.numpy()
    for _ in range(steps):
        parts = []
        for rows in _blocks(s, a, memory):
            left = [u[rows] @ a for u in s]
            new = (1 - share) * one[rows]
            for v, right in enumerate(s):
                terms = [weight[u, v] * left[u] for u in range(len(s)) if weight[u, v] > 0]
                if terms:
                    new = new + share * (sum(terms[1:], terms[0]) @ right)
            parts.append(largest(new.tocsr(), keep))
        a = vstack(parts, format="csr")
    return a


def energies(a: CSR, s: Sequence[CSR], memory: str | int = "512 MB") -> Float[Tensor, "u v"]:
    """H_uv(A) / ‖A‖²: how far A is from being smooth along graphs u and v, 0 … 2."""
    along = torch.zeros(len(s), len(s), dtype=torch.float64)
    for rows in _blocks(s, a, memory):
        for u, left in enumerate(s):
            moved = left[rows] @ a
            for v, right in enumerate(s):
                along[u, v] += float(a[rows].multiply(moved @ right).sum())
    return 1 - along / float(a.multiply(a).sum())


def learned(
    s: Sequence[CSR],
    free: Bool[Tensor, "u v"],
    *,
    spread: float,
    rounds: int,
    mu: float,
    steps: int,
    keep: int,
    memory: str | int = "512 MB",
) -> tuple[CSR, Float[Tensor, "u v"]]:
    """A and β by turns, β being the minimum of Σ_uv β_uv H_uv / ‖A‖² + (spread/2) ‖β‖² over its free entries."""
    beta = free.double() / free.sum()
    a = diffused(s, beta, mu=mu, steps=steps, keep=keep, memory=memory)
    for _ in range(rounds):
        h = energies(a, s, memory)
        beta = torch.zeros_like(h)
        beta[free] = onto_simplex(-h[free] / spread)
        a = diffused(s, beta, mu=mu, steps=steps, keep=keep, start=a, memory=memory)
    return a, beta


def _blocks(s: Sequence[CSR], a: CSR, memory: str | int) -> Iterator[slice]:
    """Rows that are worked on at once, so that even full results stay within the budget."""
    n = a.shape[0]
    step = max(1, in_bytes(memory) // (32 * n * (len(s) + 2)))
    for first in range(0, n, step):
        yield slice(first, min(first + step, n))

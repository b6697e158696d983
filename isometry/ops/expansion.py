"""Weighted means of an embedding and its neighbours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.neighbours import rows_in
from isometry.ops.ranking import Compare, inner

CLOSE = 1e-12


def expanded(
    x: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    index: Int[Tensor, "n k"],
    alpha: float,
    *,
    own: float = 1.0,
    similarity: Compare = inner,
    memory: str | int = "512 MB",
) -> Float[Tensor, "n d"]:
    """(own · x + Σ_j w_j g_j) / (own + Σ_j w_j) with w_j = [cos(x, g_j)]₊^alpha; every weight is 1 where alpha = 0.

    Where all weights are 0, x stays. For `inner` the result is brought to the length that x has: rows of length one
    stay so. −1 names no neighbour.

    >>> q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    >>> expanded(q, g, torch.tensor([[0, 1]]), 3.0, own=0.0)
    tensor([[0.9885, 0.1512]])
    """
    if not len(x) or not len(g):
        return x.float()
    parts = []
    step = rows_in(memory, 24 * max(1, index.shape[1]) * x.shape[1])
    for some, near in zip(x.split(step), index.split(step), strict=True):
        some, found = some.double(), g[near.clamp_min(0)].double()
        length = torch.linalg.vector_norm(some, dim=1, keepdim=True)
        cosine = torch.linalg.vecdot(some[:, None], found) / (length * found.norm(dim=2)).clamp_min(CLOSE)
        weight = torch.where(near >= 0, cosine.clamp(0, 1) ** alpha, 0)
        mean = own * some + (weight[:, :, None] * found).sum(1)
        total = own + weight.sum(1, keepdim=True)
        mean = torch.where(total > 0, mean / total.clamp_min(CLOSE), some)
        if similarity is inner:
            mean = mean * (length / mean.norm(dim=1, keepdim=True).clamp_min(CLOSE))
        parts.append(mean.float())
    return torch.cat(parts)

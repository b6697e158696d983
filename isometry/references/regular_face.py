"""RegularFace (Zhao, Xu and Cheng, "RegularFace: deep face recognition via exclusive regularization", CVPR 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.safe import normalize
from isometry.references.penalty import Penalty

BLOCK = 2**23
"""Pairs of proxies that are compared at once."""


class RegularFace(Penalty):
    """Pushes each proxy away from the nearest proxy of another class.

    (1/C) Σ_i max_{j≠i} cos(w_i, w_j). Of several centres a class, each is pushed from the nearest centre of another class.
    The nearest are sought in blocks and without a tape, and only the C pairs that count carry a gradient: memory is that of
    the proxies, where a matrix of all pairs would grow as C².

    >>> RegularFace()(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    tensor(0.)
    """

    def cost(self, proxies: Float[Tensor, "c k d"]) -> Float[Tensor, ""]:
        if len(proxies) < 2:
            return proxies.sum() * 0
        unit = normalize(proxies)
        vectors = unit.flatten(0, 1)
        return torch.linalg.vecdot(vectors, vectors[nearest_of_others(unit.detach())]).mean()


def nearest_of_others(unit: Float[Tensor, "c k d"]) -> Tensor:
    """For each of the c·k vectors, the row of the most similar one of another class."""
    vectors = unit.flatten(0, 1)
    of = torch.arange(len(unit), device=unit.device).repeat_interleave(unit.shape[1])
    step = max(1, BLOCK // len(vectors))
    rows = [slice(i, i + step) for i in range(0, len(vectors), step)]
    found = [(vectors[r] @ vectors.T).masked_fill(of[r, None] == of[None], -torch.inf).argmax(1) for r in rows]
    return torch.cat(found)

"""A loss on each branch of an embedding (multi-level heads: Wang et al., "Ranked list loss", CVPR 2019)."""

from typing import Any

import torch
from torch import Tensor

from isometry.around import Around
from isometry.component import fresh
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.ranked_list import RankedList


class EachBranch(Around):
    """Adds up one loss of every branch of the embedding: Σ_b ℓ(z_b), each of weight 1 as in ranked list loss.

    A model with heads at several depths (`Levels`) returns `Embedded(z, branches=(low, middle, high))`; z is what is
    searched with, such as the branches side by side, and costs nothing here. An embedding without branches is its own
    only branch. One loss serves all branches, so it must compare the batch with itself.

    Raises:
        ValueError: for a loss with proxies or a memory: these are references of one branch.
    """

    loss: Loss = fresh(RankedList)

    def __post_init__(self) -> None:
        if not getattr(self.loss.reference, "uses_batch", False):
            raise ValueError(
                f"EachBranch compares each branch with itself; {type(self.loss).__name__} has "
                f"reference={self.loss.reference!r}: take reference=batch."
            )

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        whole = wrap(embedded)
        values = [self.loss(branch, y, **roles) for branch in whole.branches or (whole.z,)]
        return torch.stack(values).sum()

"""Heads at several depths (as in ranked list loss, Wang et al., CVPR 2019: low, middle and high)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from isometry.heads.head import Head


class Levels(Head):
    """Gives each depth of the trunk a head of its own, and puts their unit vectors side by side.

    `parts` are how many features each depth has, one after the other in `h`: `ConvNet(levels=3)` with `Average()` gives 64,
    128 and 128; without parts there is one depth. Each has dim / len(parts) dimensions. The branches are the heads' own
    embeddings, on which `EachBranch(loss=RankedList())` trains; z is what is searched with.

    >>> head = Levels(in_features=12, parts=(4, 8), dim=6)
    >>> head(torch.zeros(2, 12)).shape, [branch.shape[1] for branch in head.branches(torch.zeros(2, 12))]
    (torch.Size([2, 6]), [3, 3])

    Raises:
        ValueError: for parts that do not add up to the features, or do not divide `dim`.
    """

    parts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.sizes = self.parts or (self.in_features,)
        self.check_sizes(*self.sizes)
        if sum(self.sizes) != self.in_features or self.dim % len(self.sizes):
            raise ValueError(
                f"{self!r} on {self.in_features} features: parts add up to the features, and their number divides dim."
            )
        self.heads = nn.ModuleList(nn.Linear(size, self.dim // len(self.sizes)) for size in self.sizes)

    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return torch.cat([functional.normalize(branch) for branch in self.branches(h)], 1)

    def branches(self, h: Float[Tensor, "n p"]) -> tuple[Tensor, ...]:
        return tuple(head(part) for head, part in zip(self.heads, h.split(list(self.sizes), 1), strict=True))

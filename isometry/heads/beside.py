"""Larger heads beside the one that is kept (Roth et al., "Simultaneous similarity-based self-distillation", ICML 2021)."""

from jaxtyping import Float
from torch import Tensor, nn

from isometry.heads.head import Head


class Beside(Head):
    """Trains further heads on the same features, one for each of `dims`, as branches; only the first is used afterwards.

    z = W h + b; a branch is W₂ max(0, W₁ h + b₁) + b₂ with as many hidden units as it has dimensions, as in the official code,
    whose sizes these are. For `S2SD()`, which teaches z how the branches see the batch.

    >>> import torch
    >>> head = Beside(in_features=8, dim=4, dims=(16, 32))
    >>> head(torch.zeros(2, 8)).shape, [branch.shape[1] for branch in head.branches(torch.zeros(2, 8))]
    (torch.Size([2, 4]), [16, 32])

    Raises:
        ValueError: for a size below 1.
    """

    dims: tuple[int, ...] = (512, 1024, 1536, 2048)

    def __post_init__(self) -> None:
        self.check_sizes(*self.dims)
        self.kept = nn.Linear(self.in_features, self.dim)
        self.others = nn.ModuleList(
            nn.Sequential(nn.Linear(self.in_features, size), nn.ReLU(), nn.Linear(size, size)) for size in self.dims
        )

    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return self.kept(h)

    def branches(self, h: Float[Tensor, "n p"]) -> tuple[Tensor, ...]:
        return tuple(other(h) for other in self.others)

"""The multi-layer head (as in Chen et al., ICML 2020, who put it between the features and a contrastive loss)."""

from jaxtyping import Float
from torch import Tensor, nn

from isometry.heads.head import Head


class MLP(Head):
    """Bends the features before squeezing them: z = W₂ max(0, W₁ h + b₁) + b₂, with one layer for each of `hidden`.

    The features below it keep what the loss wants gone, which helps when `h` rather than `z` is used later.

    >>> import torch
    >>> MLP(in_features=8, hidden=(16,), dim=4)(torch.zeros(2, 8)).shape
    torch.Size([2, 4])

    Raises:
        ValueError: for a size below 1.
    """

    hidden: tuple[int, ...] = (512,)

    def __post_init__(self) -> None:
        self.check_sizes(*self.hidden)
        layers: list[nn.Module] = []
        width = self.in_features
        for wider in self.hidden:
            layers += [nn.Linear(width, wider), nn.ReLU(inplace=True)]
            width = wider
        self.layers = nn.Sequential(*layers, nn.Linear(width, self.dim))

    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return self.layers(h)

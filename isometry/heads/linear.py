"""The linear head: one affine map from features to embedding."""

from jaxtyping import Float
from torch import Tensor, nn

from isometry.heads.head import Head


class Linear(Head):
    """Turns and squeezes the features into `dim` dimensions: z = W h + b.

    The default, and with a pretrained trunk as good as anything deeper.

    >>> import torch
    >>> Linear(in_features=8, dim=4)(torch.zeros(2, 8)).shape
    torch.Size([2, 4])

    Raises:
        ValueError: for a size below 1.
    """

    def __post_init__(self) -> None:
        self.check_sizes()
        self.layer = nn.Linear(self.in_features, self.dim)

    def project(self, h: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        return self.layer(h)

    @property
    def slope(self) -> Float[Tensor, "d p"]:
        return self.layer.weight

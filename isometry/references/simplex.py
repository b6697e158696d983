"""Class centroids that do not move and lie equally far from each other (Do et al., CVPR 2019)."""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import from_data
from isometry.reference import Reference
from isometry.samples import Samples


class Simplex(Reference):
    """Compares the batch with one fixed unit vector a class: the corners of a regular simplex, all equally far apart.

    C classes need C − 1 dimensions; the paper takes the unit vectors of C dimensions, whose corners lie a little nearer to
    each other. With fewer dimensions there is no such figure: the vectors are then random directions (drawn from `seed`),
    whose distances differ, and the more so the fewer the dimensions. They are saved with the loss. Labels are 0 … C − 1.
    """

    needs_pairs: ClassVar[bool] = False
    seed: int = 0
    num_classes: int = from_data()
    dim: int = from_data()

    def __post_init__(self) -> None:
        self.embeddings: Tensor
        corners = _corners(self.num_classes) if self.num_classes <= self.dim + 1 else self._directions()
        self.register_buffer("embeddings", torch.nn.functional.pad(corners, (0, self.dim - corners.shape[1])))

    def _directions(self) -> Float[Tensor, "C d"]:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.nn.functional.normalize(torch.randn(self.num_classes, self.dim, generator=generator), dim=1)

    def forward(self, samples: Samples) -> Samples:
        return Samples(self.embeddings, torch.arange(self.num_classes, device=self.embeddings.device))


def _corners(many: int) -> Float[Tensor, "C e"]:
    """Unit vectors in C − 1 dimensions whose inner products are −1/(C − 1): row k is 0 beyond its k-th component."""
    corners = torch.zeros(many, max(many - 1, 1), dtype=torch.float64)
    for k in range(many - 1):
        left = many - k  # corners that are still to be told apart, equally far from each other in what is left
        height = math.sqrt(1 - float(corners[k] @ corners[k]))
        corners[k, k] = height
        corners[k + 1 :, k] = -height / (left - 1)
    if many == 1:
        corners[0, 0] = 1
    return corners.float()

"""Signal-to-noise ratio as a distance (Yuan, Deng, Tang, Tang and Chen, CVPR 2019)."""

import math
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.ops.safe import minus_squared_distance


class SNR(Component):
    """Compares the noise between two embeddings with the query's own signal.

    d(i, j) = var(r_j − z_i) / var(z_i), variances over the d components of one vector; the similarity is −d. It is
    asymmetric, and unchanged by scaling both embeddings or by adding a constant to all components of either. With zero-mean
    embeddings it is ‖r_j − z_i‖² / ‖z_i‖². The paper does not normalise embeddings; nor does this.

    Shapes: z `[n d]`, r `[m d]` -> `[n m]`, in (−∞, 0]. One matrix product: nothing of size n·m·d is made.
    """

    epsilon: float = 1e-8
    """Least variance of a query, as a guard."""

    bounds: ClassVar[tuple[float, float]] = (-math.inf, 0.0)
    distance: ClassVar[bool] = False

    def embed(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Centres the components of each vector."""
        return z - z.mean(1, keepdim=True)

    def compare(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """−var(r − z) / var(z) of centred rows."""
        least = self.epsilon * z.shape[1]
        return minus_squared_distance(z, r) / z.square().sum(1, keepdim=True).clamp_min(least)

    def forward(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return self.compare(self.embed(z), self.embed(r))

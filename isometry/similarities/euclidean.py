"""Straight-line distance, as minus itself. Lengths count: nothing is normalised."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.ops.safe import minus_squared_distance, sqrt, squared_distance
from isometry.similarity import similarity


@similarity(bounds=(-math.inf, 0.0), symmetric=True)
def euclidean(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Minus the Euclidean distance: −‖z − r‖. Its gradient is 0 where the two coincide."""
    return -sqrt(squared_distance(z, r))


@similarity(bounds=(-math.inf, 0.0), distance=False, symmetric=True)
def squared_euclidean(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Minus the squared Euclidean distance: −‖z − r‖²."""
    return minus_squared_distance(z, r)

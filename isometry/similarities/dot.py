"""The inner product, of embeddings as they are."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.ops.products import product
from isometry.similarity import similarity


@similarity(bounds=(-math.inf, math.inf), symmetric=True)
def dot(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Compares directions and lengths: zᵀr. Nothing is normalised, and an embedding need not be nearest to itself."""
    return product(z, r)

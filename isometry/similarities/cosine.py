"""The angle between two embeddings."""

from jaxtyping import Float
from torch import Tensor

from isometry.ops.products import product
from isometry.ops.safe import normalize
from isometry.similarity import similarity


@similarity(bounds=(-1.0, 1.0), embed=normalize, symmetric=True)
def cosine(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Compares directions only: zᵀr / (‖z‖ ‖r‖).

    On the unit sphere the squared Euclidean distance is 2 − 2·cosine, so both rank alike.
    """
    return product(z, r)

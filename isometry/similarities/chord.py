"""Straight-line distance on the unit sphere, as minus itself."""

from jaxtyping import Float
from torch import Tensor

from isometry.ops.safe import normalize, sqrt
from isometry.similarity import similarity


@similarity(bounds=(-2.0, 0.0), embed=normalize, symmetric=True)
def chord(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Minus the Euclidean distance of the directions: −‖z/‖z‖ − r/‖r‖‖ = −√(2 − 2 cos). Lengths do not count.

    Its gradient is 0 where the two coincide. Papers that normalise embeddings and then take Euclidean distances mean this.
    """
    return -sqrt(2 - 2 * z @ r.T)

"""How uneven the stretch of a map is over directions (ours; the question is that of "Determinant regularization for deep metric
learning", OpenReview, 2022, whose volume does not see it).
"""

from jaxtyping import Float
from torch import Tensor

from isometry.ops import volume
from isometry.regularisers.local import Local
from isometry.regularisers.volumes import LocalVolume


class Anisotropy(LocalVolume):
    """How far the larger singular values lie above the others, as a log: R = log M₄ − log M₂ = ¼ log (d ‖JJᵀ‖_F² / (tr JJᵀ)²).

    M_k is the power mean ((1/d) Σ s_i^k)^{1/k} of the singular values of J. R is 0 where all d are equal, so that the map keeps
    angles, and up to ¼ log d where one is left; scales change nothing, and it cannot run away. A host may pull classes together
    along few directions, so that others die out by which new classes could be told apart: this is meant to keep them.

    Of a linear head R is exact, and costs one product of its matrix. Of other maps tr and norm are estimated from `probes` random
    vectors v, without bias by themselves: ‖Jᵀv‖² and ‖JJᵀv‖², two derivatives each.

    Ours. In the determinant study it helped seven losses a little on features of a frozen trunk, and did not from scratch. As it
    is no volume, no hinge is needed: `Determinant(volume=Anisotropy(), floor=None)`.

    Raises:
        ValueError: for fewer than one probe.
    """

    probes: int = 4

    def __post_init__(self) -> None:
        if self.probes < 1:
            raise ValueError(f"{self!r}: probes are 1 or more.")

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        trace, squared = local.moments(self.probes)
        ratio = local.width * squared / trace.square().clamp_min(volume.LEAST**2)
        return ratio.clamp_min(1).log() / 4

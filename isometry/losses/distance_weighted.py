"""Distance-weighted sampling (Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", ICCV 2017)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import from_data
from isometry.losses.select import Chosen
from isometry.noise import Noise
from isometry.ops import draws, masked
from isometry.ops.safe import sqrt
from isometry.ops.sphere import inverse_density
from isometry.relation import Relation
from isometry.similarity import Similarity


class DistanceWeighted(Chosen):
    """For each positive, one negative drawn evenly over distances, and not over negatives, most of which lie far away.

    The probability of a negative at distance D is proportional to 1/q(max(D, cutoff)), q the density of distances on the
    unit sphere in `dim` dimensions; 0 beyond `furthest`, where the margin loss costs nothing. In high dimensions this is
    nearly: one of those within `cutoff`, else the nearest. Averaged over positives; a row whose negatives are all beyond
    `furthest` costs nothing (the official code then draws evenly). Defaults are the official code's.

    Numbers are drawn by (`seed`, step, the pair's ids): `loss.observe` turns to the next step's.

    Raises:
        ValueError: (from the loss) for a similarity that is not a cosine.
    """

    cutoff: float = 0.5
    furthest: float = 1.4
    seed: int = 0
    dim: int = from_data()
    revision: ClassVar[int] = 1  # by the same numbers other negatives were drawn before

    def __post_init__(self) -> None:
        if not 0 < self.cutoff < self.furthest < 2:
            raise ValueError(f"DistanceWeighted wants 0 < cutoff < furthest < 2; got {self!r}.")
        self.noise = Noise(seed=self.seed)

    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
        seen = sim.detach()
        weight = inverse_density(sqrt(2 - 2 * seen), rel.neg, self.dim, self.cutoff, self.furthest)
        partner = sim.gather(1, draws.drawn(rel.pos, weight, *self.noise.keys(rel)))
        return partner - sim, rel.pos.to(sim.dtype) * masked.some(weight)[:, None]

    def check(self, similarity: Similarity) -> None:
        if similarity.bounds != (-1.0, 1.0):
            raise ValueError(
                f"DistanceWeighted reads distances on the unit sphere off cosines; got similarity={similarity!r}. "
                "For distances there are Margin and DistanceWeightedMiner."
            )

"""Distance-weighted sampling (Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", ICCV 2017)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import from_data
from isometry.miner import Miner
from isometry.noise import Noise
from isometry.ops import draws
from isometry.ops.sphere import inverse_density
from isometry.relation import Relation


class DistanceWeightedMiner(Miner):
    """Keeps all positives, and one negative for each, drawn evenly over distances and not over negatives.

    The probability of a negative at distance D is proportional to 1/q(max(D, cutoff)), q the density of distances on the
    unit sphere in `dim` dimensions; 0 beyond `furthest`. A negative that is drawn twice weighs 2. It reads minus the
    similarity as a distance of normalised embeddings: for losses on `chord`. Defaults are the official code's.

    Numbers are drawn by (`seed`, step, the pair's ids): `loss.observe` turns to the next step's.
    """

    cutoff: float = 0.5
    furthest: float = 1.4
    seed: int = 0
    dim: int = from_data()
    revision: ClassVar[int] = 1  # by the same numbers other negatives were drawn before

    def __post_init__(self) -> None:
        if not 0 < self.cutoff < self.furthest < 2:
            raise ValueError(f"DistanceWeightedMiner wants 0 < cutoff < furthest < 2; got {self!r}.")
        self.noise = Noise(seed=self.seed)

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Relation:
        weight = inverse_density(-sim, rel.neg, self.dim, self.cutoff, self.furthest)
        return rel.replace(neg=lambda: draws.often(rel.pos, weight, *self.noise.keys(rel)))

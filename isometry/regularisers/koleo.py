"""Kozachenko-Leonenko entropy (Sablayrolles, Douze, Schmid and Jégou, "Spreading vectors for similarity search", ICLR 2019)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class KoLeo(Loss):
    """Spreads embeddings evenly over the sphere: pushes each away from its nearest neighbour.

    −(1/n) Σ_i log min_{j≠i} ‖z_i − z_j‖ of normalised embeddings. Labels are not read; unlabelled rows take part. Distances
    below `epsilon` (exact duplicates) cost log(1/epsilon) and have no gradient, as there is no direction to push them.
    """

    epsilon: float = 1e-4
    label_free: ClassVar[bool] = True

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        squared = 2 - 2 * masked.largest(sim, rel.other)
        return Cost(spread=mean(-0.5 * squared.clamp_min(self.epsilon**2).log(), where=rel.other.any(1)))

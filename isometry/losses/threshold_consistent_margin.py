"""Threshold-consistent margin loss for open-world deep metric learning (Zhang et al., ICLR 2024)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation, times


class ThresholdConsistentMargin(Loss):
    """Holds hard positives above one similarity and hard negatives below another, the same for all classes.

    ℓ = λ⁺ mean_{s_p ≤ m⁺} (m⁺ − s_p) + λ⁻ mean_{s_n ≥ m⁻} (s_n − m⁻), over the pairs of the whole batch, beside another loss:
    `MultiSimilarity() + ThresholdConsistentMargin()`. One threshold between m⁻ and m⁺ then means the same everywhere.
    m⁺ = 0.9, m⁻ = 0.5 and weights of 1 are those of a peer's port; with them it is
    `Contrastive(positive=0.9, negative=0.5)`.
    """

    positive_weight: float = 1.0
    negative_weight: float = 1.0
    positive_margin: float = 0.9
    negative_margin: float = 0.5

    symmetric: ClassVar[bool] = True

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        lack, excess = self.positive_margin - sim, sim - self.negative_margin
        below, above = times(rel.pos, lack >= 0), times(rel.neg, excess >= 0)
        return Cost(
            positive=ratio(self.positive_weight * masked.total(lack, below), masked.count(below)),
            negative=ratio(self.negative_weight * masked.total(excess, above), masked.count(above)),
        )

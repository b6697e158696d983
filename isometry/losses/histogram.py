"""Histogram loss (Ustinova and Lempitsky, NeurIPS 2016)."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import histograms, masked
from isometry.relation import Relation


class Histogram(Loss):
    """Parts the histogram of positive similarities from that of negative ones: the chance that a negative pair is more alike.

    ℓ = Σ_r h⁻_r Σ_{q≤r} h⁺_q, where h⁺ and h⁻ are soft histograms of all pairs of the batch, each summing to 1, over
    bins + 1 evenly spaced nodes of the similarity's range. A pair that ties (the same node) counts in full. It is a cost of
    the whole batch: a row's own cost is that of its own histograms.

    The authors report that the number of bins hardly matters; the default, nodes 0.02 apart, is that of
    pytorch-metric-learning. All pairs are counted in O(1) each, and no triplets are made.

    Raises:
        ValueError: for a similarity without bounds, and for fewer than one bin.
    """

    bins: int = 100

    def __post_init__(self) -> None:
        if self.bins < 1 or not all(map(math.isfinite, self.similarity.bounds)):
            raise ValueError(
                f"{self!r} divides the range {self.similarity.bounds} of its similarity into {self.bins} bins: it wants a "
                "similarity with bounds, such as cosine, and one bin or more."
            )

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        low, high = self.similarity.bounds
        pos, neg = histograms.tents((sim - low) * (self.bins / (high - low)), rel.pos, rel.neg, self.bins)
        return Cost(pos=ratio(pos, masked.count(rel.pos)), neg=ratio(neg, masked.count(rel.neg)))

    def finish(self, means: dict[str, Tensor]) -> Tensor:
        return (means["neg"] * means["pos"].cumsum(-1)).sum(-1)

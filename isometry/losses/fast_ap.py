"""FastAP (Cakir, He, Xia, Kulis and Sclaroff, "Deep metric learning to rank", CVPR 2019)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import histograms, masked
from isometry.relation import Relation


class FastAP(Loss):
    """Moves positives into nearer bins of a histogram of distances than negatives: 1 − average precision over the bins.

    ℓ_i = 1 − (1/N⁺) Σ_l H⁺_l h⁺_l / H_l, where h⁺ and h are soft histograms of the distances to the positives and to all,
    and H⁺ and H their cumulative sums. `bins` parts divide the range of the similarity evenly; with cosine that is
    D² = 2 − 2s in [0, 4], as in the paper, in whose code the default of 10 is.

    Rows without positives cost nothing. The official code's hand-written gradient is B/2 times that of its loss; this
    is the gradient of the loss, so learning rates do not carry over.

    Raises:
        ValueError: for a similarity without bounds, and for fewer than one bin.
    """

    bins: int = 10

    def __post_init__(self) -> None:
        if self.bins < 1 or not all(map(math.isfinite, self.similarity.bounds)):
            raise ValueError(
                f"{self!r} divides the range {self.similarity.bounds} of its similarity into {self.bins} bins: it wants a "
                "similarity with bounds, such as cosine, and one bin or more."
            )

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        low, high = self.similarity.bounds
        pos, neg = histograms.tents((high - sim) * (self.bins / (high - low)), rel.pos, rel.neg, self.bins)
        among, rank = pos.cumsum(1), (pos + neg).cumsum(1)
        hits = (pos * among / torch.where(rank > 0, rank, 1)).sum(1)
        many = masked.count(rel.pos).to(sim.dtype)
        return Cost(loss=mean(1 - hits / torch.where(many > 0, many, 1), where=many > 0))

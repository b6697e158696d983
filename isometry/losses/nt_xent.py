"""Normalised temperature-scaled cross entropy (Chen, Kornblith, Norouzi and Hinton, ICML 2020), for many positives."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, RowSum, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class NTXent(Loss):
    """Makes each positive likely against the negatives (InfoNCE).

    ℓ_ip = −log( e^{s_ip/T} / (e^{s_ip/T} + Σ_{n∈N_i} e^{s_in/T}) ), averaged over positive pairs. Other positives of the row
    are left out of the denominator, so that positives do not push each other apart (`SupCon` has them in). With two views
    of each image, and the image's number as label, it is SimCLR's loss.

    T = 0.1 is the official code's. It is computed as softplus(log Σ_N e^{s_in/T} − s_ip/T), which neither
    saturates nor loses the gradient of the hardest pairs at small temperatures. `Both(loss=NTXent())` runs it in both
    directions, for two modalities.
    """

    temperature: float = 0.1

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(contrast=each_against_negatives(sim / self.temperature, rel))


def each_against_negatives(logits: Float[Tensor, "n m"], rel: Relation) -> RowSum:
    """log(1 + Σ_n e^{x_n − x_p}) of each positive p, averaged over positive pairs."""
    negatives = torch.where(masked.some(rel.neg), masked.log_sum_exp(logits, rel.neg), masked.OUT)
    return ratio(masked.softplus_below(logits, negatives, rel.pos), masked.count(rel.pos))

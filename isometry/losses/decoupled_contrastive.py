"""Decoupled contrastive loss (Yeh, Hong, Hsu, Liu, Chen and LeCun, ECCV 2022)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class DecoupledContrastive(Loss):
    """Pulls a positive and pushes the nearest negatives, neither of them weaker because the other is done.

    ℓ_ip = −s_ip/T + log Σ_{n∈N_i} e^{s_in/T}, averaged over the positive pairs of rows with a negative. It is `NTXent`
    without the positive in the denominator: that positive multiplies its gradient by 1 − q_p, which vanishes when the
    positive is easy, most of all in small batches. The value may be negative. T = 0.1 is the official code's, which adds both
    views' means where this averages over all rows; its weighted form (DCLW) divides by a sum over the batch and is not
    offered.
    """

    temperature: float = 0.1

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        logits, pairs = sim / self.temperature, masked.count(rel.pos) * masked.some(rel.neg)
        push = masked.log_sum_exp(logits, rel.neg)
        pull = masked.average(logits, rel.pos)
        return Cost(contrast=ratio((push - pull) * pairs, pairs))

"""Supervised contrastive loss (Khosla et al., NeurIPS 2020), the form with the sum outside the logarithm."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class SupCon(Loss):
    """Makes each positive likely among all other items, in turn.

    ℓ_i = −(T/T_base) (1/|P|) Σ_{p∈P} log( e^{s_ip/T} / Σ_{k≠i} e^{s_ik/T} ), over rows with a positive. Negatives of a row
    are all that is not itself, positives included, as in the paper (NT-Xent leaves the other positives out). T = T_base = 0.07.
    """

    temperature: float = 0.07
    base_temperature: float = 0.07

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        logits = sim / self.temperature
        likelihood = masked.average(logits, rel.pos) - masked.log_sum_exp(logits, rel.any)
        scale = self.temperature / self.base_temperature
        return Cost(contrast=mean(-scale * likelihood, where=masked.some(rel.pos)))

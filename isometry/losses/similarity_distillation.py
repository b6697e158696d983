"""Distillation of similarities ("Simultaneous similarity-based self-distillation", Roth et al., ICML 2021)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.stop import stop
from isometry.relation import Relate, Relation
from isometry.relations import close_targets


class SimilarityDistillation(Loss):
    """Makes each item prefer the same others as a teacher does, in the same degree.

    ℓ_i = T² KL( softmax_j(t_ij / T) ‖ softmax_j(s_ij / T) ) over the other items j, with the teacher's similarity
    t_ij = −‖t_i − t_j‖² / 2: for embeddings t of length 1 that is their cosine less 1, and the softmax is that of cosines. Labels
    are the teacher's embeddings `[n t]`, in any number of dimensions; a row with NaN is unknown. No gradient flows to them.

    It is S2SD's target, there between one network's own heads of 512 to 2,048 dimensions and its embedding, at T = 1 with
    weight 50. Its code has each item among its own candidates; here it is not.
    """

    temperature: float = 1.0
    relate: Relate = close_targets

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        others = rel.any
        taught = stop(rel.gap.to(sim.dtype)).square() / -2
        theirs, ours = (self.log_share(x, others) for x in (taught, sim))
        divergence = masked.total(theirs.exp() * (theirs - ours), others)
        return Cost(divergence=mean(self.temperature**2 * divergence, where=masked.some(others)))

    def log_share(self, x: Float[Tensor, "n m"], weight: masked.Weights) -> Float[Tensor, "n m"]:
        """log softmax over a row's pairs of weight."""
        logits = x / self.temperature
        return masked.only(logits - masked.log_sum_exp(logits, weight)[:, None], weight)

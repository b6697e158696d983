"""Lifted structure (Oh Song, Xiang, Jegelka and Savarese, CVPR 2016), and generalised (Hermans, Beyer and Leibe, 2017)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation
from isometry.similarities import euclidean
from isometry.similarity import Similarity


class LiftedStructure(Loss):
    """Wants each positive pair closer than the negatives of both its ends, the nearest of them most.

    J_ij = D_ij + log( Σ_{k∈N_i} e^{α−D_ik} + Σ_{l∈N_j} e^{α−D_jl} ), and the loss is ½ [J_ij]₊² averaged over positive
    pairs. D is the Euclidean distance, of embeddings as they are; α = `margin` = 1, as in the paper. A pair whose ends have
    no negative costs nothing. The negatives of a reference are sought among all queries of the call (miners do not reach
    them).
    """

    margin: float = 1.0
    similarity: Similarity = euclidean
    by_columns: ClassVar[bool] = True

    def prepare(self, sim: Float[Tensor, "m n"], rel: Relation) -> Float[Tensor, "m 1"]:
        return self.negatives(sim, rel)[:, None]

    def combine(self, sim: Float[Tensor, "n m"], rel: Relation, columns: Float[Tensor, "m 1"]) -> Cost:
        negatives = torch.logaddexp(self.negatives(sim, rel)[:, None], columns[None, :, 0])
        excess = (negatives - sim).clamp_min(0)
        return Cost(lifted=ratio(masked.total(excess.square() / 2, rel.pos), masked.count(rel.pos)))

    def negatives(self, sim: Float[Tensor, "n m"], rel: Relation) -> Float[Tensor, " n"]:
        """log Σ_N e^{α + s}; −1e30 over none."""
        return torch.where(masked.some(rel.neg), masked.log_sum_exp(self.margin + sim, rel.neg), masked.OUT)


class GeneralizedLiftedStructure(Loss):
    """Wants the farthest positives of each row closer than its nearest negatives, softly.

    ℓ_i = [ log Σ_P e^{D_ip} + log Σ_N e^{m−D_in} ]₊, over rows with a positive and a negative: every positive of a row is
    seen at once, not pair by pair. D is the Euclidean distance, of embeddings as they are. Hermans et al. sum over rows
    where this averages. m = 1 is that of Roth et al. (ICML 2020), who add a penalty on the embeddings' length.
    """

    margin: float = 1.0
    similarity: Similarity = euclidean

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        both = masked.some(rel.pos) & masked.some(rel.neg)
        excess = masked.log_sum_exp(-sim, rel.pos) + masked.log_sum_exp(self.margin + sim, rel.neg)
        return Cost(lifted=mean(excess.clamp_min(0), where=both))

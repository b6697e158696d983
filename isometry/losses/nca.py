"""Neighbourhood components analysis (Goldberger, Roweis, Hinton and Salakhutdinov, NeurIPS 2004), on embeddings."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, RowSum, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation
from isometry.similarities import squared_euclidean
from isometry.similarity import Similarity


class NCA(Loss):
    """Makes it likely that a neighbour drawn at random, near ones first, is of the row's class.

    ℓ_i = −log( Σ_{p∈P_i} e^{−c D²_ip} / Σ_{k≠i} e^{−c D²_ik} ), over rows with a positive: one near positive is enough. D²
    is the squared Euclidean distance of embeddings as they are, c = `scale` = 1. This is the second of the paper's two
    objectives (the log of the probability, not the probability itself). Computed from log-sum-exps, so that far rows keep
    their gradient where a softmax would underflow.
    """

    scale: float = 1.0
    similarity: Similarity = squared_euclidean

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(neighbour=among_all(self.scale * sim, rel))


def among_all(logits: Float[Tensor, "n m"], rel: Relation) -> RowSum:
    """−log of the share that the positives have of Σ e^{x}, averaged over rows with a positive."""
    likelihood = masked.log_sum_exp(logits, rel.pos) - masked.log_sum_exp(logits, rel.any)
    return mean(-likelihood, where=masked.some(rel.pos))

"""Multi-class N-pair loss (Sohn, NeurIPS 2016)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost
from isometry.loss import Loss
from isometry.losses.nt_xent import each_against_negatives
from isometry.relation import Relation
from isometry.similarities import dot
from isometry.similarity import Similarity


class NPair(Loss):
    """Makes each positive likelier than all negatives at once, by inner products of embeddings as they are.

    ℓ_ip = log( 1 + Σ_{n∈N_i} e^{z_iᵀr_n − z_iᵀr_p} ), averaged over positive pairs. The paper's batch is one pair of each
    class, and only the second items are references: `loss(first, y, against=(second, y))`; within one batch, every
    negative is one. It is `NTXent` with another similarity and T = 1.

    Lengths are free and grow without end: the paper adds a penalty λ‖z‖² with λ = 0.02 (its code: a quarter of it).
    """

    similarity: Similarity = dot

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return Cost(pair=each_against_negatives(sim, rel))

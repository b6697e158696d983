"""Ranked list loss (Wang, Hua, Kodirov, Hu, Garnier and Robertson, CVPR 2019; simplified form: TPAMI 2021)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.stop import stop
from isometry.relation import Relation, times
from isometry.similarities import chord
from isometry.similarity import Similarity


class RankedList(Loss):
    """Draws positives into a ball of radius α − m around each query, and keeps negatives out of a ball of radius α.

    ℓ_i = mean_{P*} [D − (α − m)] + λ Σ_{N*} w (α − D) / Σ_{N*} w, over the positives P* beyond α − m and the negatives N*
    within α; w = e^{T(α − D)} carries no gradient, as in the paper, so T chooses between all violators (0) and the nearest
    (large). Classes keep a width: nothing draws a positive within its ball. D is the Euclidean distance of unit vectors.
    Averaged over all labelled rows.

    Defaults: α = 1.2, m = 0.4 and T = 10 are the official settings for Stanford Online Products (α = 1.4, m = 0.2 for CUB);
    λ = 1 is the paper's, and its code halves both parts. The code also moves only the query of a pair, which is
    `RankedList(reference=detached)`, weighs queries by a share that the paper does not state, and changes m and T linearly
    during training; these two are not offered. For the multi-level heads: `EachBranch(loss=RankedList())`.
    """

    alpha: float = 1.2
    margin: float = 0.4
    temperature: float = 10.0
    negative_weight: float = 1.0
    similarity: Similarity = chord

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull, push = ranked(sim, rel, self.alpha - self.margin, self.alpha, self.temperature)
        return Cost(pull=mean(pull, where=rel.known), push=mean(self.negative_weight * push, where=rel.known))


class RankedListSimple(Loss):
    """Draws positives within 1 − m/2 of each query, and keeps negatives beyond 1 + m/2: one margin is to be chosen.

    ℓ_i as in `RankedList` with α = 1 + m/2, both parts halved as in the official code, whose m = 0.4 and T = 10 these are.
    """

    margin: float = 0.4
    temperature: float = 10.0
    similarity: Similarity = chord

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull, push = ranked(sim, rel, 1 - self.margin / 2, 1 + self.margin / 2, self.temperature)
        return Cost(pull=mean(pull / 2, where=rel.known), push=mean(push / 2, where=rel.known))


def ranked(
    sim: Float[Tensor, "n m"], rel: Relation, near: float, far: float, temperature: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Mean excess of positives beyond `near`, and weighted mean intrusion of negatives within `far`."""
    excess, intrusion = -sim - near, far + sim
    outside, inside = times(rel.pos, excess > 0), times(rel.neg, intrusion > 0)
    logits = temperature * intrusion
    share = stop(masked.only(logits - masked.log_sum_exp(logits, inside)[:, None], inside).exp())
    return masked.average(excess, outside), masked.total(share * intrusion, inside)

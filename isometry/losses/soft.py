"""Any retrieval metric as a loss: the step in its ranks made smooth (Qin, Liu and Li, Information Retrieval 13, 2010)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.losses.step import Sigmoid, Step
from isometry.metrics import MAP
from isometry.metrics.metric import Metric, SoftRanking, by_grade
from isometry.ops import masked, soft_ranks
from isometry.relation import Relation


class Soft(Loss):
    """Trains for a retrieval metric: 1 − metric, with smooth ranks.

    rank_p = 1 + Σ_{j≠p} step(s_j − s_p), for each positive p of a row, over all pairs of the row; `cut` is the step by
    which a rank is compared with a metric's cut-off (as in Recall@k). With `Heaviside()` for both it is 1 − the metric.
    Averaged over rows with positives. Defaults are those of Smooth-AP and, for `cut`, of the Recall@k surrogate.

    A row of P positives and m references takes P·m comparisons, and memory for m. A metric that reads label distances, such as
    `NDCG(k=100, gain=DistanceGain())`, ranks every item whose label is known: m² comparisons a row, and memory for m. So it is
    a loss for few rows of long lists or for batches of some hundreds; it wants a `relate` with distances, such as
    `close_targets`.

    >>> import torch
    >>> from isometry.losses.step import Heaviside
    >>> z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.9, 0.1]])
    >>> Soft(metric=MAP(), step=Heaviside())(z, torch.tensor([0, 0, 1]), rows=slice(1))
    tensor(0.5000)
    """

    metric: Metric = fresh(MAP)
    step: Step = fresh(Sigmoid)
    cut: Step = fresh(Sigmoid, temperature=1.0)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        if self.metric.needs_gaps:
            return Cost(loss=mean(1 - self.metric.soft(self._every(sim, rel)), where=masked.some(rel.any)))
        graded = self.metric.graded
        rel = by_grade(rel) if graded else rel
        value = self.metric.soft(soft_ranking(sim, rel, self.step, self.step, self.cut, graded))
        return Cost(loss=mean(1 - value, where=masked.some(rel.pos)))

    def _every(self, sim: Float[Tensor, "n m"], rel: Relation) -> SoftRanking:
        """Soft ranks of all items whose label is known, each worth what its label distance says."""
        weight, scores, gaps = soft_ranks.slots(rel.any, sim, rel.gap.to(sim.dtype))
        rank = self.step.above(scores, weight > 0, scores, weight) + (1 - self.step(sim.new_zeros(())))
        return SoftRanking(weight, rank, rank, self.cut, gaps)


def soft_ranking(
    sim: Float[Tensor, "n m"], rel: Relation, step: Step, among: Step, cut: Step, graded: bool = False
) -> SoftRanking:
    """Soft ranks of each row's positives: `step` compares them with negatives, `among` with each other.

    A positive of weight w is w positives, each of which has the others beside it.
    """
    weight, scores, *gains = soft_ranks.slots(rel.pos, sim, *([rel.affinity.to(sim.dtype)] if graded else []))
    asked = weight > 0
    place = among.above(scores, asked, scores, weight) + (1 - among(sim.new_zeros(())))
    return SoftRanking(
        weight, place + step.above(scores, asked, sim, rel.neg), place, cut, gains[0] if graded else None
    )

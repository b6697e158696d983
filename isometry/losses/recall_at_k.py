"""Recall@k surrogate loss (Patel, Tolias and Matas, CVPR 2022)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.losses.soft import soft_ranking
from isometry.losses.step import Sigmoid
from isometry.ops import masked
from isometry.relation import Relation


class RecallAtK(Loss):
    """Moves positives into the first k places of a row, for several k at once.

    ℓ_i = 1 − mean_k (1/min(k, |P|)) Σ_{p∈P} σ((k − r_p)/τ₂), with ranks r_p = 1 + Σ_{j≠p} σ((s_j − s_p)/τ₁): the share
    of positives within k, where both steps are sigmoids. A positive whose rank is exactly k counts half, so that the
    loss of a perfect row is not 0. (`Recall(k=1)`, the metric, asks for any positive within k;
    `Soft(metric=Recall(k=1))` trains for that.)

    Defaults are the paper's: τ₁ (`temperature`), τ₂ (`rank_temperature`) and k. The official code keeps the query in
    its own list, which moves every rank by one; here it is left out. Rows without positives cost nothing. The paper
    trains with batches of thousands.
    """

    k: tuple[int, ...] = (1, 2, 4, 8, 16)
    temperature: float = 0.01
    rank_temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.k or min(self.k) < 1:
            raise ValueError(f"RecallAtK(k={self.k}) looks at no place: k is one or more numbers of 1 or more.")
        self.step, self.cut = Sigmoid(temperature=self.temperature), Sigmoid(temperature=self.rank_temperature)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        ranking = soft_ranking(sim, rel, self.step, self.step, self.cut)
        found = [ranking.total(ranking.within(k)) / ranking.relevant.clamp_max(k) for k in self.k]
        return Cost(loss=mean(1 - torch.stack(found).mean(0), where=masked.some(rel.pos)))

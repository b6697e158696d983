"""HAPPIER: hierarchical average precision training (Ramzi, Audebert, Thome, Rambour and Bitot, ECCV 2022)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.losses.roadmap import UpperBound
from isometry.losses.step import Heaviside, Step
from isometry.ops import masked, soft_ranks
from isometry.relation import Relation


class HAPPIER(Loss):
    """Ranks references by how many levels of a label tree they share with the query: 1 − hierarchical average precision.

    ℓ_i = 1 − Σ_k (h_k / r_k) / Σ_k rel_k over all k that share a level, with h_k = rel_k + Σ_j min(rel_j, rel_k) 1[s_j > s_k]
    and r_k = 1 + Σ_j 1[s_j > s_k]. A reference that shares l of L levels has rel = (l/L)^α / n_l, where n_l references share
    exactly l. In r_k, references of a lower level than k are counted with `UpperBound`; everything else is counted hard
    and has no gradient.

    `HAPPIER(relate=label_tree)` reads label paths; with class labels there is one level, and it is the average
    precision of `ROADMAP(balance=0.0)`. Defaults are the released ones. The paper adds 0.1 of a classification loss of
    the finest classes to 0.9 of this one; that is not part of it here.
    """

    alpha: float = 1.0
    step: Step = fresh(UpperBound)

    def __post_init__(self) -> None:
        self.hard = Heaviside()

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        levels = rel.rows.shape[1] if rel.rows is not None and rel.rows.ndim == 2 else 1
        known, level = rel.any.to(sim.dtype), (rel.affinity * levels).round().to(sim.dtype)
        worth, worths = torch.zeros_like(sim), []
        for at in range(1, levels + 1):
            many = masked.count(known * (level == at))[:, None]
            worths.append((at / levels) ** self.alpha / torch.where(many > 0, many, 1))
            worth = torch.where(level == at, worths[-1], worth)
        weight, score, place, value = soft_ranks.slots(known * (level > 0), sim, level, worth)
        rank, gained = torch.ones_like(score), value
        for at in range(1, levels + 1):
            asked = (place == at) & (weight > 0)
            rank = rank + self.hard.above(score.detach(), asked, sim.detach(), known * (level >= at))
            rank = rank + self.step.above(score, asked, sim, known * (level < at))
            gained = gained + self.hard.above(
                score.detach(), asked, sim.detach(), known * torch.minimum(worth, worths[at - 1])
            )
        precision = masked.total(gained / rank, weight) / masked.total(value, weight).clamp_min(1e-30)
        return Cost(loss=mean(1 - precision, where=masked.some(weight)))

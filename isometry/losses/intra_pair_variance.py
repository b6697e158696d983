"""Intra-pair variance loss (Yu and Tao, "Deep metric learning with tuplet margin loss", ICCV 2019)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, divide, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class IntraPairVariance(Loss):
    """Draws positives that are less similar than most up to their mean, and negatives that are more similar down to theirs.

    ℓ = mean_P [(1 − ε) μ_P − s]₊² + mean_N [s − (1 + ε) μ_N]₊², where μ_P and μ_N are the mean similarities of all positive
    and of all negative pairs of the call, with their gradient (miners do not reach them). It is meant beside another
    loss: the paper adds it to its tuplet margin loss. ε = 0.01 is a peer's default.
    """

    epsilon: float = 0.01
    by_columns: ClassVar[bool] = True

    def prepare(self, sim: Float[Tensor, "m n"], rel: Relation) -> Float[Tensor, "m 4"]:
        sums = [f(w).to(sim.dtype) for w in (rel.pos, rel.neg) for f in (lambda w: masked.total(sim, w), masked.count)]
        return torch.stack(sums, 1) * (1 if rel.row_weight is None else rel.row_weight[:, None])

    def combine(self, sim: Float[Tensor, "n m"], rel: Relation, columns: Float[Tensor, "m 4"]) -> Cost:
        pulled, pulls, pushed, pushes = columns.sum(0)
        lack = (1 - self.epsilon) * divide(pulled, pulls) - sim
        excess = sim - (1 + self.epsilon) * divide(pushed, pushes)
        return Cost(
            positive=ratio(masked.hinge(lack, rel.pos, 2)[0], masked.count(rel.pos)),
            negative=ratio(masked.hinge(excess, rel.neg, 2)[0], masked.count(rel.neg)),
        )

"""Variance, invariance and covariance regularisation (Bardes, Ponce and LeCun, "VICReg", ICLR 2022)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import distributed, engine
from isometry.cost import Cost, mean, ratio
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relate, Relation
from isometry.relations import same_class
from isometry.similarities import squared_euclidean
from isometry.similarity import Similarity
from isometry.term import Term


class VICReg(Term):
    """Pulls positives together, and keeps every dimension spread and unlike the others, so that no negatives are needed.

    ℓ = λ mean_P ‖z_i − z_j‖² / d + μ (1/d) Σ_k [γ − √(C_kk + ε)]₊ + ν (1/d) Σ_{k≠l} C_{kl}^2, where C is the covariance of the
    batch's embeddings (over n − 1), over all ranks. Embeddings are not normalised. A batch of two views with the image as
    label is the paper's setting; here the two views are one set, of which C is taken once. The official code averages the
    variance terms of the two views and adds up their covariance terms, with weights 25, 25 and 1: hence λ = 25, μ = 25
    and ν = 2. The paper does not divide the distance by d; the official code does, and so does this. γ = 1, ε = 10⁻⁴.

    Rows of unknown label take no part. Fewer than two rows have no covariance, and cost nothing.

    Memory is d² beside the embeddings: C is a sum over rows.
    """

    invariance: float = 25.0
    """λ"""
    variance: float = 25.0
    """μ"""
    covariance: float = 2.0
    """ν"""
    gamma: float = 1.0
    epsilon: float = 1e-4
    relate: Relate = same_class

    def __post_init__(self) -> None:
        self.pairs = _Invariance(relate=self.relate)

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        roles = {"ids": None, "weight": None, "against": None, "rows": None, **roles}
        queries, references = self.pairs.sides(wrap(embedded), y, **roles)
        terms = engine.cost(self.pairs, queries, references)
        pull = engine.means(terms, queries.weight)["distance"] / queries.z.shape[1]
        known = terms["known"].total.detach()
        with torch.autocast(queries.z.device.type, enabled=False):
            z = queries.z if queries.z.dtype == torch.float64 else queries.z.float()
            c = spread(z, known if queries.weight is None else known * queries.weight)
            shortfall = (self.gamma - (c.diagonal() + self.epsilon).sqrt()).clamp_min(0)
            mixed = c.square().sum(1) - c.diagonal().square()
            some = distributed.add_up(known.sum()) > 1
            own = self.variance * shortfall.mean() + self.covariance * mixed.mean()
            return self.invariance * pull + torch.where(some, own, 0)


class _Invariance(Loss):
    """Mean squared distance of positives, and which rows are known."""

    similarity: Similarity = squared_euclidean

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        distance = ratio(-masked.total(sim, rel.pos), masked.count(rel.pos))
        return Cost(distance=distance, known=mean(rel.known.to(sim.dtype)))


def spread(z: Float[Tensor, "n d"], weight: Float[Tensor, " n"]) -> Float[Tensor, "d d"]:
    """The covariance of the rows of all ranks, each counted `weight` times.

    The mean is held constant: its derivative is exactly 0, as deviations from it add up to 0.
    """
    total = distributed.add_up(weight.sum())
    centre = distributed.add_up((weight @ z).detach()) / total.clamp_min(1)
    apart = z - centre
    return distributed.add_up(apart.T @ (weight[:, None] * apart)) / (total - 1).clamp_min(1)

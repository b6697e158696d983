"""Contrastive loss (Hadsell, Chopra and LeCun, CVPR 2006)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class Contrastive(Loss):
    """Pulls positives up to a similarity and pushes negatives down to another.

    ℓ = mean_P [positive − s]₊^power + mean_N [s − negative]₊^power, each over the pairs that violate.

    Defaults are those of the cosine form used with cross-batch memory
    (Wang et al., CVPR 2020): 1 − s for positives, s above 0.5 for negatives. Hadsell's own form is
    `Contrastive(similarity=euclidean, positive=0, negative=-1, power=2)`, up to his factor ½. Pairs inside their margin
    are not counted, so that the pull of few hard pairs is not diluted by many easy ones.
    """

    positive: float = 1.0
    negative: float = 0.5
    power: float = 1.0

    symmetric: ClassVar[bool] = True

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull, push = self.positive - sim, sim - self.negative
        return Cost(
            pull=ratio(*masked.hinge(pull, rel.pos, self.power)), push=ratio(*masked.hinge(push, rel.neg, self.power))
        )

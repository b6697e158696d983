"""Smooth-AP (Brown, Xie, Kalogeiton and Zisserman, ECCV 2020)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost
from isometry.loss import Loss
from isometry.losses.soft import Soft
from isometry.losses.step import Sigmoid
from isometry.metrics import MAP
from isometry.relation import Relation


class SmoothAP(Loss):
    """Moves every positive above the negatives that are ranked before it, the more the higher they are: 1 − average precision.

    ℓ_i = 1 − (1/|P|) Σ_{p∈P} (1 + Σ_{P∖p} σ((s_j − s_p)/τ)) / (1 + Σ_{P∖p} σ((s_j − s_p)/τ) + Σ_N σ((s_n − s_p)/τ)).

    This is `Soft(metric=MAP(), step=Sigmoid(temperature=0.01))`. The default is the paper's. The official code counts the
    query itself as a positive, and wants classes of equal size in sorted order; here the query is left out, and
    classes are of any size and order. Rows without positives cost nothing.
    """

    temperature: float = 0.01

    def __post_init__(self) -> None:
        self.soft = Soft(metric=MAP(), step=Sigmoid(temperature=self.temperature))

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        return self.soft.objective(sim, rel)

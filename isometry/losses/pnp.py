"""Penalizing negatives before positives (Li, Min, Song, Zhu, Kang, Wei, Wei and Jiang, AAAI 2022)."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component, fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.losses.step import Sigmoid
from isometry.ops import masked, soft_ranks
from isometry.relation import Relation


class Penalty(Component):
    """What a positive costs that has r negatives before it; its slope says which positives are moved most."""

    @abstractmethod
    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """The cost, `[n p]` like r."""


class PNPO(Penalty):
    """r: every negative before a positive counts the same."""

    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        return r


class PNPIu(Penalty):
    """(1 + r) log(1 + r): positives far down the list are moved most, without bound."""

    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        return (1 + r) * r.log1p()


class PNPIb(Penalty):
    """(b r − log(1 + b r)) / b²: positives far down the list are moved most, at most by 1/b."""

    b: float = 2.0

    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        return (self.b * r - (self.b * r).log1p()) / self.b**2


class PNPDs(Penalty):
    """log(1 + r): positives far down the list are moved less; the force falls slowly."""

    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        return r.log1p()


class PNPDq(Penalty):
    """1 − 1 / (1 + r)^α: positives far down the list, of another cluster perhaps, are hardly moved."""

    alpha: float = 1.0

    def forward(self, r: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        return 1 - (1 + r) ** -self.alpha


class PNP(Loss):
    """Counts, softly, the negatives that are ranked before each positive, and not the positives, as average precision does.

    ℓ_i = (1/|P|) Σ_{p∈P} penalty(r_p), with r_p = Σ_N σ((s_n − s_p)/τ). The paper's variants differ in the penalty, and it
    recommends a falling slope: `PNP(penalty=PNPDq(alpha=4.0))` is the official code's example. Defaults are that code's.
    It counts the query as a positive of its own; here it is left out. Rows without positives cost nothing.
    """

    temperature: float = 0.01
    penalty: Penalty = fresh(PNPO)

    def __post_init__(self) -> None:
        self.step = Sigmoid(temperature=self.temperature)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        weight, scores = soft_ranks.slots(rel.pos, sim)
        before = self.step.above(scores, weight > 0, sim, rel.neg)
        return Cost(loss=mean(masked.average(self.penalty(before), weight), where=masked.some(rel.pos)))

"""General pair weighting (Wang, Han, Huang, Dong and Scott, "Multi-similarity loss", CVPR 2019): a loss stated by its weights."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component, fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.stop import stop
from isometry.relation import Relation

Matrix = Float[Tensor, "n m"]


class Weigh(Component):
    """How hard each pair of a row is pulled and pushed: (weights of positives, weights of negatives)."""

    @abstractmethod
    def forward(self, sim: Matrix, rel: Relation) -> tuple[Matrix, Matrix]:
        """Weights of positives and of negatives, `[n m]` each."""


class MultiSimilarityWeights(Weigh):
    """Weighs a pair by itself and relative to the row's others.

    w⁺ = e^{−α(s−λ)} / (1 + Σ_P e^{−α(s−λ)}) and w⁻ = e^{β(s−λ)} / (1 + Σ_N e^{β(s−λ)}), λ being `base`.
    """

    alpha: float = 2.0
    beta: float = 40.0
    base: float = 0.5

    def forward(self, sim: Matrix, rel: Relation) -> tuple[Matrix, Matrix]:
        pull, push = -self.alpha * (sim - self.base), self.beta * (sim - self.base)
        below = [masked.log_sum_exp(x, w, plus_one=True)[:, None] for x, w in ((pull, rel.pos), (push, rel.neg))]
        return masked.only(pull - below[0], rel.pos).exp(), masked.only(push - below[1], rel.neg).exp()


class BinomialDevianceWeights(Weigh):
    """Weighs a pair by itself only: w⁺ = α/|P| σ(α(λ − s)) and w⁻ = β/|N| σ(β(s − λ)) (Yi, Lei and Li, 2014)."""

    alpha: float = 2.0
    beta: float = 40.0
    base: float = 0.5

    def forward(self, sim: Matrix, rel: Relation) -> tuple[Matrix, Matrix]:
        many = [masked.count(w).to(sim.dtype).clamp_min(1)[:, None] for w in (rel.pos, rel.neg)]
        pull, push = self.alpha * (self.base - sim), self.beta * (sim - self.base)
        return self.alpha * pull.sigmoid() / many[0], self.beta * push.sigmoid() / many[1]


class LiftedWeights(Weigh):
    """Weighs a pair relative to the row's others only: softmax of −s over P, and of s over N (Hermans et al., 2017)."""

    def forward(self, sim: Matrix, rel: Relation) -> tuple[Matrix, Matrix]:
        below = [masked.log_sum_exp(x, w)[:, None] for x, w in ((-sim, rel.pos), (sim, rel.neg))]
        return masked.only(-sim - below[0], rel.pos).exp(), masked.only(sim - below[1], rel.neg).exp()


class GeneralPairWeighting(Loss):
    """Pulls and pushes pairs as hard as it is told: the loss whose gradient over similarities is the given weights.

    ℓ_i = Σ_N w⁻ s − Σ_P w⁺ s, the weights `weigh(sim, rel)` held constant; averaged over all labelled rows. Any loss of
    pairs has such a form, with w = |∂ℓ/∂s|; write a `Weigh` to state a new one by its weights. Only the gradient means
    anything: the value need not fall as training goes on. By default it moves as `MultiSimilarity(miner=all_pairs)`.
    """

    weigh: Weigh = fresh(MultiSimilarityWeights)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull, push = (stop(weight) for weight in self.weigh(sim.detach(), rel))
        moved = masked.total(push * sim, rel.neg) - masked.total(pull * sim, rel.pos)
        return Cost(pairs=mean(moved, where=rel.known))

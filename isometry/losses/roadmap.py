"""ROADMAP: robust and decomposable average precision (Ramzi, Thome, Rambour, Audebert and Bitot, NeurIPS 2021)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, RowSum, mean
from isometry.loss import Loss
from isometry.losses.contrastive import Contrastive
from isometry.losses.soft import soft_ranking
from isometry.losses.step import Heaviside, Step
from isometry.metrics import MAP
from isometry.ops import masked
from isometry.relation import Relation


class UpperBound(Step):
    """A step never below the hard one: what is counted with it among negatives bounds a rank from above.

    σ(x/τ) up to 0, ½ + σ(x/τ) up to δ, and a line of slope ρ beyond, so that negatives far above a positive keep a
    force. The line joins at δ, as the paper has it; the released constant 1.44 lets the step fall there (from 1.4933).
    """

    temperature: float = 0.01
    rho: float = 100.0
    delta: float = 0.05

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        bent = x.clamp_max(self.delta).div_(self.temperature).sigmoid_()
        return torch.add(bent, x > 0, alpha=0.5).add_((x - self.delta).clamp_min_(0), alpha=self.rho)

    def slope(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        y = (x / self.temperature).sigmoid_()
        return torch.addcmul(y, y, y, value=-1).div_(self.temperature).masked_fill_(x > self.delta, self.rho)


class ROADMAP(Loss):
    """Average precision with a bound that keeps its gradient, and a threshold that all rows share.

    ℓ_i = (1 − λ) (1 − SupAP_i) + λ calibration. SupAP = (1/|P|) Σ_p r⁺_p / (r⁺_p + Σ_N H⁻(s_n − s_p)), where r⁺_p, the rank among
    the positives, is counted with hard steps and has no gradient, and H⁻ is `UpperBound`: so 1 − SupAP is never below
    1 − AP. The calibration is a contrastive loss with thresholds 0.9 and 0.6, averaged over pairs that violate them; it
    makes similarities of different rows comparable, so that AP over batches is closer to AP over the data.

    `balance` is λ, 0.5: both parts count the same, as in the released configuration (which adds them with weight 1
    each, twice this loss). Rows without positives have no average precision.
    """

    balance: float = 0.5
    step: Step = fresh(UpperBound)
    calibration: Contrastive = fresh(Contrastive, positive=0.9, negative=0.6)

    def __post_init__(self) -> None:
        self.metric, self.hard = MAP(), Heaviside()

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        precision = self.metric.soft(soft_ranking(sim, rel, self.step, self.hard, self.hard))
        calibration = self.calibration.objective(sim, rel)
        return Cost(
            {name: RowSum(self.balance * total, count) for name, (total, count) in calibration.items()},
            precision=mean((1 - self.balance) * (1 - precision), where=masked.some(rel.pos)),
        )

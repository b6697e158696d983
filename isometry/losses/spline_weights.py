"""Weights that are monotone splines of similarity: a family of pair weightings to search in, known ones among them."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.losses.general_pair_weighting import Weigh
from isometry.ops import masked
from isometry.relation import Relation

KNOTS = (0.0, 0.5)
"""Similarities at which the slopes of the logarithms of the weights change; at the last an own weight is 1."""


class SplineWeights(Weigh):
    """Weighs a positive the less, and a negative the more, the closer it is, along splines that a search can shape.

    w⁺ = b e^{u⁺(s)} / (1 − ρ + ρ Σ_P e^{u⁺}) and w⁻ = (1 − b) e^{u⁻(s)} / (1 − ρ + ρ Σ_N e^{u⁻}). Each u is piecewise linear
    and 0 at s = ½: u⁺ falls by `pull_low` per unit of similarity below 0, by `pull_mid` from 0 to ½ and by `pull_high`
    above; u⁻ rises by `push_low`, `push_mid` and `push_high`. ρ = `relative` mixes a pair's own weight (towards 0) with its
    share among its row's (1); b = `balance` is the part of the pull. No weight is above b/ρ, or (1 − b)/ρ.

    Not from a paper: it is the family in which this library looks for a weighting of its own. Defaults are exactly those of
    `MultiSimilarityWeights` (a slope is its α or β). A slope of 0 lets all pairs of the stretch weigh alike; a large one below
    a flat one is a threshold, as in the contrastive loss; `relative=1` with equal slopes is a softmax of that inverse
    temperature. What it lacks: weights of positives that depend on the row's negatives, as in `NTXent` and triplets.

    Raises:
        ValueError: for a negative slope, which would turn a force around, a share outside (0, 1], or a part outside [0, 1].
    """

    pull_low: float = 2.0
    pull_mid: float = 2.0
    pull_high: float = 2.0
    push_low: float = 40.0
    push_mid: float = 40.0
    push_high: float = 40.0
    relative: float = 0.5
    balance: float = 0.5

    def __post_init__(self) -> None:
        if not all(0 <= slope < math.inf for slope in (*self._pull, *self._push)):
            raise ValueError(
                f"The slopes of {self!r} are 0 or above: closer positives weigh less, closer negatives more."
            )
        if not 0 < self.relative <= 1 or not 0 <= self.balance <= 1:
            raise ValueError(f"{self!r}: relative lies above 0 and up to 1, balance from 0 to 1.")

    @property
    def _pull(self) -> tuple[float, float, float]:
        return self.pull_low, self.pull_mid, self.pull_high

    @property
    def _push(self) -> tuple[float, float, float]:
        return self.push_low, self.push_mid, self.push_high

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Tensor, Tensor]:
        pull = self._shared(-rising(sim, *self._pull), rel.pos)
        push = self._shared(rising(sim, *self._push), rel.neg)
        return self.balance * pull, (1 - self.balance) * push

    def _shared(self, log: Float[Tensor, "n m"], weight: masked.Weights) -> Float[Tensor, "n m"]:
        """e^u / (1 − ρ + ρ Σ e^u) where there is weight."""
        among = masked.log_sum_exp(log, weight)[:, None] + math.log(self.relative)
        alone = among.new_full((), 1 - self.relative).log()
        return masked.only(log - torch.logaddexp(among, alone), weight).exp()


def rising(sim: Float[Tensor, "n m"], low: float, mid: float, high: float) -> Float[Tensor, "n m"]:
    """The piecewise linear function with these slopes below, between and above the knots, 0 at the last."""
    first, last = KNOTS
    return low * (sim - first).clamp_max(0) + mid * (sim.clamp(first, last) - last) + high * (sim - last).clamp_min(0)

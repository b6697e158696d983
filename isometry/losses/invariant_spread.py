"""Invariant and spreading instance feature (Ye, Zhang, Yuen and Chang, CVPR 2019)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation, times


class InvariantSpread(Loss):
    """Recognises an image by its other view, and lets no other image be taken for it: no classes are needed.

    ℓ_i = −log p_i⁺ − w Σ_{k∈N_i} log(1 − p_ik), with p_ik = e^{s_ik/T} / Σ_{l≠i} e^{s_il/T}. The labels are the images'
    numbers: the two views of an image share one, and both are queries, as in the official code. Averaged over rows with a
    positive; of several positives the mean is taken. log(1 − p) is exact as p nears 1.

    T = 0.1 and w = `spread_weight` = 1 are the official code's. The code also stops the gradient of every other
    view: `InvariantSpread(reference=detached)`.
    """

    temperature: float = 0.1
    spread_weight: float = 1.0

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        logits, paired = sim / self.temperature, masked.some(rel.pos)
        log_p = logits - masked.log_sum_exp(logits, rel.any)[:, None]
        invariant = -masked.average(log_p, rel.pos)
        spread = -self.spread_weight * masked.total(log_of_the_rest(log_p, rel.any), rel.neg)
        return Cost(invariant=mean(invariant, where=paired), spread=mean(spread, where=paired))


def log_of_the_rest(log_p: Float[Tensor, "n m"], weight: masked.Weights) -> Float[Tensor, "n m"]:
    """log(1 − p) of the pairs that have weight: of one that has nearly all, by adding up the others."""
    log_p = masked.only(log_p, weight)
    most = log_p > math.log(0.7)  # at most one of a row
    rest = masked.log_sum_exp(log_p, times(weight, ~most))
    return torch.where(most, rest[:, None], torch.log1p(-masked.only(log_p, ~most).exp()))

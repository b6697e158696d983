"""Blackbox differentiation of ranking-based metrics (Rolínek, Musil, Paulus, Vlastelica, Michaelis and Martius, CVPR 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import blackbox, masked
from isometry.ops.stop import stop
from isometry.relation import Relation


class BlackboxAP(Loss):
    """Lowers 1 − average precision with its true, hard ranks: the gradient comes from ranking twice.

    ℓ_i = 1 − (1/|P|) Σ_p r⁺_p / r_p, with r_p the rank of s_p − margin/2 among all, negatives having s_n + margin/2, and r⁺_p
    its rank among the positives, which the gradient holds constant. With g_p = ∂ℓ/∂r_p = r⁺_p / (|P| r_p²), the gradient in
    s is the slope of a line between two rankings, (r(s + λ g) − r(s)) / λ: not the derivative of the value, which is 0
    almost everywhere. Equal similarities share the middle of their ranks.

    λ (`lam`) and `margin` are the released ones for retrieval. There ranks are divided by the length of the list, and g by
    the size of the batch; here neither is, which is the same where the two are equal, and rows do not depend on each other.
    The released margin is multiplied by a random number for each pair; here it is the paper's constant. Rows without
    positives cost nothing.
    """

    lam: float = 4.0
    margin: float = 0.02

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        here = stop(sim)
        score = here - self.margin / 2 * ((rel.pos > 0) * 1.0 - (rel.neg > 0) * 1.0)
        precision, slope = blackbox.average_precision(score, rel.pos, rel.neg, self.lam)
        line = torch.linalg.vecdot(slope, sim - here)
        return Cost(loss=mean(1 - precision - line, where=masked.some(rel.pos)))

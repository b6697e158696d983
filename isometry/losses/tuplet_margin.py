"""Tuplet margin loss (Yu and Tao, "Deep metric learning with tuplet margin loss", ICCV 2019)."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.safe import sqrt
from isometry.relation import Relation


class TupletMargin(Loss):
    """Wants a positive, moved `beta` nearer in angle, ahead of all negatives of the row together.

    log(1 + Σ_n e^{scale (cos θ_n − cos(θ_p − beta))}) for each positive, averaged over positives. The slack `beta` (in
    radians) keeps hard positives from dominating; a positive nearer than that costs more again, as the formula says. The
    paper adds a penalty on the variance of similarities beside it. Defaults are the paper's (beta is 5.73°).

    The row's negatives are summed once for all of its positives, so that a row costs O(m).

    >>> import torch
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> TupletMargin(scale=1.0, beta=0.0)(z, torch.tensor([0, 0, 1]))  # log(1 + 1/e)
    tensor(0.3133)
    """

    scale: float = 64.0
    beta: float = 0.1

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        nearer = math.cos(self.beta) * sim + math.sin(self.beta) * sqrt(1 - sim.square())  # cos(θ − beta)
        crowd = masked.log_sum_exp(self.scale * sim, rel.neg)[:, None]
        pos = rel.pos.to(sim.dtype) * masked.some(rel.neg)[:, None]
        return Cost(tuplet=ratio(masked.total(softplus(crowd - self.scale * nearer, threshold=50), pos), pos.sum(1)))

"""Selectively contrastive triplet loss (Xuan, Stylianou, Liu and Pless, ECCV 2020)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class SelectivelyContrastive(Loss):
    """Pushes each row's nearest negative away first, and only then contrasts it with the nearest positive.

    ℓ_i = λ s_n where s_n > s_p, else −log( e^{s_p/T} / (e^{s_p/T} + e^{s_n/T}) ), over rows with both. While the negative is
    nearer, the paper finds that the positive's pull moves the negative along, and that triplets of hardest negatives
    collapse; so nothing is pulled then.

    λ = `weight` = 1 and T = 0.1 are the official code's. The code also only pushes where s_n > 0.8, and leaves
    positives above 0.9999 out as duplicates; the paper's formula has neither.
    """

    weight: float = 1.0
    temperature: float = 0.1

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        near, far = masked.largest(sim, rel.pos), masked.largest(sim, rel.neg)
        contrast = F.softplus((far - near) / self.temperature, threshold=50)
        cost = torch.where(far > near, self.weight * far, contrast)
        return Cost(triplet=mean(cost, where=masked.some(rel.pos) & masked.some(rel.neg)))

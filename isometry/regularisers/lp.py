"""The L_p norm of embeddings as a cost (Sohn, NeurIPS 2016, has p = 2, power = 2)."""

import torch

from isometry.cost import Cost, mean
from isometry.embedded import Embedded
from isometry.term import Regulariser


class Lp(Regulariser):
    """Keeps embeddings short: (1/n) Σ_i ‖z_i‖_p^power.

    For losses that see lengths (products, Euclidean distances); a cosine does not. p = 1 favours few components that differ
    from zero. Defaults p = 2, power = 1 are those of pytorch-metric-learning; N-pair's paper has the mean of ‖z‖²
    (`power=2`).

    >>> Lp()(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([0, 1]))
    tensor(3.)
    """

    p: float = 2.0
    power: float = 1.0

    def penalty(self, embedded: Embedded) -> Cost:
        norm = torch.linalg.vector_norm(embedded.z, self.p, dim=1)
        return Cost(length=mean(norm if self.power == 1 else norm**self.power))

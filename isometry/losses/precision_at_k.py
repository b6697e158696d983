"""Top-k precision loss (Lu, Xu, Zhang, Duan and Mei, "Sampling wisely", ICCV 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class PrecisionAtK(Loss):
    """Moves only what is on the wrong side of a row's first k places: positives that should be in them, negatives that are.

    ℓ_i = Top_k(ŝ) − Best_k, where ŝ = s + margin for negatives and s for positives, Top_k sums the k largest, and Best_k is
    the sum over the best correct list: the k most similar positives or, where there are fewer than k, all of them and the
    negatives of largest ŝ. It is 0 exactly when the first min(k, |P|) places hold positives, by the margin. With k = 1 it is the
    triplet loss of the easiest positive and the hardest negative.

    Defaults are the released ones for CUB and Cars (SOP: margin 0.2), in the hard form that was released (τ = 0). The
    released code adds 0.1·‖Cov(X) − I‖, which the paper lacks, and sums class means; here it is the mean over rows.
    Rows without positives cost nothing.

    >>> z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.43589], [0.8, 0.6], [0.7, 0.71414]]))
    >>> PrecisionAtK(k=2, margin=0.1)(z, torch.tensor([0, 0, 1, 0]), rows=slice(1))
    tensor(0.2000)
    """

    k: int = 5
    margin: float = 0.05

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"{self!r} looks at no place: k is 1 or more.")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pos, neg = self._nearest(sim, rel.pos), self._nearest(sim + self.margin, rel.neg)
        both = torch.cat([pos[0], neg[0]], 1), torch.cat([pos[1], neg[1]], 1)
        correct = first(*pos, self.k) + first(*neg, self.k - pos[1].sum(1, keepdim=True))
        return Cost(hinge=mean(first(*both, self.k) - correct, where=masked.some(rel.pos)))

    def _nearest(self, sim: Float[Tensor, "n m"], weight: Tensor) -> tuple[Tensor, Tensor]:
        """The most similar pairs of each row, and their weights; k of them, unless pairs may count for less than one."""
        width = min(self.k, sim.shape[1]) if weight.dtype == torch.bool else sim.shape[1]
        found = masked.only(sim, weight).topk(width, 1)
        return found.values, weight.gather(1, found.indices).to(sim.dtype)


def first(x: Float[Tensor, "n q"], weight: Float[Tensor, "n q"], k: float | Tensor) -> Float[Tensor, " n"]:
    """Σ of the k largest x of each row, of which each counts `weight` times."""
    x, order = x.sort(1, descending=True)
    weight = weight.gather(1, order)
    left = (k - (weight.cumsum(1) - weight)).clamp_min(0)
    return torch.linalg.vecdot(x, torch.minimum(weight, left))

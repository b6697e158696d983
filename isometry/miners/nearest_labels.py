"""Binary labels from distances (the baseline of Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary
supervision", CVPR 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.miner import Miner
from isometry.ops.truth import numbers, times
from isometry.relation import Relation


class NearestLabels(Miner):
    """Makes positives of a row's k nearest in label distance, and negatives of all others: similarity becomes yes or no.

    P_i = {j : D_y(i, j) ≤ the k-th smallest D_y(i, ·)} among others of known label; references at the same distance
    as the k-th are positives too, so that the order of the batch does not matter. A reference of weight w stands for w.
    `Triplet(relate=joints, miner=NearestLabels())` is the paper's "triplet (binary)"; its code draws 5 positives from
    the 30 nearest of the whole set, here they are the nearest of the batch. Similarities are not looked at.

    >>> from isometry.relations import close_targets
    >>> y = torch.tensor([0.0, 1.0, 3.0, 7.0])
    >>> rel = close_targets(y, y).without_self(torch.arange(4), torch.arange(4))
    >>> NearestLabels(k=1)(torch.zeros(4, 4), rel).pos.int()
    tensor([[0, 1, 0, 0],
            [1, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 1, 0]], dtype=torch.int32)

    Raises:
        ValueError: for k below 1.
    """

    k: int = 5

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"NearestLabels.k is at least 1; got {self.k}.")

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Relation:
        if not sim.shape[1]:
            return rel
        weight = times(rel.any, rel.other)
        gap = rel.gap.masked_fill(weight == 0, torch.inf)
        near = (gap <= self._furthest(gap, weight)) & (weight > 0)
        return rel.replace(pos=lambda: times(weight, near), neg=lambda: times(weight, ~near))

    def _furthest(self, gap: Float[Tensor, "n m"], weight: Tensor) -> Float[Tensor, "n 1"]:
        """The distance of each row's k-th nearest; infinite where there are fewer."""
        if weight.dtype == torch.bool:
            enough = self.k <= gap.shape[1]
            return gap.topk(self.k, largest=False).values[:, -1:] if enough else gap.new_full((len(gap), 1), torch.inf)
        ordered, column = gap.sort(dim=1)
        reached = numbers(weight, torch.float64).gather(1, column).cumsum(1) >= self.k
        return ordered.masked_fill(~reached, torch.inf).amin(1, keepdim=True)

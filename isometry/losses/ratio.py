"""The ratio loss: the log-ratio loss without its logarithms."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, divide, mean
from isometry.loss import Loss
from isometry.ops import masked, truth
from isometry.relation import Relate, Relation
from isometry.relations import close_targets
from isometry.similarities import euclidean
from isometry.similarity import Similarity, refuse_all_but_distances


class Ratio(Loss):
    """Makes ratios of embedding distances equal to ratios of label distances, and minds large ratios most.

    ℓ(a, i, j) = ( D_f(a,i)/D_f(a,j) − D_y(a,i)/D_y(a,j) )², averaged over all ordered pairs (i, j) of a row: what readers of
    `LogRatio` ask for, and the reason for its logarithm. For D_f = (1, 4) and D_y = (1, 2) it is 0.0625 one way and 4
    the other, where the log-ratio is .48 both ways; and its gradient grows as 1/D_f³. So a distance below `nearest`
    times its row's mean counts as that, in both spaces, and no ratio exceeds the largest distance over it.

    A row costs O(m): with r_i = D_f/D_y, any c, and q = r/c − 1, the sum over pairs is Σa q² Σb − 2 Σa q Σb q + Σa Σb q² for
    a = D_y² and b = (c/D_f)². At c = Σa r / Σa the middle is 0 and the rest is not negative, so that nothing cancels.

    >>> import torch
    >>> z, y = torch.tensor([[0.0], [1.0], [4.0]]), torch.tensor([0.0, 1.0, -2.0])
    >>> 2 * Ratio(embedding_power=1.0, label_power=1.0)(z, y, rows=slice(1))  # 0.0625 one way and 4 the other
    tensor(4.0625)

    Raises:
        ValueError: for a `nearest` that is not above 0, and for a similarity that is not minus a distance.
    """

    embedding_power: float = 2.0
    """D_f is the distance of embeddings to this power."""
    label_power: float = 2.0
    """D_y is the distance of labels to this power."""
    nearest: float = 0.1
    """The least distance, as a share of the row's mean, before it is raised to its power."""
    similarity: Similarity = euclidean
    relate: Relate = close_targets

    def __post_init__(self) -> None:
        if not self.nearest > 0:
            raise ValueError(f"{self!r} divides by distances as small as 0: nearest is above 0, such as 0.1.")
        refuse_all_but_distances(self.similarity, "Ratio")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        weight, many = truth.numbers(rel.any, sim.dtype), masked.count(rel.any)
        near = self._powered(-sim, weight, self.embedding_power)
        far = self._powered(rel.gap.to(sim.dtype), weight, self.label_power)
        r, a = near / far, weight * far.square()
        c = divide(masked.total(r, a), a.sum(1))[:, None]
        q, b = r / torch.where(c > 0, c, 1) - 1, weight * (c / near).square()
        total = masked.total(q.square(), a) * b.sum(1) + a.sum(1) * masked.total(q.square(), b)
        return Cost(ratio=mean(divide(total, (many * (many - 1)).clamp_min(0)), where=many > 1))

    def _powered(self, distance: Float[Tensor, "n m"], weight: Tensor, power: float) -> Float[Tensor, "n m"]:
        """Distances in units of their row's mean, floored and raised: ratios do not change, and numbers stay near 1."""
        unit = masked.average(distance, weight)[:, None]
        return (distance / torch.where(unit > 0, unit, 1)).clamp_min(self.nearest) ** power

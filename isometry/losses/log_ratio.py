"""Log-ratio loss (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, divide, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relate, Relation
from isometry.relations import close_targets
from isometry.similarities import euclidean
from isometry.similarity import Similarity


class LogRatio(Loss):
    """Makes ratios of embedding distances equal to ratios of label distances.

    ℓ(a, i, j) = ( log D_f(a,i)/D_f(a,j) − log D_y(a,i)/D_y(a,j) )², averaged over all pairs {i, j} of a row. With
    u_i = log D_f(a,i) − log D_y(a,i) this is twice the unbiased variance of u, so a row costs O(m) and not O(m²). It is
    unchanged by moving, turning and scaling the embedding. D are squared distances in the paper; the official code squares
    neither, or only one, so both powers are explicit. Embeddings are not normalised. The paper has one anchor a batch:
    `loss(z, y, rows=slice(1))`; by default every row is one.

    `nearest`: a distance below this share of its row's mean counts as that share, in both spaces: equal labels would have
    log 0, and two coinciding embeddings an infinite gradient. `relate` gives the label distance (`Relation.gap`).

    >>> import torch
    >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> LogRatio()(z, torch.tensor([0.0, 1.0, -1.0]), rows=slice(1))  # (log 4)²
    tensor(1.9218)
    """

    embedding_power: float = 2.0
    label_power: float = 2.0
    nearest: float = 1e-4
    similarity: Similarity = euclidean
    relate: Relate = close_targets

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        weight = rel.any.to(sim.dtype)
        many = weight.sum(1)
        u = self.embedding_power * self._log(-sim, weight) - self.label_power * self._log(rel.gap.to(sim.dtype), weight)
        spread = masked.total((u - masked.average(u, weight)[:, None]).square(), weight)
        return Cost(ratio=mean(2 * divide(spread, (many - 1).clamp_min(0)), where=many > 1))

    def _log(self, distance: Float[Tensor, "n m"], weight: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        least = self.nearest * masked.average(distance.detach(), weight)[:, None]
        return distance.maximum(least).clamp_min(1e-30).log()

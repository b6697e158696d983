"""Log-ratio loss (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019)."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, divide, mean
from isometry.loss import Loss
from isometry.ops import log_ratios, masked
from isometry.relation import Relate, Relation
from isometry.relations import close_targets
from isometry.similarities import euclidean
from isometry.similarity import Similarity, refuse_all_but_distances


class LogRatio(Loss):
    """Makes ratios of embedding distances equal to ratios of label distances.

    ℓ(a, i, j) = ( log D_f(a,i)/D_f(a,j) − log D_y(a,i)/D_y(a,j) )², averaged over all pairs {i, j} of a row. With
    u_i = log D_f(a,i) − log D_y(a,i) this is twice the unbiased variance of u, so a row costs O(m) and not O(m²). It is
    unchanged by moving, turning and scaling the embedding. D are squared distances in the paper; the official code squares
    neither, or only one, so both powers are explicit. Embeddings are not normalised. The paper has one anchor a batch:
    `loss(z, y, rows=slice(1))`; by default every row is one. `relate` gives the label distance (`Relation.gap`).

    The paper drops pairs of equal label distance, and the official code keeps them, as this does: they ask for equal
    distances.

    >>> import torch
    >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> LogRatio()(z, torch.tensor([0.0, 1.0, -1.0]), rows=slice(1))  # (log 4)²
    tensor(1.9218)

    Raises:
        ValueError: for `huber` that is not above 0, for a negative `aligned` or `nearest`, and for a similarity that is not
            minus a distance.
    """

    embedding_power: float = 2.0
    """D_f is the distance of embeddings to this power."""
    label_power: float = 2.0
    """D_y is the distance of labels to this power."""
    nearest: float = 1e-4
    """A distance below this share of its row's mean counts as that share, in both spaces: equal labels would have log 0, and two
    coinciding embeddings an infinite gradient. Of embeddings in float32 the share is 8 √2⁻²³ = 0.28 % at least: distances come
    from one matrix product, whose rounding keeps coinciding embeddings some 0.03 % apart, with a slope that means nothing."""
    huber: float = math.inf
    """A row costs 2/(m−1) · min_c Σ_i H(u_i − c), with H(x) = x² up to |x| = `huber` and linear beyond; e^c is the row's scale.
    At inf, c is the mean and this is the loss above. Otherwise no pair's gradient in u exceeds 4 huber/(m−1), however
    wrong its label, and a row costs O(m log m)."""
    aligned: float = 0.0
    """Adds this much of the variance of c over the anchors of the batch: one scale for all, where each is free to have its
    own."""
    similarity: Similarity = euclidean
    relate: Relate = close_targets

    def __post_init__(self) -> None:
        if not self.huber > 0 or self.aligned < 0 or self.nearest < 0:
            raise ValueError(f"{self!r} wants huber above 0, and aligned and nearest of 0 or more.")
        refuse_all_but_distances(self.similarity, "LogRatio")

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        powers, many = (self.embedding_power, self.label_power), masked.count(rel.any)
        spread, scale = log_ratios.spread(sim, rel.gap, rel.any, powers, self.nearest, self.huber, self.aligned > 0)
        cost = Cost(ratio=mean(2 * divide(spread, (many - 1).clamp_min(0)), where=many > 1))
        if self.aligned:
            scale = (
                scale if scale.device.type == "mps" else scale.double()
            )  # its square is large, and what is left small
            cost |= Cost(scale=mean(scale, where=many > 0), square=mean(scale.square(), where=many > 0))
        return cost

    def finish(self, means: dict[str, Tensor]) -> Tensor:
        if not self.aligned:
            return means["ratio"]
        apart = (means["square"] - means["scale"].square()).clamp_min(0)
        return means["ratio"] + self.aligned * apart.to(means["ratio"].dtype)

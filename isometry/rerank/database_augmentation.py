"""Database augmentation (Turcot and Lowe, ICCV workshops 2009; Arandjelović and Zisserman, CVPR 2012)."""

from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.expansion import expanded
from isometry.ops.knn_graph import around
from isometry.ops.ranking import Compare, inner
from isometry.rerank.reranking import Moving


class DatabaseAugmentation(Moving):
    """Replaces every gallery item by a weighted mean of itself and its nearest others, and searches that gallery.

    g_i' = normalize(own · g_i + Σ_{j≤k} [cos(g_i, g_j)]₊^alpha g_j).

    Done once for a gallery; queries stay as they are, so it comes before query expansion:
    `Then(steps=(DatabaseAugmentation(), AlphaQE()))`. Where queries are taken from the gallery, an item's neighbours may
    be the query itself: such results are better than those of a new query.

    Args:
        alpha: 0 gives all neighbours the weight 1.
        k: neighbours, the item itself not counted.
        own: weight of the item itself; 0 leaves it out (an item without a neighbour of positive cosine stays).

    >>> import torch
    >>> g = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    >>> DatabaseAugmentation(k=1, own=0).move(g, g)[1]
    tensor([[ 0.6000,  0.8000],
            [ 1.0000,  0.0000],
            [-1.0000,  0.0000]])

    Raises:
        ValueError: for k below 1, a negative alpha or a negative weight.
    """

    queries_independent = True
    alpha: float = 3.0
    k: int = 10
    own: float = 1.0

    def __post_init__(self) -> None:
        if self.k < 1 or self.alpha < 0 or self.own < 0:
            raise ValueError(f"{self!r}: k is 1 or more, and weights are 0 or more.")

    def move(
        self,
        q: Float[Tensor, "n d"],
        g: Float[Tensor, "m d"],
        *,
        ids_q: Int[Tensor, " n"] | None = None,
        ids_g: Int[Tensor, " m"] | None = None,
        similarity: Compare = inner,
        turn: Int[Tensor, " n"] | None = None,
        memory: str | int = "512 MB",
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        index = around(g, self.k, similarity=similarity, memory=memory)[1]
        return q, expanded(g, g, index, self.alpha, own=self.own, similarity=similarity, memory=memory)

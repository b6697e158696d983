"""Query expansion (Chum et al., "Total recall", ICCV 2007; with weights: Radenović, Tolias and Chum, TPAMI 2019)."""

from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.expansion import expanded
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner
from isometry.rerank.reranking import Moving


class AlphaQE(Moving):
    """Moves a query towards its nearest gallery items, the more similar the farther, and searches again.

    q' = normalize(q + Σ_{j≤k} [cos(q, g_j)]₊^alpha g_j).

    The query's length stays. Under a similarity other than the inner product q' is the weighted mean, of whatever length.
    The query's own gallery item, by id, is left out of the sum.

    Args:
        alpha: 3 in the paper; 0 gives every neighbour the weight of the query (`AverageQE`).
        k: neighbours. The paper takes 50 for landmarks; no more than a class has matches, and the best is often fewer.

    >>> import torch
    >>> q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    >>> AlphaQE(k=2).move(q, g)[0]
    tensor([[0.9967, 0.0809]])

    Raises:
        ValueError: for k below 1 or a negative alpha.
    """

    queries_independent = True
    alpha: float = 3.0
    k: int = 10

    def __post_init__(self) -> None:
        _check(self, self.k, self.alpha)

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
        index = nearest(q, g, self.k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)[1]
        return expanded(q, g, index, self.alpha, similarity=similarity, memory=memory), g


class AverageQE(Moving):
    """Replaces a query by the mean of itself and its nearest gallery items, and searches again.

    q' = normalize(q + Σ_{j≤k} g_j): `AlphaQE(alpha=0)`.

    Args:
        k: neighbours; each counts as much as the query, so a wrong one does harm.

    >>> import torch
    >>> q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    >>> AverageQE(k=2).move(q, g)[0]
    tensor([[0.9558, 0.2941]])

    Raises:
        ValueError: for k below 1.
    """

    queries_independent = True
    k: int = 3

    def __post_init__(self) -> None:
        _check(self, self.k, 0.0)

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
        index = nearest(q, g, self.k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)[1]
        return expanded(q, g, index, 0.0, similarity=similarity, memory=memory), g


def _check(component: Moving, k: int, least: float) -> None:
    if k < 1 or least < 0:
        raise ValueError(f"{component!r}: k is 1 or more, and weights are 0 or more.")

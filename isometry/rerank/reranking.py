"""What a re-ranking is: another way from queries and a gallery to lists of neighbours, more patient than one comparison."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import Component
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner

Lists = tuple[Tensor, Tensor]


class Reranking(Component):
    """Finds neighbours in place of plain search. Subclasses write `neighbours`, or `move` where embeddings change.

    It looks at the gallery as a whole, and some look at the other queries too: its results are transductive, and belong
    in a table of their own.
    """

    queries_independent: ClassVar[bool] = False
    """Whether the result of a query is the same whichever other queries are asked."""

    @abstractmethod
    def neighbours(
        self,
        q: Float[Tensor, "n d"],
        g: Float[Tensor, "m d"],
        k: int,
        *,
        ids_q: Int[Tensor, " n"] | None = None,
        ids_g: Int[Tensor, " m"] | None = None,
        similarity: Compare = inner,
        turn: Int[Tensor, " n"] | None = None,
        memory: str | int = "512 MB",
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        """The first k of the gallery for each query, in the new order; arguments and result as of `ops.neighbours.nearest`.

        Args:
            q, g: rows as the similarity compares them (of length one for a cosine, which is `inner`).
            ids_q, ids_g: a gallery item with the query's id is left out of its list.

        Returns:
            New similarities (float32, falling) and gallery rows (int64), padded with −inf and −1.
        """


class Moving(Reranking):
    """A re-ranking that moves embeddings and searches again."""

    @abstractmethod
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
        """Queries and gallery where they are searched."""

    def neighbours(
        self,
        q: Float[Tensor, "n d"],
        g: Float[Tensor, "m d"],
        k: int,
        *,
        ids_q: Int[Tensor, " n"] | None = None,
        ids_g: Int[Tensor, " m"] | None = None,
        similarity: Compare = inner,
        turn: Int[Tensor, " n"] | None = None,
        memory: str | int = "512 MB",
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        q, g = self.move(q, g, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        return nearest(q, g, k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)


def followed_by(first: Lists, then: Lists) -> Lists:
    """The first lists, their gaps (−1, at the end) filled with what the second lists hold besides, in its order.

    Similarities go on falling: those of the second lists are lowered by one amount a row.
    """
    sim, index = first
    k = index.shape[1]
    rest_sim, rest = then
    rest_sim = rest_sim.to(sim.dtype)
    gaps = (index < 0).sum(1)
    if not bool((gaps > 0).any()):
        return sim.float(), index
    row = torch.arange(len(index), device=index.device)[:, None] * (int(max(index.max(), rest.max())) + 2)
    new = (rest >= 0) & ~torch.isin(row + rest + 1, row + index + 1)
    last = torch.where(index >= 0, sim, torch.inf).amin(1, keepdim=True)
    highest = torch.where(new, rest_sim, -torch.inf).amax(1, keepdim=True)
    last = torch.where(last.isfinite(), last, highest)
    rest_sim = torch.where(new, torch.minimum(rest_sim - (highest - last).clamp_min(0), last), -torch.inf)
    merged, both = torch.cat([sim, rest_sim], 1), torch.cat([index, torch.where(new, rest, -1)], 1)
    order = (both < 0).byte().argsort(dim=1, stable=True)[:, :k]
    return merged.gather(1, order).float(), both.gather(1, order)

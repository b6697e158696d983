"""Learned re-ranking: a model that looks at a query and a candidate together (Shabanov et al., STIR, 2023)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner
from isometry.rerank.reranking import Reranking, followed_by


class PairwiseReranker(Reranking):
    """Orders the first `top` of each list by a model that scores pairs; the rest of the list stays, below them.

    Args:
        model: `(queries, candidates) -> [b]`, the larger the more alike, on b pairs at once. A module is used as it is:
            put it on its device and in `eval()` mode first.
        top: how many of each list are scored.
        batch: pairs at once.
        items_q, items_g: what the model sees of queries and gallery (pictures, patch features): tensors `[n …]` and
            `[m …]`, or anything whose `[i]` is a tensor. By default their embeddings.

    Made in Python only: a model cannot be written as text. The scores are the new similarities of those scored.

    >>> mirrored = PairwiseReranker(model=lambda q, g: -(q * g).sum(1), top=2)
    >>> mirrored.neighbours(torch.tensor([[1.0]]), torch.tensor([[0.1], [0.2], [0.3]]), 3)[1]
    tensor([[1, 2, 0]])

    Raises:
        ValueError: for top or batch below 1, or a model that does not give a finite number for each pair.
    """

    queries_independent = True
    model: Callable[[Any, Any], Tensor]
    top: int = 10
    batch: int = 256
    items_q: Sequence | Tensor | None = None
    items_g: Sequence | Tensor | None = None

    def __post_init__(self) -> None:
        if self.top < 1 or self.batch < 1:
            raise ValueError(f"PairwiseReranker(top={self.top}, batch={self.batch}): both are 1 or more.")

    @torch.no_grad()
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
        deep = max(k, self.top)
        sim, index = nearest(q, g, deep, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        row, place = (index[:, : self.top] >= 0).nonzero(as_tuple=True)
        scores = torch.full((len(q), deep), -torch.inf)
        candidate = index[row, place]
        for part in torch.arange(len(row)).split(self.batch):
            one = _items(self.items_q, q, row[part].cpu())
            scores[row[part].cpu(), place[part].cpu()] = self._scores(
                one, _items(self.items_g, g, candidate[part].cpu())
            )
        order = scores.argsort(dim=1, descending=True, stable=True)
        scored = torch.arange(deep) < min(self.top, deep)
        ranked = torch.where(scored, index.cpu().gather(1, order), -1)
        new, found = followed_by((scores.gather(1, order), ranked), (sim.cpu(), index.cpu()))
        return new[:, :k].to(q.device), found[:, :k].to(q.device)

    def _scores(self, one: Any, other: Any) -> Float[Tensor, " b"]:
        score = torch.as_tensor(self.model(one, other)).detach().float().cpu()
        if score.shape != (len(one),) or not bool(score.isfinite().all()):
            raise ValueError(
                f"The model gives one finite number for each of {len(one)} pairs; got {list(score.shape)}"
                f"{'' if score.isfinite().all() else ' with NaN or Inf'}."
            )
        return score


def _items(items: Any, embedded: Tensor, rows: Tensor) -> Any:
    """The named items, as one batch."""
    if items is None or isinstance(items, Tensor):
        source = embedded if items is None else items
        return source[rows.to(source.device)]
    return torch.stack([items[int(i)] for i in rows])

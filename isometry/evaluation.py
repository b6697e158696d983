"""Scores of a model on data: embeds, searches, measures; by the data's own queries and gallery where it has them."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from isometry import distributed
from isometry.data import Data
from isometry.protocols.retrieval import Results, evaluate

if TYPE_CHECKING:
    from isometry.embedder import Ready


class Embeddings(NamedTuple):
    """Embeddings `[n d]` of the readable images of `data`, in order."""

    z: Tensor
    data: Data

    def roles(self) -> tuple[Tensor, Tensor | None]:
        """Positions of the queries, and of the gallery (None: the queries search each other)."""
        data, every = self.data, torch.arange(len(self.data))
        if data.is_query is None and data.is_gallery is None:
            return every, None
        query = every if data.is_query is None else data.is_query.nonzero()[:, 0]
        return query, every if data.is_gallery is None else data.is_gallery.nonzero()[:, 0]


def embed(ready: "Ready", data: Data, *, workers: int = -1, strict: bool = False) -> Embeddings:
    """Embeddings of all readable images; over ranks, each embeds its share and all have all."""
    if distributed.ranks() == 1:
        z, index = ready.embed(data, workers=workers, strict=strict)
        return Embeddings(z, data.select(index))
    mine = torch.arange(len(data)).tensor_split(distributed.ranks())[distributed.rank()]
    z, index = ready.embed(data.select(mine), workers=workers, strict=strict)
    z, index = (distributed.gather_rows(x.to(ready.device)).cpu() for x in (z, mine[index]))
    return Embeddings(z, data.select(index))


def measure(embeddings: Embeddings, metrics: str, *, samples: int = 1000, seed: int = 0) -> Results:
    """Metrics with intervals.

    Raises:
        ValueError: when no query has a match.
    """
    z, data = embeddings
    labels = data.labels if data.multi is None else data.multi
    query, gallery = embeddings.roles()
    if gallery is None:
        return evaluate(z, labels, metrics, ids=data.ids, samples=samples, seed=seed)
    against = (z[gallery], labels[gallery], data.ids[gallery])
    return evaluate(z[query], labels[query], metrics, against=against, ids=data.ids[query], samples=samples, seed=seed)


def scores(
    ready: "Ready", data: Data, metrics: str, *, samples: int = 1000, workers: int = -1, strict: bool = False
) -> Results:
    """`measure(embed(…))`."""
    return measure(embed(ready, data, workers=workers, strict=strict), metrics, samples=samples)

"""Scores of a model on data: embeds, searches, measures; by the data's own queries and gallery where it has them."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from isometry import distributed
from isometry.component import show
from isometry.data import Data
from isometry.expression import parse
from isometry.label_metric import metric_of
from isometry.metrics.metric import Metric
from isometry.protocols.landmarks import by_lists
from isometry.protocols.retrieval import Results, evaluate
from isometry.relations import close_targets, label_tree
from isometry.similarities import cosine
from isometry.supervision import labels as labels_by
from isometry.supervision import relation

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


def measure(
    embeddings: Embeddings,
    metrics: str,
    *,
    relate: Any = None,
    similarity: Any = cosine,
    rerank: Any = None,
    samples: int = 1000,
    seed: int = 0,
) -> Results:
    """Metrics with intervals, by all that the data say of their pictures.

    Queries and gallery are the data's own where they name them; gallery items of the query's class and sequence (its
    camera) are left out for it; data whose matches are listed for each query are measured by the metrics of that
    benchmark. Graded metrics read label paths where there are any, or continuous labels. Intervals draw the queries of a
    class together, also where labels are at a distance. Over ranks, each scores its share.

    Args:
        relate: what the labels say of pairs; by default classes, label sets, and `label_tree` or `close_targets` where a
            metric is graded and the data have label paths or continuous labels (not with `rerank`: it gives lists).
        similarity: what embeddings are compared by, or its text.
        rerank: a re-ranking or its text.

    Raises:
        ValueError: when no query has a match, or the data lack the labels that `relate` reads.
    """
    z, data = embeddings
    similarity = parse(similarity) if isinstance(similarity, str) else similarity
    if any(data.judged or ()):
        return by_lists(z, data, samples=samples, seed=seed)
    relate = relation(relate) if isinstance(relate, str) else relate
    relate = relate or (None if rerank else _relation(data, metrics))
    reads = "labels" if relate is None else getattr(relate, "reads", "labels")
    if relate is None and data.multi is not None:
        labels = data.multi
    else:
        labels = labels_by(data, relate, show(relate))
    query, gallery = embeddings.roles()
    sequence = data.sequence if reads == "labels" else None
    drawn = None if metric_of(relate) is None else drawn_together(data.labels[query])
    how: dict[str, Any] = {"groups": drawn, "relate": relate, "similarity": similarity, "rerank": rerank}
    how |= {"samples": samples, "seed": seed, "over_ranks": distributed.ranks() > 1}
    if gallery is None:
        return evaluate(z, labels, metrics, ids=data.ids, sequence=sequence, **how)
    against = (z[gallery], labels[gallery], data.ids[gallery], None if sequence is None else sequence[gallery])
    own = None if sequence is None else sequence[query]
    return evaluate(z[query], labels[query], metrics, against=against, ids=data.ids[query], sequence=own, **how)


def drawn_together(labels: Int[Tensor, " q"]) -> Int[Tensor, " q"]:
    """What intervals draw together, by number: the queries of a class; one of unknown class is drawn by itself.

    >>> drawn_together(torch.tensor([7, -1, 7, -1, 2]))
    tensor([1, 2, 1, 3, 0])
    """
    alone = (int(labels.max()) + 1 if len(labels) else 0) + torch.arange(len(labels))
    return torch.unique(torch.where(labels < 0, alone, labels), return_inverse=True)[1]


def _relation(data: Data, metrics: str) -> Any:
    """The relation that graded metrics want of these data; None for classes."""
    read = parse(metrics)
    graded = any(
        isinstance(metric, Metric) and (metric.graded or metric.needs_gaps)
        for metric in (read if isinstance(read, tuple) else (read,))
    )
    if graded and data.hierarchy is not None and data.hierarchy.shape[1] > 1:
        return label_tree
    if data.targets is not None and not (data.labels >= 0).any():
        return close_targets
    return None


def scores(
    ready: "Ready",
    data: Data,
    metrics: str,
    *,
    relate: Any = None,
    similarity: Any = cosine,
    samples: int = 1000,
    workers: int = -1,
    strict: bool = False,
) -> Results:
    """`measure(embed(…))`."""
    found = embed(ready, data, workers=workers, strict=strict)
    return measure(found, metrics, relate=relate, similarity=similarity, samples=samples)

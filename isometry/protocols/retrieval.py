"""Retrieval: every query searches the gallery; the metrics say how good what it finds is.

The rules, which published code differs in: a query is told from its own gallery item by id; labels are compared as
64-bit integers; average precision is divided by the number of relevant items; queries without a match in the gallery
are not scored. Where similarities are equal, a metric's value is its mean over all orders of the equals; metrics without a
closed form of that mean take the equals in the order of a hash of the ids, other for each query, so that the order of the
data, which tends to be that of the classes, decides nothing. A collapsed model scores chance.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isometry import distributed
from isometry.expression import parse
from isometry.metrics.metric import Metric
from isometry.metrics.statistic import Space, Statistic
from isometry.ops.ranking import inner, minus_distance
from isometry.protocols.rankings import Asked, Contest, by_lists, by_places, contest, deep
from isometry.protocols.relevance import relevant_items
from isometry.protocols.results import Resampling, Result, Results, summed_up, with_statistics
from isometry.protocols.scores import Scores
from isometry.protocols.sides import Side, say_what_is_scored, sides
from isometry.relations import same_class, shared_labels
from isometry.rerank.reranking import Reranking
from isometry.similarities import cosine, dot, euclidean, squared_euclidean

__all__ = ["Result", "Results", "evaluate"]

RANKS_LIKE: dict[Any, Callable[..., Tensor]] = {
    cosine: inner, dot: inner, euclidean: minus_distance, squared_euclidean: minus_distance,
}  # fmt: skip
"""Similarities that a fast search can stand for, once rows are embedded."""


@torch.no_grad()
def evaluate(
    z: Any,
    y: Any,
    metrics: str | Metric | Statistic | Sequence[Metric | Statistic] = "Recall(k=1), MAPAtR()",
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    sequence: Any = None,
    groups: Any = None,
    relate: Any = None,
    similarity: Any = cosine,
    rerank: Any = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
    resume: str | Path | None = None,
    over_ranks: bool = False,
) -> Results:
    """Exact metrics with class-level bootstrap intervals, all from one pass.

    Args:
        z, y: embeddings `[n d]` and labels of the queries, torch or numpy. Labels are integers `[n]` (−1 is unknown: it
            matches nothing and is not scored, but stays in the gallery) or label sets, bool `[n L]` (sharing a label
            is a match); with `relate`, whatever that reads.
        metrics: text such as "Recall(k=1), MAPAtR(), NMI()", or metrics and statistics.
        against: the gallery, `(g, y_g)`, `(g, y_g, ids_g)` or `(g, y_g, ids_g, sequence_g)`; None for what is not there.
            Without it every query searches all others.
        ids: names the queries, so that a gallery item with the same id is left out for its query. With `against`, ids
            are given on both sides or not at all. Without `against`, items that share an id are left out together.
        sequence: names the camera, or the shot, of each item: gallery items of the query's class *and* sequence are left
            out for it, as re-identification wants. −1 is none.
        groups: what intervals draw together, a number for each query; by default its class, and each query by itself where
            labels are numbers.
        relate: what the labels say of pairs, as for a loss: `label_tree`, `close_targets` or its text. Positives are
            matches; graded metrics weigh affinities, or label distances.
        similarity: of the catalogue, its text, or any `(z, r) -> [n m]`; larger is closer.
        rerank: a re-ranking or its text, such as "KReciprocal()": its lists take the place of the search. Such values
            do not belong in one table with those of plain search.
        samples, confidence, seed: of the bootstrap; `samples=0` leaves the intervals out. The seed also orders ties.
        memory: working memory beside one float32 copy of each side.
        resume: a file that keeps what is done; the same call goes on from it after an interruption, and removes it at
            the end.
        over_ranks: every rank makes this call with the same data; each scores its share, and all have the result.

    Returns:
        A mapping from a metric's text to its `Result`; `float(result)` is the value. A warning names metrics whose value
        depends on the order of equal similarities, with the smallest and the largest.

    Raises:
        ValueError: for embeddings with NaN or Inf, labels or ids of the wrong length or dtype, or when no query has a
            match.

    >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.8]])
    >>> evaluate(z, torch.tensor([0, 0, 1, 1]), "Recall(k=1), MAPAtR()")
    {'Recall(k=1)': 1.0000 [1.0000, 1.0000], 'MAPAtR()': 1.0000 [1.0000, 1.0000]}
    """
    chosen = _read(metrics)
    ranked = {name: metric for name, metric in chosen.items() if isinstance(metric, Metric)}
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence of an interval lies between 0 and 1; got {confidence}.")
    relate = parse(relate) if isinstance(relate, str) else relate
    queries, gallery = sides(z, y, ids, against, sequence=sequence, any_labels=relate is not None)
    if relate is None and any(metric.needs_gaps for metric in ranked.values()):
        relate = same_class if queries.y.ndim == 1 else shared_labels
    embed, compare = geometry(similarity)
    how = Resampling(samples, confidence, seed)
    classes = _classes(queries.y) if groups is None else _groups(groups, len(queries.z))
    scores = Scores(list(ranked.values()), len(queries.z))
    if ranked:
        field = contest(queries, gallery, embed, compare, seed, relate=relate, memory=memory)
        reranking = parse(rerank) if isinstance(rerank, str) else rerank
        _score(field, scores, reranking, resume, over_ranks)
        say_what_is_scored(scores.found, _unknown(queries.y), relate)
        scores.say_what_ties_decide(list(ranked))
    found = summed_up(list(ranked), scores.value, classes, how, least=scores.least, most=scores.most)
    if len(ranked) == len(chosen):
        return found
    space = _space(queries, gallery, embed, compare, (samples, confidence, seed), memory)
    made = {name: (lambda s=s: _measured(s, space)) for name, s in chosen.items() if isinstance(s, Statistic)}
    return with_statistics(found, list(chosen), made)


def _score(
    field: Contest, scores: Scores, rerank: Reranking | None, resume: str | Path | None, over_ranks: bool
) -> None:
    """Fills in the values of all queries: this rank's share, from where it was left."""
    plain, graded, m = scores.plain, scores.graded, len(field.g.z)
    few = relevant_items(field) if field.relate is None else None
    if rerank is not None:
        depth = min(Asked.by(scores.metrics).depth(int(few.max()) if few is not None and len(few) else 1), m)
        field = _reranked(field, scores, rerank, depth)
    listed = few is not None and not Asked.by(scores.metrics).ranks
    listed = listed and (rerank is not None or not deep(Asked.by(scores.metrics).depth(int(few.max())), m))  # type: ignore[union-attr]
    share = distributed.share(len(field.q.z)) if over_ranks else slice(0, len(field.q.z))
    start = scores.take_up(resume, field, share) if resume is not None else share.start
    rows = slice(start, share.stop)
    if listed and few is not None:
        part = field.part(rows)
        for chunk in by_lists(part, Asked.by(scores.metrics), few[rows]):
            scores.add(part, chunk)
            doubtful = chunk.rows[chunk.doubt]
            for again, table in by_places(part, plain, graded, doubtful) if len(doubtful) else ():
                scores.settle(part, again, table)
            scores.keep(chunk, start)
    else:
        part = field.part(rows)
        for chunk, table in by_places(part, plain, graded, torch.arange(len(part.q.z), device=part.q.z.device)):
            scores.add(part, chunk)
            scores.settle(part, chunk, table)
            scores.keep(chunk, start)
    if over_ranks:
        scores.gather(field.order[share])
    scores.done()


def _reranked(field: Contest, scores: Scores, rerank: Reranking, depth: int) -> Contest:
    """The contest with the re-ranking's lists.

    Raises:
        ValueError: for what is no re-ranking, and what lists cannot be had for.
    """
    from dataclasses import replace

    if not isinstance(rerank, Reranking):
        raise ValueError(
            f"{rerank!r} is no re-ranking; one is written like 'KReciprocal(k1=20)'. See isometry list rerank."
        )
    if field.relate is not None or any(metric.needs_ranks for metric in scores.metrics):
        raise ValueError(
            f"{rerank!r} gives lists of neighbours, and some metric reads places of all matches, or relations other than "
            "classes: give it a cut-off, such as MAP(k=100), or leave the re-ranking out."
        )
    if field.same_sequence is not None:
        raise ValueError(
            "A re-ranking does not leave out the query's own sequence yet: evaluate without one of the two."
        )
    lists = rerank.neighbours(
        field.q.z, field.g.z, depth, ids_q=field.q.ids, ids_g=field.g.ids, similarity=field.compare, turn=field.turn,
        memory=field.memory,
    )  # fmt: skip
    return replace(field, lists=lists)


def _measured(statistic: Statistic, space: Space) -> Result:
    found = statistic.measure(space)
    return Result(found.value, found.low, found.high)


def _space(
    queries: Side,
    gallery: Side,
    embed: Callable[..., Tensor],
    compare: Callable[..., Tensor],
    how: tuple[int, float, int],
    memory: str | int,
) -> Space:
    """All items once: the gallery's, and queries that are not among them."""
    n, m = len(queries.z), len(gallery.z)
    every = torch.arange(m + n, device=queries.z.device)
    if gallery is queries:
        ids = every[:n] if queries.ids is None else queries.ids
        both = every[:n]
        return Space(queries.z.float(), _by_path(queries.y), ids, both, both, embed, compare, *how, memory)
    if queries.ids is None or gallery.ids is None:
        query, new, ids = every[m:], every[:n] >= 0, every
    else:
        order = gallery.ids.argsort(stable=True)
        at = order[torch.searchsorted(gallery.ids[order], queries.ids).clamp_max(m - 1)]
        new = gallery.ids[at] != queries.ids
        query = torch.where(new, m + new.cumsum(0) - 1, at)
        ids = torch.cat([gallery.ids, queries.ids[new]])
    z, y = (torch.cat([a, b[new]]) for a, b in ((gallery.z.float(), queries.z.float()), (gallery.y, queries.y)))
    return Space(z, _by_path(y), ids, query, every[:m], embed, compare, *how, memory)


def _by_path(y: Tensor) -> Tensor:
    """Label paths as classes, a number for each whole path; other labels as they are."""
    if y.ndim != 2 or y.dtype == torch.bool or y.is_floating_point():
        return y
    return torch.where(y[:, -1] == -1, -1, torch.unique(y, dim=0, return_inverse=True)[1])


def _classes(y: Tensor) -> Tensor:
    """A number for each query's class: what is drawn together. Continuous labels are drawn one by one."""
    if y.is_floating_point():
        return torch.arange(len(y))
    return torch.unique(y.cpu(), dim=0, return_inverse=True)[1]


def _groups(groups: Any, n: int) -> Tensor:
    groups = torch.as_tensor(groups).cpu()
    if groups.shape != (n,):
        raise ValueError(f"groups are a number for each of {n} queries; got {list(groups.shape)}.")
    return torch.unique(groups, return_inverse=True)[1]


def _unknown(y: Tensor) -> Tensor:
    """Whose class is unknown."""
    if y.is_floating_point():
        return y.isnan().flatten(1).any(1) if y.ndim > 1 else y.isnan()
    return (~y.any(1) if y.dtype == torch.bool else (y[:, -1] == -1)) if y.ndim == 2 else y == -1


def geometry(similarity: Any) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """A row-wise map, and the comparison of mapped rows."""
    similarity = parse(similarity) if isinstance(similarity, str) else similarity
    embed = getattr(similarity, "embed", lambda z: z)
    return embed, RANKS_LIKE.get(similarity) or getattr(similarity, "compare", similarity)


def _read(metrics: Any) -> dict[str, Metric | Statistic]:
    """Metrics and statistics by their text."""
    read: Any = parse(metrics) if isinstance(metrics, str) else metrics
    several = read if isinstance(read, (tuple, list)) else (read,)
    for metric in several:
        if not isinstance(metric, (Metric, Statistic)):
            raise ValueError(f"{metric!r} is no metric; a metric is written like 'Recall(k=1)' or 'MAPAtR()'.")
    if not several:
        raise ValueError("No metric was given; write for example 'Recall(k=1), MAPAtR()'.")
    return {repr(metric): metric for metric in several}

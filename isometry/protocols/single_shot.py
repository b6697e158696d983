"""Retrieval with one gallery image of each identity, drawn at random and again.

The protocol of the classic split of CUHK03 (Li, Zhao, Xiao and Wang, CVPR 2014) and, without a gallery of its own, of
VehicleID (Liu et al., CVPR 2016).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from isometry.expression import parse
from isometry.metrics.metric import Metric, Ties
from isometry.protocols.rankings import Contest, contest, rows_at_once, whole
from isometry.protocols.results import Resampling, Results, summed_up
from isometry.protocols.retrieval import geometry
from isometry.protocols.sides import say_what_is_scored, sides
from isometry.similarities import cosine


@torch.no_grad()
def single_shot(
    z: Any,
    y: Any,
    metrics: str | Metric | Sequence[Metric] = "CMC(k=1), CMC(k=5), CMC(k=10), CMC(k=20)",
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    sequence: Any = None,
    repeats: int = 10,
    similarity: Any = cosine,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    memory: str | int = "512 MB",
) -> Results:
    """Metrics over galleries that hold one random image of each identity: the mean over `repeats` draws.

    With a gallery (`against`), every query meets one image of each identity there. What is left out for a query, by id
    or because it is of the query's own identity and `sequence` (camera), is left out before its match is drawn, so that
    a query with any match left always has one. Without a gallery, one image of each identity is drawn to be the gallery
    and all others are the queries; identities of one image are then nothing but gallery. A query's rank among equals is
    averaged in closed form, so a collapsed model scores chance.

    Args:
        z, y: embeddings `[n d]` and classes `[n]`, as in `isometry.evaluate`; so are the other arguments. Gallery items
            of unknown class (−1) are in every draw.
        metrics: any whose mean under ties has a closed form.
        repeats: how many galleries are drawn.

    Returns:
        As `isometry.evaluate`: means over all pairs of a draw and a query, with intervals from drawing classes;
        `per_query` is a query's mean over the draws in which it was one.

    Raises:
        ValueError: as `isometry.evaluate`; for label sets, and for fewer than one draw.

    >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.8]])
    >>> single_shot(z, torch.tensor([0, 0, 1, 1]), "CMC(k=1)")
    {'CMC(k=1)': 1.0000 [1.0000, 1.0000]}
    """
    chosen = _read(metrics)
    if repeats < 1:
        raise ValueError(f"At least one gallery is drawn; got repeats={repeats}.")
    queries, gallery = sides(z, y, ids, against, sequence=sequence)
    if queries.y.ndim != 1:
        raise ValueError("A gallery of one image of each identity takes classes [n]; got label sets.")
    field = contest(queries, gallery, *geometry(similarity), seed, memory=memory)
    drawn = list(_draws(field.g.y, repeats, seed))
    values = torch.full((repeats, len(queries.z), len(chosen)), torch.nan)
    relevant = torch.zeros(len(queries.z), dtype=torch.int64)
    for at in torch.arange(len(queries.z), device=field.order.device).split(rows_at_once(field)):
        table = whole(field, at)
        relevant[field.order[at].cpu()] = table.match.sum(1).cpu()
        pairs = table.match.nonzero().T
        met = [_one_match(field, at, table.sim, pairs, turn, shown) for turn, shown in drawn]
        row, size = (torch.cat(x) for x in zip(*met, strict=True))
        hits = torch.tensor([0, 1], device=row.device).expand_as(size).contiguous()
        found = Ties(size, hits, hits[:, 1].contiguous(), torch.full_like(row, len(drawn[0][1])))
        repeat = torch.arange(repeats).repeat_interleave(torch.tensor([len(one[0]) for one in met]))
        scores = [metric.expected(found).float() for metric in chosen.values()]
        values[repeat, field.order[row].cpu()] = torch.stack(scores, 1).cpu()
    say_what_is_scored(relevant, (queries.y == -1).cpu())
    classes = torch.unique(queries.y.cpu(), return_inverse=True)[1]
    return summed_up(
        list(chosen), values.flatten(0, 1), classes.repeat(repeats), Resampling(samples, confidence, seed),
        per_query=values.double().nanmean(0).float(),
    )  # fmt: skip


def _draws(y: Tensor, repeats: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """For each draw an order of the gallery, and its first item of each identity; unknown ones stand for themselves."""
    code = torch.unique(y, return_inverse=True)[1]
    code = torch.where(y == -1, len(y) + torch.arange(len(y), device=y.device), code)
    code = torch.unique(code, return_inverse=True)[1]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(repeats):
        order = torch.randperm(len(y), generator=generator).to(y.device)
        turn = torch.empty_like(order)
        turn[order] = torch.arange(len(y), device=y.device)
        first = torch.full((int(code.max()) + 1,), len(y), device=y.device).scatter_reduce_(0, code, turn, "amin")
        yield turn, order[first]


def _one_match(
    c: Contest, at: Tensor, sim: Tensor, pairs: Tensor, turn: Tensor, shown: Tensor
) -> tuple[Tensor, Tensor]:
    """The queries among these in a draw; how many items lie above their one match, and how many are its equals.

    `pairs` are rows and columns of all matches. A query's match is the one that comes first in the draw's order; it is
    the image shown of its identity, unless that is left out for the query and so lies below everything.
    """
    row, column = pairs
    first = torch.full((len(at),), len(turn), device=at.device).scatter_reduce_(0, row, turn[column], "amin")
    asked = first < len(turn)
    if c.g is c.q:
        asked &= ~torch.isin(at, shown)
    own = turn.argsort()[first.clamp_max(len(turn) - 1)]
    score, rest = sim.gather(1, own[:, None]), sim[:, shown]
    equal = (rest == score).sum(1) + (~torch.isin(own, shown)).long()
    return at[asked], torch.stack([(rest > score).sum(1), equal], 1)[asked]


def _read(metrics: str | Metric | Sequence[Metric]) -> dict[str, Metric]:
    """Metrics by their text."""
    read: Any = parse(metrics) if isinstance(metrics, str) else metrics
    several = read if isinstance(read, (tuple, list)) else (read,)
    for metric in several:
        if not isinstance(metric, Metric):
            raise ValueError(f"{metric!r} is no metric; a metric is written like 'CMC(k=1)'.")
    if not several:
        raise ValueError("No metric was given; write for example 'CMC(k=1), CMC(k=5)'.")
    return {repr(metric): metric for metric in several}

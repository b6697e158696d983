"""The gallery of continuous labels: what was found for a query, and below it what is nearest by label."""

import math

import torch
from torch import Tensor

from ..graded import Graded
from ..record import Items, Record
from ..text import compact, escape, metric_name, number
from .gallery import NEIGHBOURS, Albums, image, panels

ROWS = 6


def neighbours(record: Record, graded: Graded, albums: Albums) -> str:
    """Three tabs of queries; each with two rows of pictures, found and nearest by label."""
    metric = metric_name(record.per_query_name)
    scored = torch.isfinite(record.per_query).nonzero()[:, 0]
    if not len(scored):
        return '<section id="gallery"><h2>What is found</h2><p class="muted">No query was scored.</p></section>'
    drawn = scored[torch.randperm(len(scored), generator=torch.Generator().manual_seed(1))][:ROWS]
    order = scored[record.per_query[scored].argsort(descending=True, stable=True)]
    tabs = (
        ("random", "Random", "Queries drawn evenly, with a fixed seed: what to expect.", drawn),
        ("best", "Best", f"The highest {metric}.", order[:ROWS]),
        ("worst", "Worst", f"The lowest {metric}, the lowest last.", order[-ROWS:]),
    )
    rows = [
        (key, name, lead, "".join(_query(record, graded, albums, i) for i in at.tolist()))
        for key, name, lead, at in tabs
    ]
    lead = (
        f"Each query twice: above, what the embedding finds first; below, what is nearest by label ({escape(graded.relation)}). "
        f"Under each picture stands its label distance from the query; the bar is full at {compact(graded.typical)}, where "
        "a picture drawn at random lies in the mean."
    )
    return f'<section id="gallery"><h2>What is found</h2><p class="lead">{lead}</p>{panels(rows)}</section>'


def item_name(items: Items, i: int, record: Record) -> str:
    """What to call an item: its class where it has one, and its place in the data."""
    label, at = int(items.labels[i]), i if items.ids is None else int(items.ids[i])
    return f"image {at}" if label < 0 else f"{record.class_name(label)}, image {at}"


def _query(record: Record, graded: Graded, albums: Albums, i: int) -> str:
    gap = graded.apart(i)
    found = [int(j) for j in record.neighbours[i, :NEIGHBOURS] if int(j) >= 0]
    near = gap.topk(min(NEIGHBOURS, len(gap)), largest=False).indices.tolist()
    near = [j for j in near if math.isfinite(float(gap[j]))]
    name, value = item_name(record.queries, i, record), float(record.per_query[i])
    score = f"{metric_name(record.per_query_name)} {number(value)}"
    return (
        f'<div class="row"><figure class="query" data-tip="{escape(name)}">{image(albums.queries(i), "query: " + name)}'
        f'<figcaption><b class="clip">{escape(name)}</b><span>{score}</span>'
        f"<span>found: {_mean(gap, found)}</span><span>at best: {_mean(gap, near)}</span></figcaption></figure>"
        f'<div class="twice">{_strip(record, graded, albums, gap, found, "found")}'
        f"{_strip(record, graded, albums, gap, near, 'by label')}</div></div>"
    )


def _mean(gap: Tensor, at: list[int]) -> str:
    values = [float(gap[j]) for j in at if math.isfinite(float(gap[j]))]
    return compact(sum(values) / len(values)) if values else "—"


def _strip(record: Record, graded: Graded, albums: Albums, gap: Tensor, at: list[int], what: str) -> str:
    hits = "".join(_hit(record, graded, albums, j, float(gap[j]), rank, what) for rank, j in enumerate(at, 1))
    return f'<p class="which">{what}</p><ol class="hits">{hits}</ol>'


def _hit(record: Record, graded: Graded, albums: Albums, j: int, gap: float, rank: int, what: str) -> str:
    name = item_name(record.searched, j, record)
    far = compact(gap) if math.isfinite(gap) else "unknown"
    share = min(1.0, gap / graded.typical) if math.isfinite(gap) and graded.typical > 0 else 1.0
    return (
        f'<li class="hit near" data-tip="{escape(name)}" data-more="{what}, rank {rank} · label distance {far}">'
        f'<span class="frame">{image(albums.gallery(j), f"{what}, rank {rank}, label distance {far}")}</span>'
        f'<i class="far"><i style="width:{100 * share:.0f}%"></i></i><span class="score">{far}</span></li>'
    )

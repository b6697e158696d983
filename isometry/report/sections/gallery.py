"""The retrieval gallery: queries at random, the best and the worst, each with what was found first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .. import choice
from ..confusion import relevant
from ..pictures import Album, Picture
from ..record import Record
from ..text import escape, metric_name, number, plural

NEIGHBOURS = 10
HEAD = '<section id="gallery"><h2>What is found</h2>'


@dataclass(frozen=True)
class Albums:
    """The pictures of both sets, each encoded once for the whole page."""

    queries: Album
    gallery: Album

    @classmethod
    def of(cls, record: Record) -> "Albums":
        queries = Album(record.queries)
        return cls(queries, queries if record.gallery is None else Album(record.gallery))


def gallery(record: Record, albums: Albums) -> str:
    """Three tabs of rows; without JavaScript, and in print, they stand below each other."""
    metric = metric_name(record.per_query_name)
    best, worst = (
        f"The highest {metric}, one query a class; among equals,",
        f"The lowest {metric}, one query a class; among equals,",
    )
    tabs = (
        ("random", "Random", "Queries drawn evenly, with a fixed seed: what to expect.", choice.at_random(record)),
        ("best", "Best", f"{best} those with most to find.", choice.best(record)),
        ("worst", "Worst", f"{worst} those most sure of a wrong match.", choice.worst(record)),
    )
    if not any(rows for *_, rows in tabs):
        return f'{HEAD}<p class="muted">No query was scored, so there is nothing to show.</p></section>'
    counts = relevant(record)
    rows = [(key, name, lead, "".join(_row(record, albums, i, counts) for i in at)) for key, name, lead, at in tabs]
    return (
        f'{HEAD}<p class="lead">Each row: a query, then its nearest items from left to right, with their cosine similarity.<br>'
        '<span class="legend right"><i class="mark">✓</i> same class</span> '
        f'<span class="legend wrong"><i class="mark">✗</i> another class, named below</span></p>{panels(rows)}</section>'
    )


def panels(tabs: Sequence[tuple[str, str, str, str]]) -> str:
    """Tabs, each of a key, a name, a sentence and the rows of its panel."""
    buttons = "".join(
        f'<button role="tab" id="tab-{key}" aria-controls="panel-{key}" aria-selected="{str(k == 0).lower()}" '
        f'tabindex="{0 if k == 0 else -1}">{name}</button>'
        for k, (key, name, _, _) in enumerate(tabs)
    )
    shown = "".join(
        f'<div role="tabpanel" class="panel" id="panel-{key}" aria-labelledby="tab-{key}"><h3 class="print">{name} queries</h3>'
        f'<p class="muted">{escape(lead)}</p>{rows}</div>'
        for key, name, lead, rows in tabs
    )
    return f'<div role="tablist" class="tabs" aria-label="Which queries">{buttons}</div>{shown}'


def image(picture: Picture | None, alt: str) -> str:
    """An `<img>` that says what it shows; an empty frame where there is no picture."""
    if picture is None:
        return f'<span class="blank" role="img" aria-label="{escape(alt)}, no picture"></span>'
    kind = ' class="pixels"' if max(picture.width, picture.height) <= 24 else ""
    return f'<img{kind} src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="{escape(alt)}">'


def _row(record: Record, albums: Albums, i: int, counts: Tensor) -> str:
    name, value = record.class_name(int(record.queries.labels[i])), float(record.per_query[i])
    digits = _digits(record.similarities[i, :NEIGHBOURS].tolist())
    found = [
        _hit(record, albums, i, int(j), number(float(s), digits), rank)
        for rank, (j, s) in enumerate(zip(record.neighbours[i], record.similarities[i], strict=True), 1)
        if int(j) >= 0 and rank <= NEIGHBOURS
    ]
    score = f"{metric_name(record.per_query_name)} {number(value)}" if math.isfinite(value) else "not scored"
    return (
        f'<div class="row"><figure class="query" data-tip="{escape(name)}">{image(albums.queries(i), "query: " + name)}'
        f'<figcaption><b class="clip">{escape(name)}</b><span>{score}</span>'
        f"<span>{plural(int(counts[i]), 'match', 'matches')} to find</span>"
        f'</figcaption></figure><ol class="hits">{"".join(found)}</ol></div>'
    )


def _digits(sims: list[float]) -> int:
    """Decimals that tell the first result of a row from the last.

    >>> _digits([0.9, 0.5]), _digits([0.9991, 0.9989])
    (2, 4)
    """
    spread = max(sims) - min(sims) if sims else 1.0
    return 2 if spread >= 0.02 else 3 if spread >= 0.002 else 4


def _hit(record: Record, albums: Albums, i: int, j: int, sim: str, rank: int) -> str:
    own, label = int(record.queries.labels[i]), int(record.searched.labels[j])
    name = record.class_name(label)
    kind, mark, verdict = ("right", "✓", "right") if label == own else ("wrong", "✗", "wrong")
    if label < 0:
        kind, mark, verdict = "unsure", "?", "unknown class"
    below = "" if kind == "right" else f'<span class="clip">{escape(name)}</span>'
    return (
        f'<li class="hit {kind}" data-tip="{escape(name)}" data-more="{verdict} · rank {rank} · similarity {sim}">'
        f'<span class="frame">{image(albums.gallery(j), f"rank {rank}, {verdict}: {name}")}'
        f'<i class="mark" aria-hidden="true">{mark}</i></span>'
        f'<span class="score">{sim}</span>{below}</li>'
    )

"""The classes that are hardest to retrieve, and the pairs that are most often taken for each other."""

import torch

from ..confusion import Confused, HardClass, confused, hardest, mistakes
from ..record import Items, Record
from ..text import escape, metric_name, number, plural
from .gallery import Albums, image

EXAMPLES = 4


def classes(record: Record, albums: Albums) -> str:
    """Both lists with example pictures; empty when nothing was scored."""
    seen = mistakes(record)
    hard, pairs = hardest(record, seen), confused(record, seen)
    if not hard:
        return ""
    metric = metric_name(record.per_query_name)
    hard_rows = "".join(_hard(record, albums, item) for item in hard)
    pair_rows = "".join(_pair(record, albums, item) for item in pairs)
    found = pair_rows or '<p class="muted">No class was taken for another among the first R found.</p>'
    return (
        '<section id="classes"><h2>Where it goes wrong</h2><div class="pair"><div><h3>Hardest classes</h3>'
        f'<p class="muted">By the mean {escape(metric)} of their queries; beside it, the class most often found '
        "instead and its share of the first R places (R: how many there are to find).</p>"
        f'<ul class="cards">{hard_rows}</ul></div><div><h3>Most confused pairs</h3>'
        '<p class="muted">By the share of the first R places that go to the other class, both ways together.</p>'
        f'<ul class="cards">{found}</ul></div></div></section>'
    )


def _examples(record: Record, albums: Albums, label: int, count: int = EXAMPLES) -> str:
    name, shown = record.class_name(label), []
    sides: list[tuple[Items, int]] = []
    for items in (record.queries, record.searched):
        rows = (items.labels == label).nonzero().flatten()
        if len(rows):
            spread = torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long()
            sides = [(items, int(rows[k])) for k in spread]
            break
    for items, i in sides:
        album = albums.queries if items is record.queries else albums.gallery
        shown.append(f'<span class="thumb" data-tip="{escape(name)}">{image(album(i), name)}</span>')
    return f'<span class="strip">{"".join(shown)}</span>'


def _hard(record: Record, albums: Albums, item: HardClass) -> str:
    other = ""
    if item.taken_for is not None:
        other = (
            f'<div class="versus"><span class="muted">instead, {100 * item.share:.0f} %:</span>'
            f"{_examples(record, albums, item.taken_for, 1)}"
            f'<span class="clip">{escape(record.class_name(item.taken_for))}</span></div>'
        )
    return (
        f'<li class="card"><div><b class="clip">{escape(record.class_name(item.label))}</b>'
        f'<span class="muted">{number(item.value)} · {plural(item.queries, "query", "queries")}</span>'
        f"{_examples(record, albums, item.label)}</div>{other}</li>"
    )


def _pair(record: Record, albums: Albums, item: Confused) -> str:
    return f'<li class="card two">{_side(record, albums, item.a, item.a_to_b)}{_side(record, albums, item.b, item.b_to_a)}</li>'


def _side(record: Record, albums: Albums, label: int, share: float | None) -> str:
    said = "never a query" if share is None else f"{100 * share:.0f} % go to the other"
    return (
        f'<div>{_examples(record, albums, label, 3)}<b class="clip">{escape(record.class_name(label))}</b>'
        f'<span class="muted">{said}</span></div>'
    )

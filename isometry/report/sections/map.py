"""The map of the test embeddings: a canvas, and the data that the page's script draws on it."""

import math
from collections import Counter

import torch

from ..graded import Graded
from ..pictures import Atlas, atlas
from ..projection import Map, project
from ..record import Record
from ..text import compact, embed, escape, metric_name
from .neighbours import item_name

COLOURS = 10
NAMED = 20  # groups with a mark of their own: ten colours and four shapes repeat together only after twenty
NAME_LENGTH = 120
OTHER = "all others"


def embedding_map(record: Record) -> str:
    """Canvas, search box, legend, and the caption that says how the map was made."""
    flat = project(record)
    sheet = atlas([(point.items, point.i) for point in flat.points])
    groups, names, what = _along(record.graded, flat) if record.graded and in_tenths(record) else _groups(record, flat)
    data = {
        **_data(record, flat, groups),
        **(_items(record, record.graded, flat) if record.graded else {}),
        "groups": names,
        "other": len(names) - 1 if names[-1:] == [OTHER] else -1,
        "sheet": _sheet(sheet),
        "metric": metric_name(record.per_query_name),
    }
    image = "" if sheet is None else f'<img id="atlas" hidden alt="" src="{sheet.uri}">'
    legend = "".join(
        f'<button type="button" class="group" data-group="{k}" aria-pressed="false">{_swatch(k, name, in_tenths(record))}'
        f"{escape(_cut(name))}</button>"
        for k, name in enumerate(names)
    )
    what_found = "a class" if record.graded is None else "an image"
    return (
        '<section id="map"><h2>Map of the test embeddings</h2>'
        f'<div class="tools"><label>Find {what_found} <input id="find" type="search" list="names" autocomplete="off" '
        'placeholder="type a name" spellcheck="false"></label><datalist id="names"></datalist>'
        '<label class="check"><input type="checkbox" id="pictures" checked> pictures</label>'
        '<span class="zoom"><button type="button" data-zoom="1.5" aria-label="zoom in">+</button>'
        '<button type="button" data-zoom="0.667" aria-label="zoom out">−</button>'
        '<button type="button" data-zoom="0">reset</button></span></div>'
        f'<div class="legendbar" role="group" aria-label="Show only">{legend}</div>'
        '<div class="plate"><canvas id="canvas" tabindex="0" role="application" aria-label="Map of the test embeddings. '
        'Arrow keys move between points, plus and minus zoom, Escape clears."></canvas></div>'
        f'<p id="said" class="muted" role="status">&nbsp;</p><p class="muted">{escape(_caption(record, flat, what))}</p>'
        "<noscript><p>The map needs JavaScript, which this browser has switched off.</p></noscript>"
        f'{image}<script type="application/json" id="mapdata">{embed(data)}</script></section>'
    )


def _items(record: Record, graded: Graded, flat: Map) -> dict:
    """Where labels are at a distance each item stands for itself, and what is near has a label distance."""
    far: list[str | None] = [None] * len(flat.points)
    if record.gallery is None:
        at = torch.tensor([point.i for point in flat.points])
        gaps = (graded.apart(i)[at[near]] for i, near in zip(at.tolist(), flat.near, strict=True))
        far = [_rounded(float(gap.mean())) for gap in gaps]
    return {
        "c": list(range(len(flat.points))),
        "names": [_cut(item_name(point.items, point.i, record)) for point in flat.points],
        "unknown": -1,
        "graded": True,
        "plain": in_tenths(record),
        "far": far,
    }


def _rounded(value: float) -> str | None:
    return compact(value) if math.isfinite(value) else None


def in_tenths(record: Record) -> bool:
    """Whether colours go along the first axis of the labels: there are distances between them, and no category."""
    grouped = any(items.groups is not None for _, items in record.sets())
    return record.graded is not None and record.graded.groups is not None and not grouped


def _along(graded: Graded, flat: Map) -> tuple[list[int], list[str], str]:
    """Tenths along the first axis of the labels, in the order of a rainbow."""
    sides = {False: graded.groups, True: graded.searched_groups}
    groups = [int(sides[point.gallery][point.i]) for point in flat.points]  # type: ignore[index]
    return groups, list(graded.group_names), f"Colour: tenths along {graded.axis}. "


def _swatch(k: int, name: str, plain: bool = False) -> str:
    colour = "" if name == OTHER else f" g{k % COLOURS}"
    return f'<i class="swatch{colour} s{0 if plain else k % 4}"></i>'


def _sheet(sheet: Atlas | None) -> list[int] | None:
    return None if sheet is None else [sheet.tile, sheet.columns]


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _data(record: Record, flat: Map, groups: list[int]) -> dict:
    labels = [int(point.items.labels[point.i]) for point in flat.points]
    order = {label: k for k, label in enumerate(sorted(set(labels)))}
    xy = (flat.xy * 10_000).round().int().tolist()
    return {
        "x": [x for x, _ in xy],
        "y": [y for _, y in xy],
        "c": [order[label] for label in labels],
        "g": groups,
        "q": [int(point.gallery) for point in flat.points],
        "v": [_value(record, point.i) if not point.gallery else None for point in flat.points],
        "near": flat.near.tolist(),
        "names": [_cut(record.class_name(label)) for label in order],
        "unknown": order.get(-1, -1),
    }


def _value(record: Record, i: int) -> float | None:
    value = float(record.per_query[i])
    return round(value, 3) if math.isfinite(value) else None


def _groups(record: Record, flat: Map) -> tuple[list[int], list[str], str]:
    """A colour for each point, the names of the colours, and what they stand for in words.

    The coarse label if there is one, else the class. Of more than can be told apart the most frequent keep their colour;
    with many classes and no coarse label, colours repeat and have no names.
    """
    labels = [int(point.items.labels[point.i]) for point in flat.points]
    coarse = [-1 if point.items.groups is None else int(point.items.groups[point.i]) for point in flat.points]
    if max(coarse) >= 0:
        keys, names, what = coarse, record.group_names, "Colour and shape: the group. "
    elif len(set(labels)) <= NAMED:
        keys, names, what = labels, record.classes, "Colour and shape: the class. "
    else:
        order = {label: k for k, label in enumerate(sorted(set(labels)))}
        return (
            [order[label] % COLOURS for label in labels],
            [],
            ("There are more classes than colours, so colours repeat: rest on a point to see its class. "),
        )
    kept = [key for key, _ in Counter(keys).most_common(NAMED if len(set(keys)) <= NAMED else NAMED - 1)]
    place = {key: k for k, key in enumerate(sorted(kept))}
    shown = ["unknown" if key < 0 else str(names[key]) for key in place]
    return [place.get(key, len(place)) for key in keys], shown + [OTHER] * (len(set(keys)) > len(place)), what


def _caption(record: Record, flat: Map, what: str) -> str:
    shown = len(flat.points)
    text = (
        f"All {shown:,} test items"
        if shown == flat.total
        else f"{shown:,} of {flat.total:,} test items, whole classes drawn at random"
    )
    text = f"{text}; {flat.method}. {what}"
    if record.gallery is not None:
        text += "Filled: queries; hollow: gallery. "
    return text + (
        "Only neighbourhoods mean something here: distances across the map and the sizes of clusters do not. The neighbours that "
        "light up are the nearest shown items in the full space, not on the map."
    )

"""Label distance by rank, and against the distance of embeddings."""

import math

import torch
from torch import Tensor

from ..graded import Graded
from ..svg import Frame, Reading, chart
from ..text import compact, escape, number

COLUMNS, LINES, BINS = 44, 30, 16
KINDS = ("main", "second", "third")


def distance(graded: Graded) -> str:
    """Two charts side by side."""
    drawn = _curves(graded) + _pairs(graded)
    return f'<section id="distance"><h2>Label distance</h2><div class="pair">{drawn}</div></section>' if drawn else ""


def _curves(graded: Graded) -> str:
    curves = {name: values.tolist() for name, values in graded.curves.items() if len(values) > 1}
    if not curves:
        return ""
    last = max(len(values) for values in curves.values())
    top = max([graded.typical, *(value for values in curves.values() for value in values)])
    frame = Frame((0.0, math.log10(last)), (0.0, 1.08 * top or 1.0), height=330)
    body = frame.axes("how many are looked at", "mean label distance", x_ticks=_powers(last))
    body += frame.path([0.0, math.log10(last)], [graded.typical] * 2, "line chance")
    at = f'x="{frame.px(0) + 6:.1f}" y="{frame.py(graded.typical) - 7:.1f}"'
    body += f'<text class="name chance" {at}>at random {compact(graded.typical)}</text>'
    for (_, values), kind in zip(curves.items(), _kinds(list(curves)), strict=True):
        body += frame.path([math.log10(k) for k in range(1, len(values) + 1)], values, f"line {kind}")
    ks = [k for k in range(1, last + 1) if k < 10 or k % 5 == 0]
    readings = [
        Reading(
            math.log10(k),
            [f"first {k}", *(f"{name} {compact(values[min(k, len(values)) - 1])}" for name, values in curves.items())],
            [values[min(k, len(values)) - 1] for values in curves.values()],
        )
        for k in ks
    ]
    key = "".join(
        f'<li><i class="dash {kind}"></i>{escape(name)} <b>{compact(values[0])}</b></li>'
        for (name, values), kind in zip(curves.items(), _kinds(list(curves)), strict=True)
    )
    label = "Mean label distance of the first items found: " + ", ".join(
        f"{n} {compact(v[0])}" for n, v in curves.items()
    )
    return (
        f'<figure id="ranks"><h3>How far what is found lies</h3>{chart(frame, body, label, readings)}<ul class="key">{key}</ul>'
        f"<figcaption>The mean label distance ({escape(graded.relation)}) of the first 1, 2, … items found, over "
        f"{graded.asked:,} queries; the numbers above are those of the first. No order of the gallery can lie below "
        "“the nearest by label”.</figcaption></figure>"
    )


def _kinds(names: list[str]) -> list[str]:
    rest = iter(("second", "third", "fourth"))
    return ["main" if name == "this model" else "best" if "by label" in name else next(rest, "third") for name in names]


def _powers(last: int) -> list[tuple[float, str]]:
    return [(math.log10(k), str(k)) for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= last]


def _pairs(graded: Graded) -> str:
    if graded.embedded is None or graded.labelled is None or len(graded.embedded) < 3:
        return ""
    x, y = graded.embedded.double(), graded.labelled.double()
    frame = Frame((0.0, float(x.quantile(0.995)) or 1.0), (0.0, float(y.max()) * 1.03 or 1.0), height=330)
    what = "Euclidean distance of embeddings" if graded.by_length else f"1 − {graded.similarity} of embeddings"
    what = what if graded.by_length or graded.similarity == "cosine" else f"minus {graded.similarity} of embeddings"
    body = frame.axes(what, "label distance") + _cells(frame, x, y)
    middle, readings = _medians(x, y, frame.x[1])
    body += frame.path([a for a, _ in middle], [b for _, b in middle], "line main")
    rho = number(graded.agreement, 2)
    label = f"Label distance against distance of embeddings for {len(x):,} pairs; Spearman's correlation {rho}"
    return (
        f'<figure id="agreement"><h3>Spearman’s ρ {rho}</h3>{chart(frame, body, label, readings)}'
        f"<figcaption>{len(x):,} pairs of pictures, drawn at random: darker where there are more. The line is the median label "
        "distance of pairs that are equally far in the embedding; a map that keeps distances makes it rise without spread. "
        "ρ is the correlation of ranks.</figcaption></figure>"
    )


def _cells(frame: Frame, x: Tensor, y: Tensor) -> str:
    x, y = x[x <= frame.x[1]], y[x <= frame.x[1]]
    column = (x / frame.x[1] * COLUMNS).long().clamp(0, COLUMNS - 1)
    line = (y / frame.y[1] * LINES).long().clamp(0, LINES - 1)
    counts = torch.bincount(column * LINES + line, minlength=COLUMNS * LINES)
    wide, high = (frame.px(frame.x[1]) - frame.px(0)) / COLUMNS, (frame.py(0) - frame.py(frame.y[1])) / LINES
    most = math.log1p(int(counts.max()))
    return "".join(
        f'<rect class="cell" x="{frame.px(0) + k // LINES * wide:.1f}" y="{frame.py(0) - (k % LINES + 1) * high:.1f}" '
        f'width="{wide + 0.3:.1f}" height="{high + 0.3:.1f}" opacity="{0.9 * math.log1p(int(counts[k])) / most:.2f}"/>'
        for k in counts.nonzero()[:, 0].tolist()
    )


def _medians(x: Tensor, y: Tensor, last: float) -> tuple[list[tuple[float, float]], list[Reading]]:
    """The median of y in groups of equal size along x, and what the pointer reads there."""
    order = x.argsort()
    middle, readings = [], []
    for part in order.chunk(BINS):
        at, value = float(x[part].median()), float(y[part].median())
        if at <= last:
            low, high = (float(q) for q in y[part].quantile(torch.tensor([0.25, 0.75], dtype=y.dtype)))
            middle.append((at, value))
            lines = [f"embeddings {compact(at)} apart", f"label distance {compact(value)}"]
            readings.append(Reading(at, [*lines, f"half of them {compact(low)} – {compact(high)}"], [value]))
    return middle, readings

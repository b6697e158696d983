"""New classes beside known ones: radii, gaps and stretch at each validation, and at the step that was kept."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..record import Record
from ..svg import Frame, Reading, chart
from ..text import compact, escape, plural, read_value
from .curves import chosen_step

SIDES = (("train", "known classes", "main"), ("unseen", "new classes", "second"))


class Drawn(NamedTuple):
    """A chart of one quantity: where it is in a row, the axis, and what it means."""

    key: tuple[str, ...]
    title: str
    unit: str
    meaning: str


CHARTS = (
    Drawn(
        ("radius",),
        "Radius of a class",
        "radius r and r*",
        "How far from its middle nine tenths of a class lie, a mean over classes. A new class that reaches farther than a known "
        "one is blurred by the map. Read it beside the gap: a map that squeezes all new pictures together makes both small.",
    ),
    Drawn(
        ("gap",),
        "Gap around a picture",
        "gap δ₂ − δ₁",
        "δ₁ is the distance to the farthest picture of the same class, δ₂ to the nearest of another. Above 0, classes "
        "stand apart.",
    ),
    Drawn(
        ("separated",),
        "Pictures that are told apart",
        "share with δ₁ < δ₂",
        "All of their class are nearer than any other picture: nothing wrong comes before anything right.",
    ),
    Drawn(
        ("whole", "q95"),
        "Stretch from pixels",
        "L95",
        "How far two embeddings lie apart for each unit that their pictures do: nineteen of twenty pairs are stretched less. "
        "Stretch is what makes a new class large.",
    ),
)
TABLE = (
    (("radius",), "Radius, nine tenths of a class", "r, and r* for new classes"),
    (("radius_max",), "Radius, the whole class", "one odd picture decides it"),
    (("farthest",), "Farthest of the same class", "mean δ₁"),
    (("nearest",), "Nearest of another class", "mean δ₂"),
    (("gap",), "Gap", "mean δ₂ − δ₁"),
    (("separated",), "Share told apart", "δ₁ < δ₂"),
    (("whole", "q95"), "Stretch from pixels", "L95, length of embedding by length of picture"),
    (("head", "q95"), "Stretch by the head", "L95, length of embedding by length of feature"),
    (("head", "between"), "Steepest between pictures, head", "median of σ_max on segments"),
    (("anisotropy",), "Unevenness of the head", "σ_max by the geometric mean; 1 is even"),
    (("certificate",), "Slack of a picture", "median of (δ₂ − δ₁) / 2L, in pixel distance"),
)


def geometry(record: Record) -> str:
    """Four charts, a table and two sentences; nothing for a log without such rows."""
    rows = [(float(row["step"]), row["geometry"]) for row in record.log if _is_measured(row.get("geometry"))]
    if not rows:
        return ""
    chosen = chosen_step(record)
    kept = next((row for step, row in rows if step == chosen), rows[-1][1])
    charts = "".join(_chart(drawn, rows, chosen) for drawn in CHARTS)
    return (
        '<section id="geometry"><h2>New classes beside known ones</h2>'
        f'<p class="lead">{_ratio(kept)} Measured at each validation on {_counts(kept)}; new classes are the validation '
        "classes, on which nothing was trained. Lengths are of embeddings at length one, so the largest distance is 2.</p>"
        f'<div class="pair">{charts}</div><h3>At the step that was kept</h3>{_table(kept)}</section>'
    )


def _is_measured(found: Any) -> bool:
    return isinstance(found, Mapping) and all(isinstance(found.get(side), Mapping) for side, _, _ in SIDES)


def _at(side: Mapping[str, Any], key: Sequence[str]) -> float:
    found: Any = side
    for name in key:
        found = found.get(name) if isinstance(found, Mapping) else None
    return read_value(found).value


def _counts(row: Mapping[str, Any]) -> str:
    parts = [
        f"{plural(int(row[side].get('images', 0)), 'picture')} of {plural(int(row[side].get('classes', 0)), kind, many)}"
        for side, kind, many in (
            ("train", "known class", "known classes"),
            ("unseen", "new class", "new classes"),
        )
    ]
    return " and ".join(parts)


def _ratio(row: Mapping[str, Any]) -> str:
    ratio, room = (read_value(row.get(name)).value for name in ("ratio", "room"))
    if not math.isfinite(ratio):
        return ""
    size = f"{abs(ratio - 1):.0%} {'larger' if ratio >= 1 else 'smaller'} than"
    said = f"A new class is {'as large as' if abs(ratio - 1) < 0.005 else size} a known one (r*/r = {ratio:.2f})."
    if abs(ratio - 1) >= 1:
        said = f"A new class is {ratio:.1f} times as large as a known one (r*/r = {ratio:.2f})."
    if math.isfinite(room) and room <= 0:
        said += (
            " Known classes leave no gap between them (mean δ₂ − δ₁ is not above 0), so there is no room for a new one."
        )
    elif math.isfinite(room):
        fits = "one fits" if room >= 1 else "none fits"
        said += (
            f" The gap between known classes is {compact(room)} times the width of a new class: {fits} between them."
        )
    return escape(said + " A ratio that rises while training means that known classes shrink and new ones do not.")


def _chart(drawn: Drawn, rows: Sequence[tuple[float, Mapping[str, Any]]], chosen: int | None) -> str:
    series = [
        (name, kind, [(x, y) for x, row in rows if math.isfinite(y := _at(row[side], drawn.key))])
        for side, name, kind in SIDES
    ]
    ys = [y for _, _, points in series for _, y in points]
    if not ys:
        return ""
    margin = 0.12 * (max(ys) - min(ys)) or 0.1 * abs(ys[0]) or 0.1
    low = min(ys) - margin
    frame = Frame((0, rows[-1][0] or 1), (max(0.0, low) if min(ys) >= 0 else low, max(ys) + margin), height=240)
    body = frame.axes("step", drawn.unit)
    if chosen is not None:
        body += frame.upright(chosen, "chosen")
    body += "".join(
        _line(frame, name, kind, points, _is_higher(series, k)) for k, (name, kind, points) in enumerate(series)
    )
    readings = [
        Reading(
            x,
            [f"step {x:,.0f}" + (" (kept)" if x == chosen else "")]
            + [f"{name} {compact(_at(row[side], drawn.key))}" for side, name, _ in SIDES],
            [y for side, _, _ in SIDES if math.isfinite(y := _at(row[side], drawn.key))],
        )
        for x, row in rows
    ]
    ends = "; ".join(f"{name} {compact(points[-1][1])} at the end" for name, _, points in series if points)
    label = f"{drawn.title} at {plural(len(rows), 'validation')}: {ends}"
    return (
        f"<figure><h3>{escape(drawn.title)}</h3>{chart(frame, body, label, readings)}"
        f"<figcaption>{escape(drawn.meaning)}</figcaption></figure>"
    )


def _is_higher(series: Sequence[tuple[str, str, list[tuple[float, float]]]], k: int) -> bool:
    """Whether this line ends above the other, so that its name stands above it."""
    ends = [points[-1][1] if points else -math.inf for _, _, points in series]
    return ends[k] > ends[1 - k] or (ends[k] == ends[1 - k] and k == 0)


def _line(frame: Frame, name: str, kind: str, points: list[tuple[float, float]], above: bool) -> str:
    if not points:
        return ""
    dots = "".join(
        f'<circle class="dot {kind}" cx="{frame.px(x):.1f}" cy="{frame.py(y):.1f}" r="2.6"/>' for x, y in points
    )
    x, y = points[-1]
    at = f'x="{frame.px(x):.1f}" y="{frame.py(y) + (-9 if above else 17):.1f}"'
    return (
        frame.path([x for x, _ in points], [y for _, y in points], f"line {kind}")
        + dots
        + f'<text class="name {kind}" {at} text-anchor="end">{escape(name)}</text>'
    )


def _table(row: Mapping[str, Any]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(name)}<small>{escape(note)}</small></th>'
        + "".join(f"<td>{_number(_at(row[side], key))}</td>" for side, _, _ in SIDES)
        + "</tr>"
        for key, name, note in TABLE
        if any(math.isfinite(_at(row[side], key)) for side, _, _ in SIDES)
    )
    left = list(dict.fromkeys(reason for side, _, _ in SIDES for reason in row[side].get("left_out") or ()))
    note = (
        f"Not measured: {'; '.join(map(str, left))}."
        if left
        else "Stretch and slack compare runs on the same data only."
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of the geometry">'
        '<table class="metrics" style="max-width:640px">'
        f'<caption class="muted">{escape(note)}</caption>'
        '<thead><tr><th scope="col">Quantity</th><th scope="col">Known classes</th><th scope="col">New classes</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _number(value: float) -> str:
    return compact(value).replace("-", "−")

"""What more search would have brought, and how the final trainings went."""

import math
from statistics import mean, median

from isometry.bench.findings import Method
from isometry.report.svg import Frame, Reading, chart
from isometry.report.text import escape, plural

from ..numbers import plain, short, signed
from ..plot import Plane, Scale
from ..view import View, finite


def budget(view: View) -> str:
    """The expected best of n trials for all methods in one chart; a small chart of learning curves for each."""
    names = "".join(f'<option value="{k}">{escape(name)}</option>' for name, k in view.places.items())
    return (
        '<section id="budget"><h2>Budget</h2>'
        '<p class="tools" hidden><label>Highlight <select id="highlight"><option value="">none</option>'
        f"{names}</select></label></p>"
        f"<h3>More trials</h3>{_best_of(view)}<h3>Learning curves of the final trainings</h3>{_learning(view)}</section>"
    )


def _best_of(view: View) -> str:
    known = {m.name: m for m in view.methods.values() if finite(m.best_of)}
    if not known:
        return '<p class="muted">No trial has been made yet.</p>'
    most = max(len(m.best_of) for m in known.values())
    y = Scale.over(_in_view(list(known.values())))
    frame = Frame((1, max(most, 2)), (y.low, y.high), 560, 250)
    first = [*list(known)[:3], *([view.findings.reference] if view.findings.reference in known else [])]
    named = list(dict.fromkeys(first))
    lines = [_line(frame, view, m, named) for m in known.values() if m.name not in named]
    lines += [_line(frame, view, known[name], named) for name in reversed(named)]
    body = _axes(view, frame, y, most) + "".join(lines) + _ends(frame, view, [known[n] for n in named], named)
    readings = [
        Reading(
            n,
            [plural(n, "trial"), *_at(known, named, n)],
            _heights(frame, known, named, n),
        )
        for n in range(1, most + 1)
    ]
    label = f"Expected best validation {view.chosen_by} of 1 to {most} trials, for {plural(len(known), 'method')}."
    note = (
        "Expected best of n trials drawn from those made, on the validation part; a trial without a value counts as 0, and a "
        "line begins where it comes into view. A line that still rises would have gained "
        f"from more search; an order that crosses depends on the budget. {_tuned(view)}"
    )
    legend = "".join(
        f'<span class="legend"><i class="swatch {_colour(view, n, named)}"></i>{escape(n)}</span>' for n in named
    )
    return (
        f'<figure class="best-of"><p class="names">{legend}</p>{chart(frame, body, label, readings)}'
        f"<figcaption>{escape(note)}</figcaption></figure>"
    )


def _axes(view: View, frame: Frame, y: Scale, most: int) -> str:
    plane = Plane(Scale(*frame.x), y, frame.width, frame.height)
    return plane.axes("trials", f"expected best validation {view.chosen_by}", (min(5, max(most - 1, 1)), 4))


def _heights(frame: Frame, known: dict[str, Method], named: list[str], n: int) -> list[float]:
    values = finite(known[name].best_of[n - 1] for name in named if len(known[name].best_of) >= n)
    return [v for v in values if v >= frame.y[0]]


def _in_view(methods: list[Method]) -> list[float]:
    """What the axis covers: all ends, and starts as far as they do not squash the ends."""
    ends = [finite(m.best_of)[-1] for m in methods]
    floor = min(ends) - 2 * (max(ends) - min(ends)) if len(ends) > 1 and max(ends) > min(ends) else -math.inf
    return [v for m in methods for v in finite(m.best_of) if v >= floor]


def _at(known: dict[str, Method], named: list[str], n: int) -> list[str]:
    return [f"{name} {plain(known[name].best_of[n - 1])}" for name in named if len(known[name].best_of) >= n]


def _colour(view: View, name: str, named: list[str]) -> str:
    if name not in named:
        return ""
    return "reference" if name == view.findings.reference else f"g{named.index(name)}"


def _line(frame: Frame, view: View, m: Method, named: list[str]) -> str:
    points = [(n, v) for n, v in enumerate(m.best_of, 1) if math.isfinite(v) and v >= frame.y[0]]
    kind = f"series {_colour(view, m.name, named)}".strip()
    path = frame.path([n for n, _ in points], [v for _, v in points], "curve")
    dot = (
        f'<circle class="tip" cx="{frame.px(points[0][0]):.1f}" cy="{frame.py(points[0][1]):.1f}" r="3"/>'
        if len(points) == 1
        else ""
    )
    return f'<g class="{kind}" data-m="{view.places[m.name]}">{path}{dot}</g>'


def _ends(frame: Frame, view: View, methods: list[Method], named: list[str]) -> str:
    """Names beyond the ends of their lines, pushed apart where they would cover each other."""
    ends = sorted(
        ((frame.py(finite(m.best_of)[-1]), m.name, len(m.best_of)) for m in methods), key=lambda e: (e[0], e[1])
    )
    drawn, free = [], 0.0
    for y, name, last in ends:
        free = max(y + 3, free)
        at = f'x="{frame.px(last) + 9:.1f}" y="{free:.1f}"'
        drawn.append(f'<text class="end {_colour(view, name, named)}" {at}>{escape(short(name, 21))}</text>')
        free += 11
    return "".join(drawn)


def _tuned(view: View) -> str:
    """How much the search gained over each method's own defaults."""
    gains = []
    for m in view.methods.values():
        own = [t for t in view.findings.trials if t.method == m.name]
        start, values = finite(t.value for t in own if t.number == 0), finite(t.value for t in own)
        gains += [max(values) - start[0]] if start else []
    if not gains:
        return ""
    return (
        f"Over the published defaults (trial 0), search gained {signed(median(gains))} in the middle over methods, "
        f"{signed(max(gains))} at most."
    )


def _learning(view: View) -> str:
    curves = {m.name: m for m in view.methods.values() if any(m.curves)}
    every = [(float(r["step"]), float(r["validation"])) for m in curves.values() for c in m.curves for r in c]
    every = [(x, y) for x, y in every if math.isfinite(y)]
    if not every:
        return '<p class="muted">No training with validation on the way has been done yet.</p>'
    plane = Plane(Scale(0.0, max(x for x, _ in every) or 1.0), Scale.over([y for _, y in every]), 250, 170)
    first = next(iter(curves))
    middle = _mean(curves[first])
    cards = "".join(_small(view, plane, m, middle if m.name != first else []) for m in curves.values())
    note = (
        f"Each chart: validation {view.chosen_by} over steps, a thin line for a training, the strong line their mean (where all "
        f"still ran); "
        f"dashed: the mean of {first}. All charts have the same axes. Validation chose the step that was kept."
    )
    return f'<div class="multiples">{cards}</div><p class="muted">{escape(note)}</p>'


def _small(view: View, plane: Plane, m: Method, other: list[tuple[float, float]]) -> str:
    body = plane.axes("step", "", (2, 3)) + plane.line(other, "line other")
    for curve in m.curves:
        body += plane.line(
            [(float(r["step"]), float(r["validation"])) for r in curve if math.isfinite(float(r["validation"]))], "thin"
        )
    body += plane.line(_mean(m), "line main")
    label = f"Learning curves of {m.name}: {plural(len(m.curves), 'training')}."
    return (
        f'<figure class="multiple" data-m="{view.places[m.name]}"><figcaption><b>{escape(m.name)}</b></figcaption>'
        f"{plane.picture(body, label)}</figure>"
    )


def _mean(m: Method) -> list[tuple[float, float]]:
    """Mean over the trainings, at steps where all were validated."""
    at: dict[float, list[float]] = {}
    for curve in m.curves:
        for row in curve:
            at.setdefault(float(row["step"]), []).append(float(row["validation"]))
    whole = [(step, mean(values)) for step, values in sorted(at.items()) if len(values) == len(m.curves)]
    return [(step, value) for step, value in whole if math.isfinite(value)]

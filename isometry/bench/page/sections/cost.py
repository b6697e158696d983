"""Quality against what it costs, and one metric against another."""

import math
from collections.abc import Sequence
from itertools import pairwise

from isometry.bench.findings import Row
from isometry.report.text import duration, escape, metric_name

from ..numbers import bracket, listed, plain, times
from ..plot import Plane, Scale, Spot, spots
from ..view import View


def cost(view: View) -> str:
    """Both scatter plots side by side."""
    return (
        '<section id="cost"><h2>Quality against cost</h2><div class="pair">'
        f"<div><h3>Value against processor time</h3>{_against_cost(view)}</div>"
        f"<div><h3>One metric against another</h3>{_trade(view)}</div></div></section>"
    )


def _kind(view: View, name: str) -> str:
    if name == view.findings.reference:
        return "spot reference"
    return {"best": "spot best", "noise": "spot best", "below": "spot below", "": "spot below"}[view.place(name)]


def _firsts(view: View) -> set[str]:
    return {view.findings.reference, *(row.method for row in view.standing[:1])}


def _against_cost(view: View) -> str:
    points = [(view.methods[row.method].seconds, row) for row in view.standing if view.methods[row.method].seconds > 0]
    points = [(seconds, row) for seconds, row in points if math.isfinite(seconds)]
    if not points:
        return '<p class="muted">No method has both a value and a time yet.</p>'
    front = pareto([(seconds, row.value) for seconds, row in points])
    on = [row.method for seconds, row in sorted(points, key=lambda p: p[0]) if (seconds, row.value) in front]
    plane = Plane(Scale.over([s for s, _ in points], log=True), Scale.over([row.value for _, row in points]))
    stairs = [spot for a, b in pairwise(front) for spot in (a, (b[0], a[1]))] + front[-1:]
    stairs.append((plane.x.high, front[-1][1]))
    body = plane.axes("processor seconds of a training", metric_name(view.findings.metric))
    body += plane.line(stairs, "line front")
    key = {name: k for k, name in enumerate(on)}
    ordered = sorted(
        points, key=lambda p: (p[1].method not in key, p[1].method != view.findings.reference, -p[1].value)
    )
    body += spots(plane, [_spot(view, seconds, row) for seconds, row in ordered], stairs)
    label = f"{len(points)} methods by processor time and value. On the Pareto line: {listed(on)}."
    dear = [m.name for m in view.methods.values() if m.dearer]
    marked = f"Dearer than 1.5× the median: {listed(dear)}." if dear else "No method is dearer than 1.5× the median."
    note = f"The line joins methods that nothing cheaper equals: {listed(on)}. {marked} Values move within their intervals."
    return f"<figure>{plane.picture(body, label)}<figcaption>{escape(note)}</figcaption></figure>"


def _spot(view: View, seconds: float, row: Row) -> Spot:
    m = view.methods[row.method]
    more = f"{plain(row.value)} {bracket(row.low, row.high)}; {duration(seconds)}, {times(m.cost)} the median"
    return Spot(seconds, row.value, _kind(view, row.method), row.method, more, row.method in _firsts(view))


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those (cost, value) that no other equals at less cost, from cheap to dear.

    >>> pareto([(1, 0.3), (2, 0.2), (3, 0.5), (3, 0.4)])
    [(1, 0.3), (3, 0.5)]
    """
    front: list[tuple[float, float]] = []
    for cost, value in sorted(set(points), key=lambda p: (p[0], -p[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front


def _trade(view: View) -> str:
    f = view.findings
    other = next((m for m in ("Recall(k=1)", "Recall()", *f.metrics) if m in f.metrics and m != f.metric), "")
    both = [(view.row(row.method, other), row) for row in view.standing] if other else []
    points = [(first, second) for first, second in both if first is not None and math.isfinite(first.value)]
    if len(points) < 2:
        return '<p class="muted">Fewer than two methods have a second metric.</p>'
    plane = Plane(Scale.over([a.value for a, _ in points]), Scale.over([b.value for _, b in points]))
    body = plane.axes(metric_name(other), metric_name(f.metric))
    best_other = max(points, key=lambda p: (p[0].value, p[1].value))[0].method
    first = {best_other, points[0][1].method, f.reference}
    ordered = sorted(points, key=lambda p: (p[1].method not in first, -p[1].value))
    body += spots(
        plane,
        [
            Spot(a.value, b.value, _kind(view, b.method), b.method, _both(other, a, b), b.method in _firsts(view))
            for a, b in ordered
        ],
    )
    same = points[0][1].method == best_other
    said = (
        f"The same method is first on both: {best_other}."
        if same
        else f"First on {metric_name(other)} is {best_other}, on {metric_name(f.metric)} {points[0][1].method}."
    )
    label = f"{len(points)} methods by {metric_name(other)} and {metric_name(f.metric)}. {said}"
    return (
        f"<figure>{plane.picture(body, label)}<figcaption>{escape(said)} Hollow: below the best after Holm. "
        "Square: the reference.</figcaption></figure>"
    )


def _both(other: str, a: Row, b: Row) -> str:
    return f"{metric_name(other)} {plain(a.value)} {bracket(a.low, a.high)}; {metric_name(b.metric)} {plain(b.value)}"

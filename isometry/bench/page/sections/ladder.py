"""Dots with intervals: values on one axis, differences from the reference on another."""

import math
from collections.abc import Sequence

from isometry.bench.findings import CONCATENATED, SEPARATED, Row
from isometry.report.svg import ticks
from isometry.report.text import compact, escape, metric_name

from ..numbers import bracket, plain, signed, signed_bracket
from ..view import View, finite

SAID = {SEPARATED: "mean over the folds’ models", CONCATENATED: "the folds’ models joined"}


def ladder(view: View) -> str:
    """The plot of methods, best first, and that of the controls."""
    if not view.standing:
        return '<p class="muted">No method has been tested yet, so there is no order to show.</p>'
    metric, reference = escape(metric_name(view.findings.metric)), escape(view.findings.reference) or "none"
    return (
        f'<p class="lead">{metric} on test classes ({SAID[view.reading]}), with 95 % intervals over classes and seeds; beside '
        "it the difference from the reference, paired by class and seed, as a rule far more certain than either value.<br>"
        '<span class="legend"><i class="at solid"></i>best, or not to be told from it</span> '
        '<span class="legend"><i class="at hollow"></i>below the best after Holm</span> '
        f'<span class="legend"><i class="bar"></i>reference: {reference}</span></p>'
        + _plot(view, view.standing, zero=False)
        + _beside_controls(view)
    )


def _beside_controls(view: View) -> str:
    rows = [row for row in view.controls if math.isfinite(row.value)]
    if not rows:
        return '<p class="muted">No control was measured.</p>'
    tuned = [row for row in view.standing if row.method.startswith("tuned ") or row.method == view.findings.reference]
    shown = dict.fromkeys(row.method for row in [*view.standing[:1], *tuned])
    both = [row for row in view.standing if row.method in shown]
    return (
        '<h3>Beside the controls</h3><p class="muted">Squares: controls, for which nothing is trained. '
        "This axis starts at zero.</p>" + _plot(view, [*both, *rows], zero=True)
    )


def _plot(view: View, rows: Sequence[Row], zero: bool) -> str:
    values = _domain([v for row in rows for v in (row.low, row.value, row.high)], zero)
    changes = _domain(
        [0.0, *(v for row in rows for v in (row.difference_low, row.difference, row.difference_high))], False
    )
    reference = view.row(view.findings.reference)
    start = reference.value if reference is not None else math.nan
    rungs = "".join(_rung(view, row, values, changes, start) for row in rows)
    name = f"difference from {view.findings.reference}" if view.findings.reference else "no reference"
    return (
        f'<ol class="ladder"><li class="scale" aria-hidden="true"><span class="who"></span>'
        f"{_scale(values, metric_name(view.findings.metric))}{_scale(changes, name, sign=True)}"
        f'<span class="reads"></span></li>{rungs}</ol>'
    )


def _domain(values: Sequence[float], zero: bool) -> tuple[float, float]:
    known = finite([*values, 0.0] if zero else values) or [0.0, 1.0]
    margin = 0.03 * (max(known) - min(known)) or 0.01
    return (0.0 if zero and min(known) >= 0 else min(known) - margin, max(known) + margin)


def _at(value: float, domain: tuple[float, float]) -> str:
    return f"{100 * (value - domain[0]) / (domain[1] - domain[0]):.2f}%"


def _scale(domain: tuple[float, float], title: str, sign: bool = False) -> str:
    marks = "".join(
        f'<i{" class=zero" if sign and t == 0 else ""} style="left:{_at(t, domain)}">'
        f"{'+' if sign and t > 0 else ''}{compact(t).replace('-', '−')}</i>"
        for t in ticks(*domain, 4)
    )
    return f'<span class="lane"><b>{escape(title)}</b>{marks}</span>'


def _rung(view: View, row: Row, values: tuple[float, float], changes: tuple[float, float], start: float) -> str:
    kind = "control" if row.control else view.place(row.method) or "untested"
    more = f"{metric_name(row.metric)} {plain(row.value)} {bracket(row.low, row.high)}"
    return (
        f'<li class="rung {kind}" data-tip="{escape(row.method)}" data-more="{escape(more)}{_against(view, row)}">'
        f'<span class="who">{escape(row.method)}</span>'
        f"{_lane((row.low, row.value, row.high), values, start)}"
        f"{_lane((row.difference_low, row.difference, row.difference_high), changes, 0.0)}"
        f'<span class="reads">{plain(row.value)}</span></li>'
    )


def _against(view: View, row: Row) -> str:
    if not math.isfinite(row.difference):
        return ""
    said = f"; {signed(row.difference)} {signed_bracket(row.difference_low, row.difference_high)} from {view.findings.reference}"
    return escape(said)


def _lane(low_value_high: tuple[float, float, float], domain: tuple[float, float], line: float) -> str:
    low, value, high = low_value_high
    parts = [f'<i class="grid" style="left:{_at(t, domain)}"></i>' for t in ticks(*domain, 4)]
    if math.isfinite(line):
        parts.append(f'<i class="bar" style="left:{_at(line, domain)}"></i>')
    if math.isfinite(low) and math.isfinite(high):
        width = f"{100 * (high - low) / (domain[1] - domain[0]):.2f}%"
        parts.append(f'<i class="range" style="left:{_at(low, domain)};width:{width}"></i>')
    if math.isfinite(value):
        parts.append(f'<i class="at" style="left:{_at(value, domain)}"></i>')
    return f'<span class="lane">{"".join(parts)}</span>'

"""A study as Markdown: what the pages of the documentation are written from."""

import math
import re
from collections.abc import Sequence

from isometry.bench.findings import Effect, Findings, Row
from isometry.bench.page import words
from isometry.bench.page.numbers import (
    NONE,
    bracket,
    chance,
    digits_for,
    listed,
    of_seeds,
    p_is,
    plain,
    signed,
    signed_bracket,
    times,
)
from isometry.bench.page.sections.geometry import measure_name
from isometry.bench.page.view import LEVEL, View
from isometry.report.text import metric_name, plural

PLACES = {"best": "**best**", "noise": "not told apart", "below": "below", "": NONE}


def markdown(findings: Findings) -> str:
    """The whole study: the answer in sentences, the tables, the verdicts, what failed or has not run, what was held."""
    view, f = View(findings), findings
    parts = [
        f"# {_safe(f.name)}",
        _safe(f.about),
        _safe(f"{words.size(view)} {words.best(view)}"),
        _list(*(_safe(line) for line in words.answers(view))),
        "## Leaderboard",
        leaderboard(f),
        "## Every metric",
        every_metric(f),
        "## Verdicts",
        cards(f),
        *geometry(f),
        "## Failures, and what has not run",
        _failures(f),
        "## Held constant",
        _held(f),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def leaderboard(findings: Findings) -> str:
    """The first table: methods, best first, then controls, on the study's own metric."""
    view = View(findings)
    reference = f"difference from {findings.reference}" if findings.reference else "difference"
    titles = (
        "",
        metric_name(findings.metric),
        "against the best",
        reference,
        "p (Holm)",
        "detectable",
        "seeds",
        "cost",
        "trials",
        "runs",
    )
    rows = []
    for m in view.methods.values():
        cost = times(m.cost) + (" ▲" if m.dearer else "")
        row = view.row(m.name)
        seeds = of_seeds(row.seeds, findings.seeds, row.paired) if row else of_seeds(0, findings.seeds, 0)
        counts = (f"{m.trials} of {m.planned_trials}", f"{m.runs} of {m.planned_runs}")
        value, *rest = _standing(row)
        name, place = _safe(m.name) + (" †" if m.varies else ""), PLACES[view.place(m.name)]
        rows.append((name, value, place, *rest, seeds, cost, *counts))
    for row in view.controls:
        value, *rest = _standing(row)
        rows.append((f"*{_safe(row.method)}*", value, NONE, *rest, NONE, NONE, NONE, NONE))
    if not rows:
        return "No method has been tested yet."
    varied = [
        f"† {_safe(m.name)}: {_safe('; '.join(m.varies).rstrip('.'))}." for m in view.methods.values() if m.varies
    ]
    dear = ["▲ dearer than 1.5× the median of all methods."] if any(m.dearer for m in view.methods.values()) else []
    return "\n\n".join([_table(titles, rows), *[" ".join([*dear, *varied])][: bool(dear or varied)]])


def every_metric(findings: Findings) -> str:
    """Values with intervals on every metric, separated and concatenated; the difference from the reference beside them."""
    view = View(findings)
    columns = [(metric, reading) for reading in view.readings for metric in findings.metrics]
    if not columns:
        return "No method has been tested yet."
    names = [*view.methods, *(row.method for row in view.controls)]
    rows = [(_safe(name), *(_value(view.row(name, *column)) for column in columns)) for name in names]
    return _table(["", *(f"{metric_name(metric)}, {reading}" for metric, reading in columns)], rows)


def cards(findings: Findings) -> str:
    """The verdicts on published claims, a row each."""
    if not findings.verdicts:
        return "This study names no published claims to measure."
    rows = [
        (
            _safe(v.system),
            f"{_safe(v.claim)} ({_safe(v.source)})" if v.source else _safe(v.claim),
            f"{_safe(v.method)} − {_safe(v.twin)}",
            _effect(v.difference, v.low, v.high, v.p_holm),
            f"**{_safe(v.verdict)}**",
            _safe(v.said),
        )
        for v in findings.verdicts
    ]
    return _table(("system", "claim", "measured", "effect", "verdict", ""), rows, left=True)


def geometry(findings: Findings) -> tuple[str, ...]:
    """Values of the geometry, and what every card's method changes against its twin; nothing where it was not measured."""
    if not findings.geometry:
        return ()
    names = tuple(dict.fromkeys(row.metric for row in findings.geometry))
    found = {(row.method, row.metric): row for row in findings.geometry}
    methods = [m for m in View(findings).methods if any(row.method == m for row in findings.geometry)]
    values = [(_safe(m), *(_alone(found.get((m, n))) for n in names)) for m in methods]
    changed = {(e.method, e.twin, e.measure): e for e in findings.effects}
    measures = tuple(dict.fromkeys(e.measure for e in findings.effects))
    effects = [
        (f"{_safe(m)} − {_safe(twin)}", *(_change(changed.get((m, twin, n))) for n in measures))
        for m, twin in dict.fromkeys((e.method, e.twin) for e in findings.effects)
    ]
    said = "Paired by seed, metrics by class as well; ★: p < 0.05 after Holm over all pairs, of each column."
    twins = ("### Against the twin", said, _table(("", *map(measure_name, measures)), effects)) if effects else ()
    return "## Geometry", _table(("", *names), values), *twins


def _alone(row: Row | None) -> str:
    if row is None or not math.isfinite(row.value):
        return NONE
    digits = digits_for((row.value,))
    return f"{plain(row.value, digits)} {bracket(row.low, row.high, digits)}".strip()


def _change(effect: Effect | None) -> str:
    if effect is None or not math.isfinite(effect.difference):
        return NONE
    digits = digits_for((effect.value, effect.twin_value))
    star = " ★" if effect.p_holm < LEVEL else ""
    ends = f" [{signed(effect.low, digits)}, {signed(effect.high, digits)}]" if math.isfinite(effect.low) else ""
    return f"{signed(effect.difference, digits)}{ends}{star}"


def _standing(row: Row | None) -> tuple[str, str, str, str]:
    if row is None:
        return NONE, NONE, NONE, NONE
    return (
        f"{plain(row.value)} {bracket(row.low, row.high)}".strip(),
        f"{signed(row.difference)} {signed_bracket(row.difference_low, row.difference_high)}".strip(),
        chance(row.p_holm),
        plain(row.detectable),
    )


def _value(row: Row | None) -> str:
    if row is None or not math.isfinite(row.value):
        return NONE
    change = f" ({signed(row.difference)})" if math.isfinite(row.difference) else ""
    return f"{plain(row.value)} {bracket(row.low, row.high)}".strip() + change


def _effect(difference: float, low: float, high: float, p: float) -> str:
    if not math.isfinite(difference):
        return NONE
    return f"{signed(difference)} {signed_bracket(low, high)}".strip() + (f", {p_is(p)}" if math.isfinite(p) else "")


def _failures(f: Findings) -> str:
    failed = [
        f"{_safe(m.name)}: {plural(len(m.failures), 'failure')}: {_safe(listed(list(dict.fromkeys(m.failures)), most=3))}"
        for m in f.methods
        if m.failures
    ]
    missing = [f"Not run: {_safe(line)}" for line in f.missing]
    return _list(
        f"{words.done(f)}.", *(failed or ["No training failed, diverged or collapsed."] * bool(f.done)), *missing
    )


def _held(f: Findings) -> str:
    rows = [(_safe(name), _safe(text)) for name, text in f.held.items()]
    differs = [f"Differs between machines: {_safe(line)}" for line in f.differs]
    made = [f"Hash of what was held: {_code(f.held_hash)}.", f"isometry {_safe(f.version)}: {_code(f.command)}"]
    return "\n\n".join(
        part for part in (_table(("held", ""), rows, left=True) if rows else "", _list(*differs, *made)) if part
    )


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: bool = False) -> str:
    marks = ["---", *("---" if left else "---:" for _ in titles[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ([_safe(t) for t in titles], marks, *rows))


def _list(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines if line)


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', '').split())}`"


def _safe(text: str) -> str:
    """Text that is only text: no markup, no link, no new cell, no new line.

    >>> print(_safe("a|b <i> *c* [d](e) [0.1, 0.2]"), _safe("# e"))
    a\\|b &lt;i> \\*c\\* [d\\](e) [0.1, 0.2] \\# e
    """
    text = re.sub(r"([\\`*_|]|^[#>]|^[-+](?=\s)|\](?=[(\[:]))", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;")

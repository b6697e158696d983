"""What the maps look like: values of the geometry beside each other, and what every card changes in them."""

import math

from isometry.bench.findings import Effect, Row
from isometry.report.text import escape, metric_name

from ..numbers import NONE, bracket, digits_for, plain, signed
from ..table import Cell, table
from ..view import LEVEL, View

MEANINGS = {
    "r": "the radius of a class that was trained on: the distance to its mean that holds nine tenths of it",
    "r*": "that of a test class",
    "r*/r": "how much wider classes are where they are new",
    "gap": "how much farther the nearest other class is than the farthest item of the own; below 0, classes overlap",
    "room": "the gap between trained classes over twice r*; above 1, a new class fits between two known ones",
    "separated": "the share of items that have all of their class nearer than any other",
    "L95": "the 95th percentile of how much a distance between two test items is stretched from input to embedding",
    "L95 head": "that from the head’s input",
    "L95 trunk": "that from the picture to the head’s input",
    "L between": "the largest stretch on the way between two test items, the middle over pairs",
    "anisotropy": "the largest stretch at a point over the mean one",
    "certificate": "how far an item can move in the input before another class is nearer than its own farthest",
}


def measure_name(measure: str) -> str:
    """A value of the geometry as it is, a metric by its name."""
    return measure if measure in MEANINGS else metric_name(measure)


def geometry(view: View) -> str:
    """The section; nothing for a study that did not ask for it."""
    rows = view.findings.geometry
    if not rows:
        return ""
    names = list(dict.fromkeys(row.metric for row in rows))
    lead = (
        "Each value is the mean over seeds, test classes beside the fold’s training classes. Differences are paired by seed: "
        "other test classes may give others."
    )
    terms = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(MEANINGS[n])}.</dd></div>" for n in names if n in MEANINGS)
    return (
        f'<section id="geometry"><h2>Geometry</h2><p class="lead">{lead}</p>{_values(view, names)}{_effects(view)}'
        f'<details><summary>What the values are</summary><dl class="terms">{terms}</dl></details></section>'
    )


def _values(view: View, names: list[str]) -> str:
    found = {(row.method, row.metric): row for row in view.findings.geometry}
    digits = {n: digits_for(row.value for row in found.values() if row.metric == n) for n in names}
    rows = [
        [Cell(escape(method), method), *(_value(found.get((method, n)), digits[n]) for n in names)]
        for method in view.methods
    ]
    titles = ["Method", *map(escape, names)]
    return table(titles, rows, f"Values [95 % intervals over seeds]. {NONE} : not measured.", "Geometry")


def _value(row: Row | None, digits: int) -> Cell:
    if row is None or not math.isfinite(row.value):
        return Cell(NONE, math.nan)
    return Cell(f"{plain(row.value, digits)}<small>{bracket(row.low, row.high, digits)}</small>", row.value)


def _effects(view: View) -> str:
    effects = view.findings.effects
    if not effects:
        return ""
    names = list(dict.fromkeys(e.measure for e in effects))
    digits = {n: digits_for(e.value for e in effects if e.measure == n) for n in names}
    found = {(e.method, e.twin, e.measure): e for e in effects}
    pairs = dict.fromkeys((e.method, e.twin) for e in effects)
    rows = [
        [
            Cell(f"{escape(method)}<small>less {escape(twin)}</small>", method),
            *(_effect(found.get((method, twin, n)), digits[n]) for n in names),
        ]
        for method, twin in pairs
    ]
    titles = ["Method", *(escape(measure_name(n)) for n in names)]
    caption = (
        "The method less its twin [95 % interval], paired by seed, metrics by class as well. ★: p &lt; 0.05 after Holm over all "
        "pairs, of each column."
    )
    return f"<h3>Against the twin</h3>{table(titles, rows, caption, 'Against the twin')}"


def _effect(effect: Effect | None, digits: int) -> Cell:
    if effect is None or not math.isfinite(effect.difference):
        return Cell(NONE, math.nan)
    star = " ★" if effect.p_holm < LEVEL else ""
    known = math.isfinite(effect.low)
    ends = f"[{signed(effect.low, digits)}, {signed(effect.high, digits)}]" if known else ""
    return Cell(f"{signed(effect.difference, digits)}{star}<small>{ends}</small>", effect.difference)

"""What the study found, in sentences written from its numbers."""

import math
from collections.abc import Sequence
from statistics import median

from isometry.bench.findings import CONCATENATED, Findings, Pair, Row
from isometry.report.text import metric_name, plural

from .numbers import bracket, listed, p_is, plain, signed, signed_bracket
from .view import View, finite, told

POWER = "four times in five"
SEEDS, CLASSES = 5, 20
"""With fewer that were run, the page warns."""


def size(view: View) -> str:
    """How large the study is: "14 methods, 10 trials each; then 5 seeds × 4 folds …"."""
    f = view.findings
    seeds = [row.seeds if (row := view.row(name)) else 0 for name in view.methods]
    trials = _counts([m.trials for m in f.methods], max((m.planned_trials for m in f.methods), default=0))
    return (
        f"{plural(len(f.methods), 'method')} under equal conditions: {trials} trials of search each, then "
        f"{_counts(seeds, f.seeds)} {'seed' if f.seeds == 1 else 'seeds'} × {plural(f.folds, 'fold')}; "
        f"tested on {plural(f.queries, 'query', 'queries')} of "
        f"{plural(f.classes, *view.whole)} that no training saw."
    )


def _counts(counts: Sequence[int], planned: int) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return span if low >= planned else f"{span} of {planned:,}"


def answers(view: View) -> list[str]:
    """What a sceptic asks next, a sentence each; those that nothing can be said of are left out."""
    said = (over_rival(view), above(view), noise(view), smallest(view), few(view), not_run(view), chosen(view))
    return [line for line in said if line]


def best(view: View) -> str:
    """Which method is highest, and where."""
    row = view.best
    if row is None:
        return f"No method has been tested yet: {done(view.findings)}."
    joined = " (embeddings of the folds' models joined)" if view.reading == CONCATENATED else ""
    return f"Best is {row.method}: {metric_name(row.metric)} {plain(row.value)} {bracket(row.low, row.high)}{joined}."


def over_rival(view: View) -> str:
    """By how much the best is over the tuned contrastive control, and whether that is a difference."""
    row, rival = view.best, view.rival
    if row is None:
        return ""
    if not rival:
        return "There is no tuned control to measure from."
    if row.method == rival:
        return f"No method came out above {rival}, which is itself the best."
    pair = view.over(row.method, rival)
    if pair is None or not math.isfinite(pair.difference):
        return f"Its difference from {rival} has not been measured."
    verdict = "a difference" if told(pair) else "no difference that can be told from noise"
    if not math.isfinite(pair.p_holm):
        return f"Over {rival}: {_difference(pair)}, not tested."
    return f"Over {rival}: {_difference(pair)}, {p_is(pair.p_holm)} after Holm: {verdict}."


def _difference(pair: Pair) -> str:
    return f"{signed(pair.difference)} {signed_bracket(pair.low, pair.high)}".strip()


def above(view: View) -> str:
    """Controls that stand above the best method: training did harm, or the data are too easy."""
    row = view.best
    higher = [c for c in view.controls if row is not None and c.reading == row.reading and c.value > row.value]
    said = listed([f"{c.method} ({plain(c.value)})" for c in higher])
    return f"Without any training, {said} {'stands' if len(higher) == 1 else 'stand'} above it." if higher else ""


def few(view: View) -> str:
    """What is too few for intervals to be taken at their word."""
    classes, rows = view.findings.classes, [row for row in view.standing if row.seeds < SEEDS]
    short = ([_few_seeds(view, rows)] if rows else []) + [plural(classes, *view.whole)] * (classes < CLASSES)
    if not short or view.best is None:
        return ""
    one = any(1 in (row.seeds, row.paired) for row in rows)
    none = ", and a difference over one seed has none" if one else ""
    return f"Only {listed(short)}: intervals and p are rough{none}."


def _few_seeds(view: View, rows: Sequence[Row]) -> str:
    """How many seeds were run of methods with few; which they are, where others have enough."""
    low, high = min(row.seeds for row in rows), max(row.seeds for row in rows)
    span = plural(low, "seed") if low == high else f"{low} to {high} seeds"
    whose = listed([row.method for row in rows], most=3)
    return f"{span} of {whose}" if len(rows) < len(view.standing) else span


def noise(view: View) -> str:
    """Which methods cannot be told from the best."""
    others = view.from_best
    if view.best is None:
        return ""
    if not others:
        return "No other method has been tested against the best."
    tied = view.tied
    if not tied:
        return f"Every other method ({len(others)}) is below it after Holm's correction."
    count = f"{len(tied)} of {plural(len(others), 'other')}"
    return f"{count} cannot be told from it, so these differences are noise: {listed(tied)}."


def smallest(view: View) -> str:
    """The smallest true difference that this study would have found."""
    seen = detectables(view)
    if view.best is None:
        return ""
    if not seen:
        return "What differences this study could find is not known yet."
    spread = f", between {plain(min(seen))} and {plain(max(seen))} for each" if min(seen) < max(seen) else ""
    return (
        f"A true difference from the best of {plain(median(seen))} would be found {POWER} by a test of its own "
        f"(the middle over methods{spread}); Holm's correction asks for more, and smaller ones mostly go unseen."
    )


def detectables(view: View) -> list[float]:
    """The smallest differences that could be found, of each method from the best."""
    return finite(pair.detectable for pair in view.from_best.values())


def not_run(view: View) -> str:
    """What is missing, in one sentence."""
    f = view.findings
    if f.done >= f.planned:
        return f"Nothing is left out: all {f.planned:,} trainings that were planned are done."
    where = "; they are listed under Failures" if f.missing else ""
    return f"{f.planned - f.done:,} of {plural(f.planned, 'planned training')} have not run{where}."


def chosen(view: View) -> str:
    """What a lead at the top is worth, where the top was found on the test part."""
    return (
        "The best was picked by its test value out of all methods, so its own value flatters it a little; Holm's "
        "correction covers the tests of differences, not the value."
        if len(view.standing) > 1
        else ""
    )


def done(f: Findings) -> str:
    """How much there is: "3 of 10 trainings done"."""
    return f"{f.done:,} of {plural(f.planned, 'training')} done"

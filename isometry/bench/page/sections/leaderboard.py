"""Where the methods stand: dots with intervals, and the table of every number."""

import math

from isometry.bench.findings import Method, Row
from isometry.report.text import escape, metric_name

from ..numbers import NONE, bracket, chance, of_seeds, plain, signed, signed_bracket, times
from ..table import Cell, table
from ..view import View
from .ladder import ladder

MANY = 20
"""With more methods, the table of every metric is folded."""
PLACES = {
    "best": '<b class="place">best</b>',
    "noise": '<span class="place noise">not told apart</span>',
    "below": '<span class="place below">below</span>',
    "": NONE,
}


def leaderboard(view: View) -> str:
    """The plots, the table of the study's own metric, and that of every metric."""
    drawn = ladder(view) + _first_table(view) + _every_metric(view)
    return f'<section id="leaderboard"><h2>Leaderboard</h2>{drawn}</section>'


def _first_table(view: View) -> str:
    metric = escape(metric_name(view.findings.metric))
    titles = (
        "Method", metric, "± seeds", "seeds", "against<small>the best</small>", "difference<small>from the reference</small>",
        "p<small>Holm</small>", "detectable", "cost", "trials", "runs", "failures",
    )  # fmt: skip
    rows = [_method(view, m) for m in view.methods.values()] + [_control(view, row) for row in view.controls]
    kinds = [""] * len(view.methods) + ["control"] * len(view.controls)
    varied = [m for m in view.methods.values() if m.varies]
    differs = "".join(
        f"<br>† {escape(m.name)} differs in more than its loss: {escape('; '.join(m.varies))}." for m in varied
    )
    caption = (
        "Values [95 % intervals]. ± seeds: standard deviation over seeds. Seeds: those with a value of those planned; paired: "
        "those that the reference has as well, and the difference rests on. Not told apart: p ≥ 0.05 after Holm, against the "
        "best. Detectable: the smallest true difference from the reference that would be found four times in five. Cost: "
        "processor time of a training over the median of all methods; ▲ marks those dearer than 1.5×. Trials, and runs (all "
        "trainings, of search and of the end): done of planned. – : not measured, or nothing to measure it from (the "
        f"reference has no difference from itself; controls are not trained).{differs}"
    )
    return f"<h3>Table</h3>{table(titles, rows, caption, 'Leaderboard', kinds)}" if rows else ""


def _method(view: View, m: Method) -> list[Cell]:
    row = view.row(m.name)
    below = " · ".join([*([str(m.year)] if m.year else []), *([m.cite] if m.cite else [])])
    name = f"{escape(m.name)}{' †' if m.varies else ''}<small>{escape(below)}</small>"
    mark = ' <b class="dear" title="dearer than 1.5×">▲</b>' if m.dearer else ""
    place = {"best": 0, "noise": 1, "below": 2, "": 3}[view.place(m.name)]
    return [
        Cell(name, m.name), *_values(row)[:2], _seeds(row, view.findings.seeds),
        Cell(PLACES[view.place(m.name)], place), *_values(row)[2:],
        Cell(times(m.cost) + mark, m.cost), _of(m.trials, m.planned_trials), _of(m.runs, m.planned_runs),
        Cell(str(len(m.failures)), len(m.failures)),
    ]  # fmt: skip


def _control(view: View, row: Row) -> list[Cell]:
    nothing = Cell(NONE, math.nan)
    values = _values(row)
    return [
        Cell(f"{escape(row.method)}<small>control</small>", row.method),
        *values[:2],
        nothing,
        Cell(NONE, 4),
        *values[2:],
        *[nothing] * 4,
    ]


def _values(row: Row | None) -> list[Cell]:
    if row is None:
        return [Cell(NONE, math.nan)] * 5
    return [
        Cell(f"{plain(row.value)}<small>{bracket(row.low, row.high)}</small>", row.value),
        Cell(plain(row.spread), row.spread),
        Cell(
            f"{signed(row.difference)}<small>{signed_bracket(row.difference_low, row.difference_high)}</small>",
            row.difference,
        ),
        Cell(chance(row.p_holm), row.p_holm),
        Cell(plain(row.detectable), row.detectable),
    ]


def _seeds(row: Row | None, planned: int) -> Cell:
    seeds, paired = (row.seeds, row.paired) if row else (0, 0)
    count, _, more = of_seeds(seeds, planned, paired).partition(" ")
    short = ' class="short"' if seeds < planned else ""
    return Cell(f"<span{short}>{count}<small>{more}</small></span>", seeds)


def _of(done: int, planned: int) -> Cell:
    short = ' class="short"' if done < planned else ""
    return Cell(f"<span{short}>{done}<small>of {planned}</small></span>", done)


def _every_metric(view: View) -> str:
    columns = [(metric, reading) for reading in view.readings for metric in view.findings.metrics]
    if not columns:
        return ""
    titles = ["Method", *(f"{escape(metric_name(m))}<small>{r}</small>" for m, r in columns)]
    names = [*view.methods, *(row.method for row in view.controls)]
    rows = [[Cell(escape(name), name), *(_on(view.row(name, m, r)) for m, r in columns)] for name in names]
    caption = (
        "The difference from the reference (★: p &lt; 0.05 after Holm), the value, and its [95 % interval]. Separated: mean "
        "over the models of the folds. Concatenated: their embeddings joined. – : not measured."
    )
    opened = " open" if len(view.methods) <= MANY else ""
    return f"<details{opened}><summary>Every metric</summary>{table(titles, rows, caption, 'Every metric')}</details>"


def _on(row: Row | None) -> Cell:
    if row is None or not math.isfinite(row.value):
        return Cell(NONE, math.nan)
    star = " ★" if row.p_holm < 0.05 else ""
    change = f'<small class="by">{signed(row.difference)}{star}</small> ' if math.isfinite(row.difference) else ""
    return Cell(f"{change}{plain(row.value)}<small>{bracket(row.low, row.high)}</small>", row.value)

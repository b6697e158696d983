"""What went wrong, and what has not run: both are results."""

from collections import Counter

from isometry.report.text import escape, plural

from ..view import View

STATES = {
    "done": "trained to the end",
    "diverged": "the loss was not finite",
    "collapsed": "all embeddings alike",
    "failed": "an error",
}
PLACES = 12
"""Of one kind of failure, so many places are named."""


def failures(view: View) -> str:
    """Trainings by what became of them, failures of each method, cells not run."""
    return (
        '<section id="failures"><h2>Failures, and what has not run</h2>'
        f"{_states(view)}{_lines(view)}<h3>Not run</h3>{_missing(view)}</section>"
    )


def _states(view: View) -> str:
    counts = Counter(outcome.state for outcome in view.findings.outcomes.values())
    if not counts:
        return '<p class="muted">No training has been done yet.</p>'
    known = [*STATES, *sorted(set(counts) - set(STATES))]
    facts = "".join(
        f"<li><b>{counts[state]:,} {escape(state)}</b><span>{escape(STATES.get(state, ''))}</span></li>"
        for state in known
    )
    return f'<ul class="facts">{facts}</ul>'


def _lines(view: View) -> str:
    with_any = [m for m in view.methods.values() if m.failures]
    if not with_any:
        return "<p>No training failed, diverged or collapsed.</p>" if view.findings.done else ""
    rows = "".join(
        f"<div><dt>{escape(m.name)}<small>{plural(len(m.failures), 'failure')}</small></dt><dd>{_grouped(m.failures)}</dd></div>"
        for m in with_any
    )
    note = "A trial of which a fold has no value counts as made: it used up the method’s budget."
    return f'<dl class="terms failures">{rows}</dl><p class="muted">{note}</p>'


def _grouped(lines: tuple[str, ...]) -> str:
    """What happened, with how often and where; a line is "where: what"."""
    places: dict[str, list[str]] = {}
    for line in lines:
        where, colon, what = line.partition(": ")
        places.setdefault(what if colon else line, []).append(where if colon else "")
    return "".join(_happened(what, where) for what, where in places.items())


def _happened(what: str, where: list[str]) -> str:
    often = f" <b>× {len(where)}</b>" if len(where) > 1 else ""
    known = [place for place in where if place]
    small = f"<small>{escape('; '.join(known[:PLACES]))}{more(len(known))}</small>" if known else ""
    return f"<p>{escape(what)}{often}{small}</p>"


def more(count: int) -> str:
    """
    >>> more(20), more(3)
    ('; and 8 more', '')
    """
    return f"; and {count - PLACES} more" if count > PLACES else ""


def _missing(view: View) -> str:
    f = view.findings
    said = f"<p>{f.done:,} of {plural(f.planned, 'training')} that were planned are done.</p>"
    if not f.missing:
        return said + ('<p class="muted">No cell is missing.</p>' if f.done >= f.planned else "")
    return said + '<ul class="missing">' + "".join(f"<li>{escape(line)}</li>" for line in f.missing) + "</ul>"

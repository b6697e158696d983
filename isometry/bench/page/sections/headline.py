"""What the study found, before any chart: in words and in four numbers."""

from statistics import median

from isometry.report.text import escape, metric_name

from .. import words
from ..numbers import NONE, bracket, plain, signed, signed_bracket
from ..view import View


def headline(view: View) -> str:
    """Heading, what the study is, the answer in sentences, and its four numbers."""
    f = view.findings
    lines = "".join(f"<li>{escape(line)}</li>" for line in words.answers(view))
    about = f'<p class="about">{escape(f.about)}</p>' if f.about else ""
    return (
        f'<header class="top"><p class="over">isometry bench</p><h1>{escape(f.name)}</h1>{about}'
        f'<p class="summary">{escape(words.size(view))} <b>{escape(words.best(view))}</b></p>'
        f'<div class="tiles four">{_tiles(view)}</div><ul class="said">{lines}</ul></header>'
    )


def _tiles(view: View) -> str:
    row, metric = view.best, metric_name(view.findings.metric)
    if row is None:
        return _tile(f"Best {metric}", NONE, words.done(view.findings))
    pair = view.over(row.method, view.rival)
    over = _tile(
        f"Over {view.rival or 'a control'}",
        NONE,
        "it is itself the best" if row.method == view.rival else "not measured",
    )
    if pair is not None:
        over = _tile(f"Over {view.rival}", signed(pair.difference), signed_bracket(pair.low, pair.high))
    seen, others = words.detectables(view), len(view.from_best)
    return "".join((
        _tile(f"Best {metric}", plain(row.value), f"{row.method} {bracket(row.low, row.high)}"),
        over,
        _tile("Not told from the best", f"{len(view.tied)}<small>of {others}</small>", "p (Holm) ≥ 0.05: noise", html=True),
        _tile("Detectable difference", plain(median(seen)) if seen else NONE, f"from the best, found {words.POWER}"),
    ))  # fmt: skip


def _tile(title: str, value: str, below: str, html: bool = False) -> str:
    shown = value if html else escape(value)
    return f'<div class="tile"><h2>{escape(title)}</h2><p class="big">{shown}</p><p class="muted">{escape(below)}</p></div>'

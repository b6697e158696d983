"""Tables that read without a script and sort with one."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from isometry.report.text import escape


class Cell(NamedTuple):
    """What a cell shows, as HTML, and what it sorts by: a number, or its text."""

    html: str
    by: float | str = ""


def table(
    titles: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str, label: str, kinds: Sequence[str] = ()
) -> str:
    """A table whose first column names the row; titles and caption are HTML. Numbers that are missing sort last.

    Args:
        kinds: the class of each row, where rows look different.
    """
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    body = "".join(_row(row, kind) for row, kind in zip(rows, kinds or [""] * len(rows), strict=True))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="metrics sortable">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<p class="muted caption">{caption}</p>'
    )


def _row(row: Sequence[Cell], kind: str) -> str:
    first, *rest = row
    cells = f'<th scope="row"{_by(first.by)}>{first.html}</th>' + "".join(f"<td{_by(c.by)}>{c.html}</td>" for c in rest)
    return f"<tr{f' class={kind}' if kind else ''}>{cells}</tr>"


def _by(value: float | str) -> str:
    if isinstance(value, str):
        return f' data-by="{escape(value)}"' if value else ""
    return f' data-by="{value:.6g}"' if math.isfinite(value) else ' data-by=""'

"""Who beats whom: every two methods against each other."""

import math

from isometry.bench.findings import Pair
from isometry.report.text import escape, metric_name

from ..numbers import NONE, chance, plain, signed, signed_bracket
from ..table import Cell, table
from ..view import View, told

FEW = 14
"""Up to so many methods, the cells hold numbers."""


def pairs(view: View) -> str:
    """A matrix in the order of the leaderboard, and the list of all pairs with their intervals."""
    head = '<section id="pairs"><h2>Who beats whom</h2>'
    names = [row.method for row in view.standing]
    if len(names) < 2 or not view.findings.pairs:
        return f'{head}<p class="muted">No two methods have been compared yet.</p></section>'
    order = {pair: k for k, pair in enumerate(view.findings.pairs)}
    index = {(p.first, p.second): k for p, k in order.items()}
    apart, tested = sum(told(p) for p in order), sum(math.isfinite(p.p_holm) for p in order)
    if not tested:
        untold = "No two methods can be told apart: a test takes two seeds that both have."
        return f'{head}<p class="muted">{untold}</p>{_list(view)}</section>'
    small, scale = len(names) <= FEW, _scale(view)
    rows = "".join(_row(view, name, names, index, scale if small else 0) for name in names)
    heads = "".join(f'<th scope="col" title="{escape(name)}">{k}</th>' for k, name in enumerate(names, 1))
    unit = "; in hundredths" if small and scale > 1 else ""
    return (
        f'{head}<p class="lead">Row minus column on {escape(metric_name(view.findings.metric))}{unit}. Told apart after Holm’s '
        f"correction over all pairs: {apart:,} of {tested:,}; the pale cells are noise.<br>"
        '<span class="legend"><i class="cell more">+</i>row is better</span> '
        '<span class="legend"><i class="cell less">−</i>row is worse</span> '
        '<span class="legend"><i class="cell">·</i>cannot be told apart</span></p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Matrix of pairs">'
        f'<table class="matrix{" few" if small else ""}"><thead><tr><th scope="col">Method</th>{heads}'
        '<th scope="col">beats</th><th scope="col">noise</th><th scope="col">loses</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f"{_list(view)}</section>"
    )


def _scale(view: View) -> int:
    """What cells are multiplied by: hundredths, unless the metric goes beyond 1."""
    return 100 if all(abs(row.value) <= 1 for row in view.standing) else 1


def _row(view: View, name: str, names: list[str], index: dict[tuple[str, str], int], scale: int) -> str:
    found = [None if other == name else view.against(name, other) for other in names]
    cells = "".join(_cell(pair, other == name, index, scale) for pair, other in zip(found, names, strict=True))
    known = [p for p in found if p is not None and math.isfinite(p.p_holm)]
    beats = sum(told(p) and p.difference > 0 for p in known)
    loses = sum(told(p) and p.difference <= 0 for p in known)
    return (
        f'<tr><th scope="row"><i>{view.places[name] + 1}</i>{escape(name)}</th>{cells}'
        f"<td>{beats}</td><td>{len(known) - beats - loses}</td><td>{loses}</td></tr>"
    )


def _cell(pair: Pair | None, own: bool, index: dict[tuple[str, str], int], scale: int) -> str:
    if own:
        return '<td class="own"></td>'
    if pair is None or not math.isfinite(pair.p_holm):
        return f'<td class="cell">{NONE}</td>'
    k = index.get((pair.first, pair.second), index.get((pair.second, pair.first), -1))
    kind, glyph = ("cell", "·")
    if told(pair):
        kind, glyph = ("cell more", "+") if pair.difference > 0 else ("cell less", "−")
    text = signed(scale * pair.difference, 1 if scale > 1 else 2) if scale else glyph
    return f'<td class="{kind}" data-pair="{k}">{text}</td>'


def _list(view: View) -> str:
    rows = [
        [
            Cell(f"{escape(p.first)} − {escape(p.second)}", p.first),
            Cell(signed(p.difference), p.difference),
            Cell(signed_bracket(p.low, p.high) or NONE, p.high - p.low),
            Cell(chance(p.p), p.p),
            Cell(chance(p.p_holm), p.p_holm),
            Cell(plain(p.detectable), p.detectable),
        ]
        for p in view.findings.pairs
    ]
    titles = ("Pair", "difference", "95 % interval", "p", "p (Holm)", "detectable")
    caption = "Paired by class and seed. – : not measured."
    return (
        f'<details id="all-pairs"><summary>All pairs with intervals ({len(rows):,})</summary>'
        f"{table(titles, rows, caption, 'All pairs')}</details>"
    )

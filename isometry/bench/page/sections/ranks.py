"""Mean ranks over data sets, where there are enough of them."""

from isometry.bench.ranks import LEAST, Ranks
from isometry.report.svg import ticks
from isometry.report.text import compact, escape, plural

from ..numbers import listed, p_is, short
from ..view import View

LEFT, RIGHT, TOP, STEP = 178, 30, 46, 22


def rank_diagram(view: View, ranks: Ranks | None) -> str:
    """Mean ranks with the critical difference; else a line that says why there are none."""
    head = '<section id="ranks"><h2>Ranks over data sets</h2>'
    if ranks is None or len(ranks.blocks) < LEAST:
        had = plural(1 if ranks is None else len(ranks.blocks), "data set")
        why = (
            f"There is no rank diagram: these are results of {had}, and mean ranks say something for {LEAST} independent "
            "ones or more. Seeds and folds of one data set are not independent."
        )
        return f'{head}<p class="muted">{why}</p></section>'
    note = (
        f"Mean rank over {plural(len(ranks.blocks), 'data set')} ({listed(list(ranks.blocks))}); 1 is the best. Friedman’s test "
        f"that all rank alike: χ² = {ranks.statistic:.1f}, {p_is(ranks.p)}. Methods joined by a bar are no further apart than "
        f"the critical difference, {ranks.critical:.2f} (Nemenyi, level 0.05)."
    )
    return f'{head}<figure class="ranks">{_drawn(ranks)}<figcaption>{escape(note)}</figcaption></figure></section>'


def _drawn(ranks: Ranks) -> str:
    count, wide = len(ranks.methods), 520
    right = wide - RIGHT - 9 * len(ranks.alike)
    height = TOP + STEP * count + 6

    def across(rank: float) -> float:
        return LEFT + (rank - 1) / max(count - 1, 1) * (right - LEFT - 20)

    def down(k: int) -> float:
        return TOP + STEP * (k + 0.5)

    parts = [
        f'<path class="grid" d="M{across(t):.1f} {TOP}V{height - 6}"/>'
        f'<text class="tick" x="{across(t):.1f}" y="{TOP - 6}" text-anchor="middle">{compact(t)}</text>'
        for t in ticks(1, count, 6)
    ]
    parts.append(f'<text class="title" x="{LEFT - 14}" y="{TOP - 6}" text-anchor="end">mean rank</text>')
    if ranks.critical < count - 1:
        end = across(1 + ranks.critical)
        parts.append(f'<path class="line main" d="M{across(1):.1f} 8v8m0 -4H{end:.1f}m0 -4v8"/>')
        parts.append(f'<text class="note" x="{end + 8:.1f}" y="16">critical difference</text>')
    for k, (name, mean) in enumerate(zip(ranks.methods, ranks.mean, strict=True)):
        parts.append(
            f'<text class="note" x="{LEFT - 14}" y="{down(k) + 4:.1f}" text-anchor="end">{escape(short(name))}</text>'
        )
        tip = f'data-tip="{escape(name)}" data-more="mean rank {mean:.2f}"'
        parts.append(f'<circle class="spot best" cx="{across(mean):.1f}" cy="{down(k):.1f}" r="5" {tip}/>')
    for k, (first, last) in enumerate(ranks.alike):
        at = right + 9 * k + 12
        parts.append(f'<path class="alike" d="M{at} {down(first) - 7:.1f}V{down(last) + 7:.1f}"/>')
    label = f"Mean ranks of {plural(count, 'method')}, best first: {listed(list(ranks.methods))}."
    return (
        f'<svg class="chart" viewBox="0 0 {wide} {height}" role="img" aria-label="{escape(label)}" '
        f'data-readings="{{&quot;x&quot;:[]}}">{"".join(parts)}</svg>'
    )

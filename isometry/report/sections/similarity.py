"""Histograms of similarity of pairs of one class and of two, with the equal-error threshold."""

import math

import torch
from torch import Tensor

from ..pairs import BINS, EqualError, Pairs, equal_error, error_rates, histogram
from ..record import Record
from ..svg import Frame, Reading, chart
from ..text import escape, number

DRAWN = 80  # bars across the range that holds the data
HEAD = '<section id="similarity"><h2>Similarity of pairs</h2>'


def similarity(record: Record) -> str:
    """The chart, and what it says in words."""
    pairs = histogram(record)
    positives, negatives = int(pairs.positive.sum()), int(pairs.negative.sum())
    if not positives + negatives:
        return f'{HEAD}<p class="muted">There are no pairs of known class.</p></section>'
    equal = equal_error(pairs)
    how = f"{positives:,} pairs of the same class and {negatives:,} of different classes"
    how += ", all there are." if pairs.exact else ", drawn at random because all would be too many."
    return (
        f'{HEAD}<div class="pair aside"><figure id="pairs">'
        f"{_draw(pairs, equal)}<figcaption>{how} Each curve has area 1, so their heights can be compared although "
        f"one kind of pair is far more common.</figcaption></figure><div>{_words(pairs, equal)}</div></div></section>"
    )


def overlap(pairs: Pairs) -> float:
    """The area that both curves share as drawn: 0 when the classes are apart, 1 when nothing tells them apart."""
    positive, negative = (_bars(pairs, count) for count in (pairs.positive, pairs.negative))
    return float(torch.minimum(positive, negative).sum())


def _bars(pairs: Pairs, count: Tensor) -> Tensor:
    """The share of pairs in each drawn bar; the few that lie outside are counted to the outermost."""
    first, width = _span(pairs)
    bars = min(DRAWN, (BINS - first) // width)
    share = _density(count)
    drawn = share[first : first + bars * width].view(bars, width).sum(1)
    drawn[0] += share[:first].sum()
    drawn[-1] += share[first + bars * width :].sum()
    return drawn


def _digits(pairs: Pairs) -> int:
    """Decimals that tell the bars apart."""
    return max(3, math.ceil(-math.log10(_span(pairs)[1] * 2 / BINS)))


def _density(count: Tensor) -> Tensor:
    return count.double() / count.sum().clamp(min=1)


def _words(pairs: Pairs, equal: EqualError | None) -> str:
    if equal is None:
        return '<p class="muted">One kind of pair is missing, so no threshold can be drawn.</p>'
    shared = overlap(pairs)
    return (
        '<dl class="numbers">'
        f"<div><dt>Equal-error threshold</dt><dd>{number(equal.threshold, _digits(pairs))}</dd></div>"
        f"<div><dt>Equal error rate</dt><dd>{100 * equal.rate:.1f} %</dd></div>"
        f"<div><dt>Overlap of the two curves</dt><dd>{100 * shared:.0f} %</dd></div></dl>"
        f"<p>Call two pictures the same when their similarity is at least {number(equal.threshold, _digits(pairs))}: then "
        f"{100 * equal.rate:.1f} % of the true pairs are missed, and {100 * equal.rate:.1f} % of the false ones are accepted. "
        "Move over the chart to read both error rates at any other threshold.</p>"
        '<p class="muted">One threshold for all classes is a harder test than ranking: a model can find the right '
        "neighbours first although its similarities are not comparable between classes.</p>"
    )


def _draw(pairs: Pairs, equal: EqualError | None) -> str:
    first, width = _span(pairs)
    bars = min(DRAWN, (BINS - first) // width)
    low, size = -1 + first * 2 / BINS, width * 2 / BINS
    xs = [low + (k + 0.5) * size for k in range(bars)]
    curves = [(_bars(pairs, count) / size).tolist() for count in (pairs.negative, pairs.positive)]
    top = max(max(ys) for ys in curves)
    frame = Frame((low, low + bars * size), (0, 1.12 * top or 1), height=320)
    body = frame.axes("cosine similarity", "density", y_ticks=False)
    for ys, kind in zip(curves, ("negative", "positive"), strict=True):
        if max(ys) > 0:
            body += frame.path(xs, ys, f"area {kind}", closed=True) + frame.path(xs, ys, f"line {kind}")
    for ys, kind, name in zip(curves, ("negative", "positive"), ("different class", "same class"), strict=True):
        if max(ys) > 0:
            body += _name(frame, xs, ys, kind, name)
    if equal is not None:
        body += frame.upright(equal.threshold, "chosen") + _threshold(frame, equal, _digits(pairs))
    label = "Densities of cosine similarity for pairs of the same class and of different classes"
    label += "" if equal is None else f"; equal error {100 * equal.rate:.1f} % at threshold {equal.threshold:.3f}"
    return chart(frame, body, label, _readings(pairs, xs, curves))


def _span(pairs: Pairs) -> tuple[int, int]:
    """First bin and bins to a bar, so that `DRAWN` bars cover all but a thousandth of each kind at either end."""
    lows, highs = [], []
    for count in (pairs.positive, pairs.negative):
        if int(count.sum()):
            share = _density(count).cumsum(0)
            lows.append(int((share > 0.001).nonzero()[0]))
            highs.append(int((share >= 0.9999).nonzero()[0]) + 1)
    span = max(max(highs) - min(lows), DRAWN)
    width = -(-span // DRAWN)
    middle = (max(highs) + min(lows)) // 2
    first = max(0, min(middle - width * DRAWN // 2, BINS - width * DRAWN))
    return first, width


def _name(frame: Frame, xs: list[float], ys: list[float], kind: str, name: str) -> str:
    peak = max(range(len(ys)), key=ys.__getitem__)
    x = min(max(frame.px(xs[peak]), 110), frame.width - 70)
    return f'<text class="name {kind}" x="{x:.0f}" y="{max(frame.py(ys[peak]) - 7, 12):.0f}" text-anchor="middle">{name}</text>'


def _threshold(frame: Frame, equal: EqualError, digits: int) -> str:
    x = frame.px(equal.threshold)
    side, anchor = (7, "start") if x < frame.width * 0.7 else (-7, "end")
    text = escape(f"{number(equal.threshold, digits)}: equal error {100 * equal.rate:.1f} %")
    return f'<text class="note" x="{x + side:.0f}" y="{frame.py(frame.y[1] * 0.5):.0f}" text-anchor="{anchor}">{text}</text>'


def _readings(pairs: Pairs, xs: list[float], curves: list[list[float]]) -> list[Reading]:
    missed, accepted = error_rates(pairs)
    readings = []
    for k, x in enumerate(xs):
        edge = min(max(round((x + 1) * BINS / 2), 0), BINS)
        lines = [
            f"threshold {number(x, _digits(pairs))}",
            f"{100 * float(missed[edge]):.2f} % of same-class pairs missed",
            f"{100 * float(accepted[edge]):.2f} % of different pairs accepted",
        ]
        readings.append(Reading(x, lines, [ys[k] for ys in curves if max(ys) > 0]))
    return readings

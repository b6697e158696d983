"""The curve of open-set identification: how many known pictures are named, for how many strangers."""

import math

from ..record import Record
from ..strangers import Strangers
from ..strangers import strangers as measured
from ..svg import Frame, Reading, chart
from ..text import compact, number

RATES = (0.01, 0.05, 0.1)


def strangers(record: Record) -> str:
    """The chart with a table of three rates; nothing where there are too few classes."""
    found = measured(record)
    if found is None:
        return ""
    drawn = " of the classes, drawn by chance" if found.sampled else " classes"
    how = (
        f"{found.classes:,}{drawn}, {found.probes:,} probes. Half of the classes make a gallery of about "
        f"{found.items:,} pictures, the other half are strangers to it; five such divisions, each taken both ways. "
        "Line: their mean. Band: the smallest and the largest."
    )
    return (
        '<section id="strangers"><h2>Strangers</h2><div class="pair aside"><figure id="open-set">'
        f"{_draw(found)}<figcaption>{how}</figcaption></figure><div>{_words(found)}</div></div></section>"
    )


def _words(found: Strangers) -> str:
    rates = [rate for rate in RATES if rate >= float(found.rate[0])]
    rows = "".join(
        f"<div><dt>{100 * rate:g} % of strangers named</dt><dd>{number(found.at(rate)[0])} "
        f"<small>{number(found.at(rate)[1])} – {number(found.at(rate)[2])}</small></dd></div>"
        for rate in rates
    )
    return (
        f'<dl class="numbers"><div><dt>None refused</dt><dd>{number(found.closed)}</dd></div>{rows}</dl>'
        "<p>A picture is given the name of what it finds first, or refused where that is not close enough. The share of "
        "known pictures that are named right is read at the share of strangers that are given a name as well.</p>"
        '<p class="muted">The larger the gallery, the more strangers find something like them: these values are of '
        "galleries of this size. A threshold for your own, with a guarantee for new classes, comes from "
        "<code>isometry calibrate</code>.</p>"
    )


def _draw(found: Strangers) -> str:
    xs = [math.log10(rate) for rate in found.rate.tolist()]
    low, mean, high = found.low.tolist(), found.named.tolist(), found.high.tolist()
    frame = Frame((xs[0], 0.0), (0, 1.04), height=320)
    powers = [(float(k), f"{10.0**k:g}") for k in range(math.ceil(xs[0]), 1)]
    body = frame.axes("strangers given a name", "known pictures named right", x_ticks=powers)
    body += frame.band(xs, low, high, "area spread") + frame.path(xs, mean, "line main")
    body += frame.path([xs[0], 0.0], [found.closed] * 2, "line chance")
    readings = [
        Reading(
            x,
            [
                f"{compact(100 * rate)} % of strangers named",
                f"{100 * y:.1f} % of known pictures named right",
                f"{100 * a:.1f} – {100 * b:.1f} % over divisions",
            ],
            [y],
        )
        for x, rate, y, a, b in zip(xs, found.rate.tolist(), mean, low, high, strict=True)
    ]
    label = "Known pictures named right, by the share of strangers that are given a name"
    return chart(frame, body, label, readings)

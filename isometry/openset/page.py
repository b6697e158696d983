"""The page of a calibration: what each threshold does to strangers and to known classes."""

import math

from isometry.openset.calibration import Calibration, Point
from isometry.openset.shell import table, terms, tile, whole
from isometry.report.svg import Frame, Reading, chart
from isometry.report.text import compact, escape, number, plural

ROWS = 10


def render(calibration: Calibration, name: str) -> str:
    """The page as HTML text. Deterministic: the same calibration gives the same page."""
    c = calibration
    summary = f'<p class="summary">{escape(_summary(c))}</p>'
    parts = [
        ("curves", "What a threshold does", _curves(c)),
        ("strangers", "Strangers that get in", _strangers(c)),
        ("classes", "Thresholds of classes", _classes(c)),
        ("made", "What it was made of", _made(c)),
        ("reading", "How to read this", terms(_terms(c))),
    ]
    return whole(name, "isometry calibration", summary, _tiles(c), parts)


def _summary(c: Calibration) -> str:
    what = "relative similarity" if c.scales else c.stamp.similarity
    promise = c.promise[0].upper() + c.promise[1:]
    return f"A picture is named where its {what} reaches {compact(c.threshold)}. {promise}."


def _tiles(c: Calibration) -> list[str]:
    what = f"promised for new classes; {number(c.fpir, 4)} of the held-out ones"
    tiles = [
        tile("False matches", f"≤ {c.rate:g}", what),
        tile(
            "Threshold",
            compact(c.threshold),
            f"smallest rate that {c.classes:,} classes can promise: {compact(c.smallest)}",
        ),
    ]
    if c.known:
        k = c.known
        interval = f"95 % interval {number(k.low)} – {number(k.high)}"
        tiles.insert(
            1, tile("Known pictures named right", number(k.dir), f"{interval}; {number(k.closed)} if none is refused")
        )
    return tiles


def _curves(c: Calibration) -> str:
    points = [point for point in c.curve if math.isfinite(point.threshold)]
    if len(points) < 2:
        return ""
    drawn = _by_threshold(c, points) + (_by_rate(c, points) if c.known else "")
    return f'<div class="pair">{drawn}</div>'


def _by_threshold(c: Calibration, points: list[Point]) -> str:
    xs = [point.threshold for point in points]
    frame = Frame((min(xs), max(xs)), (0, 1.04), height=320)
    body = frame.axes("relative similarity" if c.scales else c.stamp.similarity, "share of pictures")
    body += frame.path(xs, [point.fpir for point in points], "line negative")
    shares = [point.dir for point in points if point.dir is not None]
    if shares:
        body += frame.path(xs, shares, "line positive")
    if math.isfinite(c.threshold):
        body += frame.upright(min(max(c.threshold, frame.x[0]), frame.x[1]), "chosen")
    key = (
        '<ul class="key"><li><i class="swatch known"></i>known pictures named right</li>'
        '<li><i class="swatch new"></i>strangers given a name</li><li>upright: this threshold</li></ul>'
    )
    label = f"Shares of known pictures named right and of strangers named, by threshold; chosen {compact(c.threshold)}"
    return (
        f'<figure id="by-threshold"><h3>By threshold</h3>{chart(frame, body, label, _readings(points, xs))}{key}'
        "<figcaption>Shares of held-out pictures, as measured; classes of strangers weigh alike.</figcaption></figure>"
    )


def _by_rate(c: Calibration, points: list[Point]) -> str:
    xs = [math.log10(point.rate) for point in points]
    frame = Frame((min(xs), 0.0), (0, 1.04), height=320)
    powers = [(float(k), f"{10.0**k:g}") for k in range(math.ceil(min(xs)), 1)]
    body = frame.axes("rate of false matches that is promised", "known pictures named right", x_ticks=powers)
    body += frame.path(xs, [point.dir or 0.0 for point in points], "line main")
    if c.known:
        body += frame.path([min(xs), 0.0], [c.known.closed] * 2, "line chance")
        at = f'x="{frame.px(min(xs)) + 6:.1f}" y="{frame.py(c.known.closed) - 6:.1f}"'
        body += f'<text class="name chance" {at}>if none is refused {number(c.known.closed)}</text>'
        reached = math.log10(points_rate(c))
        body += frame.upright(max(reached, min(xs)), "chosen")
        dot = f'cx="{frame.px(max(reached, min(xs))):.1f}" cy="{frame.py(c.known.dir):.1f}"'
        body += f'<circle class="ring" {dot} r="6"/>'
    label = "Known pictures named right, by the rate of false matches that is promised"
    return (
        f'<figure id="by-rate"><h3>What a rate costs</h3>{chart(frame, body, label, _readings(points, xs))}'
        "<figcaption>Each rate is promised on average over calibrations, for a rate that is chosen before looking here. The line "
        f"begins at {compact(10 ** min(xs))}: fewer false matches than that take more held-out classes.</figcaption></figure>"
    )


def points_rate(c: Calibration) -> float:
    """The rate that the threshold promises on average: below the one asked for where a confidence was."""
    reached = [point.rate for point in c.curve if point.threshold >= c.threshold]
    return max(reached, default=c.rate)


def _readings(points: list[Point], xs: list[float]) -> list[Reading]:
    return [
        Reading(
            x,
            [
                f"threshold {compact(point.threshold)}",
                f"promises at most {compact(point.rate)} false matches",
                f"{100 * point.fpir:.2f} % of held-out strangers named",
                *([] if point.dir is None else [f"{100 * point.dir:.1f} % of known pictures named right"]),
            ],
            [] if point.dir is None else [point.dir],
        )
        for x, point in zip(xs, points, strict=True)
    ]


def _strangers(c: Calibration) -> str:
    if not c.closest:
        return '<p class="muted">None of the held-out pictures reaches the threshold.</p>'
    rows = [(name, f"{100 * share:.0f} %", taken or "(no label)") for name, share, taken in c.closest]
    return table(
        ("Held-out class", "Share of its pictures named", "Taken for most"),
        rows,
        "Strangers that are most often named.",
    )


def _classes(c: Calibration) -> str:
    if c.scales is None:
        return ""
    order = c.scales.near.add(c.scales.way * c.threshold).argsort(descending=True).tolist()
    some = order if len(order) <= 2 * ROWS else order[:ROWS] + order[-ROWS:]
    names = [c.scales.classes[i] for i in some]
    rows = [(name, compact(c.similarity_for(name)), *(compact(value) for value in c.scales.of(name))) for name in names]
    caption = f"{c.stamp.similarity} from which on a picture is taken for the class: the strictest and the loosest."
    return table(("Class", "Threshold", "Closest tenth of strangers", "From there to itself"), rows, caption)


def _made(c: Calibration) -> str:
    s = c.stamp
    facts = [
        (
            "gallery",
            f"{plural(s.size, 'picture')} of {plural(s.classes, 'class', 'classes')}, generation {s.generation}",
        ),
        ("search", f"{s.kind}, {s.similarity}"),
        ("strangers", f"{c.pictures:,} pictures of {c.classes:,} classes of {c.name} that the gallery does not hold"),
        (
            "known",
            "none to try"
            if c.known is None
            else f"{c.known.pictures:,} of {c.known.classes:,} classes: {c.known.source}",
        ),
        ("asked", f"rate {c.rate:g}" + ("" if c.confidence is None else f", confidence {c.confidence:g}")),
        *(("note", note) for note in c.notes),
    ]
    rows = "".join(f"<div><dt>{escape(a)}</dt><dd><code>{escape(b)}</code></dd></div>" for a, b in facts)
    return f'<dl class="settings">{rows}</dl>'


def _terms(c: Calibration) -> list[tuple[str, str]]:
    kind = (
        "It is an average over calibrations: this one may have a higher rate or a lower one. A confidence would bound this one."
        if c.confidence is None
        else f"Of all calibrations that could have been drawn, at least the share {c.confidence:g} have at most this rate."
    )
    rows = [
        (
            "Rate of false matches",
            "The share of pictures of new classes, which the gallery does not hold, that are given a name. A picture is compared "
            f"with the whole gallery, so its size is in the rate. {kind}",
        ),
        (
            "When it holds",
            "New classes are like the held-out ones: drawn in the same way, pictured in the same way. A class with its pictures "
            "is one draw, whatever it has of pictures. It ends where the gallery, the search or the pictures change: "
            "isometry match looks at the first two, isometry drift at the last.",
        ),
        (
            "Named right",
            "The share of pictures of the gallery's own classes whose best match is of their class and reaches the threshold "
            "(DIR; 1 − FNIR). It is measured, with an interval from drawing classes; nothing is promised of it.",
        ),
    ]
    if c.known and c.known.source.startswith("the gallery"):
        rows.append(
            (
                "Each left out",
                "Pictures that lie in the gallery twice, or were taken in a row, find each other: new ones fare worse.",
            )
        )
    return rows

"""Learning curves: the training loss, and the validation metrics with the step that was kept."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..record import Record
from ..svg import Frame, Reading, chart
from ..text import Number, compact, escape, is_share, metric_name, read_value, value_text

POINTS = 400


def curves(record: Record) -> str:
    """Both charts side by side; nothing at all for a report without a log."""
    losses = [(float(row["step"]), float(row["loss"])) for row in record.log if _is_number(row.get("loss"))]
    checks = [
        (float(row["step"]), row["validation"]) for row in record.log if isinstance(row.get("validation"), Mapping)
    ]
    drawn = ([_loss(losses)] if losses else []) + _validations(record, checks)
    if not drawn:
        return ""
    return f'<section id="curves"><h2>Learning curves</h2><div class="pair">{"".join(drawn)}</div></section>'


def chosen_step(record: Record) -> int | None:
    """The step whose weights were kept: as given, otherwise the best validation value of the per-query metric."""
    if record.chosen_step is not None:
        return record.chosen_step
    checks = [(row["step"], row["validation"]) for row in record.log if isinstance(row.get("validation"), Mapping)]
    metric = _main_metric(record, [check for _, check in checks])
    values = [(read_value(check.get(metric)).value, -step) for step, check in checks]
    values = [pair for pair in values if math.isfinite(pair[0])]
    return -max(values)[1] if values else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def thin(rows: Sequence[tuple[Number, Number]], points: int = POINTS) -> list[tuple[float, float]]:
    """At most `points` rows, each the mean of a run of neighbours.

    >>> thin([(1, 1.0), (2, 3.0), (3, 5.0), (4, 7.0)], points=2)
    [(1.5, 2.0), (3.5, 6.0)]
    """
    run = -(-len(rows) // points)
    groups = [rows[k : k + run] for k in range(0, len(rows), run)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _smooth(values: Sequence[float], keep: float) -> list[float]:
    """Exponential moving average, corrected for its start."""
    total = weight = 0.0
    smoothed = []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        smoothed.append(total / weight)
    return smoothed


def _loss(losses: list[tuple[float, float]]) -> str:
    rows = thin(losses)
    xs, ys = [x for x, _ in rows], [y for _, y in rows]
    low, high = min(ys), max(ys)
    margin = 0.06 * (high - low) or 0.5
    frame = Frame(
        (min(xs[0], 0), xs[-1] if xs[-1] > 0 else 1),
        (low - margin if low < 0 else max(0.0, low - margin), high + margin),
    )
    soft = _smooth(ys, 0.9)
    body = frame.axes("step", "training loss")
    if len(rows) > 30:
        body += frame.path(xs, ys, "faint") + frame.path(xs, soft, "line main")
        readings = [
            Reading(x, [f"step {x:,.0f}", f"loss {compact(y)}", f"smoothed {compact(s)}"], [s])
            for (x, y), s in zip(rows, soft, strict=True)
        ]
        note = "Pale: the loss as logged; strong: its moving average over about ten points."
    else:
        body += frame.path(xs, ys, "line main")
        readings = [Reading(x, [f"step {x:,.0f}", f"loss {compact(y)}"], [y]) for x, y in rows]
        note = "The loss as logged."
    if len(rows) < len(losses):
        note += f" Each point is the mean of {-(-len(losses) // POINTS)} logged steps."
    label = f"Training loss over {len(losses)} logged steps, from {compact(ys[0])} to {compact(ys[-1])}"
    return f'<figure id="loss">{chart(frame, body, label, readings)}<figcaption>{note}</figcaption></figure>'


def _main_metric(record: Record, checks: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for check in checks for name in check))
    return record.per_query_name if record.per_query_name in names else (names[0] if names else "")


def _validations(record: Record, checks: list[tuple[float, Mapping[str, Any]]]) -> list[str]:
    """A chart of the metric that selects with another of its kind; and one of label distances, which have a unit."""
    main = _main_metric(record, [check for _, check in checks])
    others = [name for name in record.headline if name != main and any(name in check for _, check in checks)]
    shares = [name for name in others if is_share(name)][:1]
    far = list(dict.fromkeys(name for _, check in checks for name in check if not is_share(name)))[:2]
    several = [("validation", [main, *shares])] + [("distances", far)] * bool(far)
    return [_validation(record, checks, names, key) for key, names in several] if checks else []


def _validation(record: Record, checks: list[tuple[float, Mapping[str, Any]]], names: list[str], key: str) -> str:
    main, share = names[0], is_share(names[0])
    series = {name: [(x, read_value(check.get(name)).value) for x, check in checks] for name in names}
    series = {name: [(x, y) for x, y in rows if math.isfinite(y)] for name, rows in series.items()}
    ys = [y for rows in series.values() for _, y in rows] or [0.0, 1.0]
    margin = 0.08 * (max(ys) - min(ys)) or 0.05
    last = max((row["step"] for row in record.log if "step" in row), default=1)
    frame = Frame(
        (0, float(last) or 1), (max(0.0, min(ys) - margin), min(1.02 if share else math.inf, max(ys) + margin))
    )
    body, chosen = frame.axes("step", "validation"), chosen_step(record)
    if chosen is not None:
        body += frame.upright(chosen, "chosen")
    for name, kind in zip(names, ("main", "second"), strict=False):
        rows = series[name]
        if rows:
            body += frame.path([x for x, _ in rows], [y for _, y in rows], f"line {kind}")
            body += "".join(
                f'<circle class="dot {kind}" cx="{frame.px(x):.1f}" cy="{frame.py(y):.1f}" r="2.6"/>' for x, y in rows
            )
            body += _line_name(frame, rows[-1], metric_name(name), kind)
    best = dict(series[main]).get(float(chosen)) if chosen is not None else None
    if best is not None and chosen is not None:
        body += f'<circle class="ring" cx="{frame.px(chosen):.1f}" cy="{frame.py(best):.1f}" r="7"/>'
    readings = [_reading(x, check, names, chosen) for x, check in checks]
    kept = (
        ""
        if chosen is None
        else f" The dashed line marks step {chosen:,}, whose weights were kept"
        + (f" ({metric_name(main)} {value_text(main, best)})." if best is not None else ".")
    )
    note = f"Measured while training, on the validation set.{kept}"
    label = f"Validation {' and '.join(metric_name(n) for n in names)} at {len(checks)} steps.{kept}"
    return f'<figure id="{key}">{chart(frame, body, label, readings)}<figcaption>{escape(note)}</figcaption></figure>'


def _line_name(frame: Frame, end: tuple[float, float], name: str, kind: str) -> str:
    at = f'x="{frame.px(end[0]):.1f}" y="{frame.py(end[1]) + 17:.1f}"'
    return f'<text class="name {kind}" {at} text-anchor="end">{escape(name)}</text>'


def _reading(x: float, check: Mapping[str, Any], names: list[str], chosen: int | None) -> Reading:
    values = [(name, read_value(check.get(name)).value) for name in names]
    lines = [f"step {x:,.0f}" + (" (kept)" if chosen == x else "")]
    return Reading(
        x,
        lines + [f"{metric_name(name)} {value_text(name, value)}" for name, value in values],
        [value for _, value in values if math.isfinite(value)],
    )

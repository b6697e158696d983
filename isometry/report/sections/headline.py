"""What was trained, how good it is, and beside what."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from ..record import Record
from ..text import Value, compact, duration, escape, is_share, metric_name, plural, read_value, value_text


def headline(record: Record) -> str:
    """Heading, one sentence, the two main numbers with their intervals and baselines, and the counts."""
    test = _results(record.metrics.get("test"))
    shown = [name for name in record.headline if name in test] or list(test)[:2]
    tiles = "".join(_tile(name, test[name], _rivals(record, name)) for name in shown)
    return (
        f'<header class="top"><p class="over">isometry report</p><h1>{escape(record.title)}</h1>'
        f'<p class="summary">{escape(record.summary)}</p>'
        f'<div class="tiles">{tiles}</div>{_counts(record)}</header>'
    )


def results(record: Record) -> str:
    """The table of every metric, for this model and its baselines."""
    return f'<section id="results"><h2>Results</h2>{_table(record)}</section>'


def settings(record: Record) -> str:
    """What made this model, and which data it was tested on."""
    return f'<section id="settings"><h2>How it was made</h2>{_settings(record)}</section>'


def _results(part: Any) -> dict[str, Value]:
    return {name: read_value(result) for name, result in part.items()} if isinstance(part, Mapping) else {}


def _rivals(record: Record, metric: str) -> list[tuple[str, Value]]:
    found = [(name, _results(part)) for name, part in (record.metrics.get("baselines") or {}).items()]
    return [(name, part[metric]) for name, part in found if metric in part]


def _tile(name: str, result: Value, rivals: list[tuple[str, Value]]) -> str:
    values = [v for v in (result.value, result.high, *(rival.value for _, rival in rivals)) if math.isfinite(v)]
    full = 1.0 if is_share(name) else max(values, default=1.0) or 1.0
    marks = "".join(
        f'<i class="rival r{k % 3}" style="left:{_percent(value.value / full)}" '
        f'title="{escape(rival)} {value_text(name, value.value)}"></i>'
        for k, (rival, value) in enumerate(rivals)
        if math.isfinite(value.value)
    )
    key = "".join(
        f'<li><i class="rival r{k % 3}"></i>{escape(rival)} <b>{value_text(name, value.value)}</b></li>'
        for k, (rival, value) in enumerate(rivals)
    )
    bar = ""
    if math.isfinite(result.low) and math.isfinite(result.high):
        width = f"calc({_percent(result.high / full)} - {_percent(result.low / full)})"
        bar = f'<i class="interval" style="left:{_percent(result.low / full)};width:{width}"></i>'
    dot = f'<i class="model" style="left:{_percent(result.value / full)}"></i>' if math.isfinite(result.value) else ""
    return (
        f'<div class="tile"><h2>{escape(metric_name(name))}</h2><p class="big">{value_text(name, result.value)}</p>'
        f'<p class="muted">{_interval(name, result)}</p>'
        f'<div class="track" aria-hidden="true">{bar}{marks}{dot}</div>'
        f'<p class="ends" aria-hidden="true"><span>0</span><span>{compact(full)}</span></p>'
        f'<ul class="key">{key}</ul></div>'
    )


def _percent(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.2f}%"


def _interval(name: str, result: Value) -> str:
    if not (math.isfinite(result.low) and math.isfinite(result.high)):
        return "no interval given"
    lower = "" if is_share(name) else "lower is better; "
    return f"{lower}95 % interval {value_text(name, result.low)} – {value_text(name, result.high)}"


def _counts(record: Record) -> str:
    labels, metrics = record.queries.labels, record.metrics
    unscored = int((~torch.isfinite(record.per_query)).sum())
    known = plural(len(labels[labels >= 0].unique()), "class", "classes")
    classes = [(known, "among the queries")] if record.graded is None else []
    scored = (f"{unscored:,} not scored", "nothing of their class to find" if unscored else "every query has a match")
    if record.graded is not None:
        scored = (f"{unscored:,} not scored", "of unknown label" if unscored else "every query has a label")
    facts = [
        (plural(len(record.queries), "query", "queries"), "in the test set"),
        *classes,
        (
            plural(len(record.searched), "item"),
            "searched, the query itself left out" if record.gallery is None else "in the gallery",
        ),
        scored,
    ]
    if metrics.get("seconds") is not None:
        facts.append((duration(float(metrics["seconds"])), "from start to end"))
    cells = "".join(f"<li><b>{escape(value)}</b><span>{escape(what)}</span></li>" for value, what in facts)
    return f'<ul class="facts">{cells}</ul>'


def _table(record: Record) -> str:
    columns = [("This model", "test", _results(record.metrics.get("test")))]
    if record.metrics.get("validation"):
        columns.append(("This model", "validation", _results(record.metrics["validation"])))
    columns += [(name, "test", _results(part)) for name, part in (record.metrics.get("baselines") or {}).items()]
    names = list(dict.fromkeys(name for _, _, part in columns for name in part))
    if not names:
        return '<p class="muted">No metrics were given.</p>'
    head = "".join(f'<th scope="col">{escape(name)}<small>{escape(split)}</small></th>' for name, split, _ in columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(metric_name(name))}{_as_written(name)}</th>'
        + "".join(
            f"<td{' class=own' if k == 0 else ''}>{_cell(name, part.get(name))}</td>"
            for k, (_, _, part) in enumerate(columns)
        )
        + "</tr>"
        for name in names
    )
    caption = "Values with 95 % intervals from resampling whole classes. Higher is better."
    if record.graded is not None:
        caption = "Values with 95 % intervals from resampling queries. Higher is better; of label distances, lower."
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of metrics">'
        f'<table class="metrics" style="max-width:{210 * (1 + len(columns))}px">'
        f'<caption class="muted">{escape(caption)}</caption>'
        f'<thead><tr><th scope="col">Metric</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _as_written(name: str) -> str:
    return "" if metric_name(name) == name else f"<small><code>{escape(name)}</code></small>"


def _cell(name: str, result: Value | None) -> str:
    if result is None:
        return "—"
    interval = (
        f"<small>{value_text(name, result.low)} – {value_text(name, result.high)}</small>"
        if math.isfinite(result.low)
        else ""
    )
    return f"{value_text(name, result.value)}{interval}"


def _settings(record: Record) -> str:
    facts = [(name, text) for name, text in record.settings.items()]
    if record.metrics.get("fingerprint"):
        facts.append(("protocol", record.metrics["fingerprint"]))
    if record.version:
        facts.append(("isometry", record.version))
    if not facts:
        return '<p class="muted">No settings were given.</p>'
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd><code>{escape(text)}</code></dd></div>" for name, text in facts)
    return f'<dl class="settings">{rows}</dl>'

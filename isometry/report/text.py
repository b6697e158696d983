"""Text for the page: escaping, numbers, and the names and definitions of metrics."""

import html
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

DEFINITIONS = {
    "Recall": ("R@{k}", "the share of queries with at least one item of their own class among the first {k} found"),
    "Precision": ("P@{k}", "the share of the first {k} found that are of the query's class, averaged over queries"),
    "MAPAtR": (
        "MAP@R",
        "for a query with R relevant items: (1/R) Σ P(i) over the ranks i ≤ R that hold a relevant item, where P(i) is the "
        "share of relevant items among the first i; averaged over queries. It is 1 only when all R come first",
    ),
    "RPrecision": ("R-precision", "the share of relevant items among the first R found, R being how many there are"),
    "NDCG": (
        "nDCG@{k}",
        "what the first {k} found are worth, over the most that any {k} could be: Σ g / log2(1 + rank) with the gain "
        "g = 1 / (1 + D), D the label distance from the query; averaged over queries. Its scale depends on the unit of D",
    ),
    "LabelDistance": (
        "Label distance@{k}",
        "the mean label distance D of the first {k} found from their query, in the unit of the labels. Lower is better",
    ),
    "MRR": ("MRR", "one over the rank of the first relevant item, averaged over queries"),
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


Number = float | int


class Value(NamedTuple):
    """A metric's value with its 95 % interval; NaN where it was not measured."""

    value: Number
    low: Number = math.nan
    high: Number = math.nan


def escape(text: object) -> str:
    """Text that is safe in HTML, in elements and in quoted attributes.

    >>> escape('<b> & "é"')
    '&lt;b&gt; &amp; &quot;é&quot;'
    """
    return html.escape(_CONTROL.sub("\ufffd", str(text)), quote=True)


def embed(data: object) -> str:
    """JSON that is safe inside a `<script>` element: no `<`, no `>`, no `&`, no separators that end a line.

    >>> embed("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _CONTROL.sub("\ufffd", text)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def number(value: Number, digits: int = 3) -> str:
    """A value between −1 and 1 as it stands in a table; an em dash when it is missing.

    >>> number(0.95123), number(float("nan")), number(-0.0001)
    ('0.951', '—', '0.000')
    """
    if not math.isfinite(value):
        return "—"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1 and larger is better; label distances have a unit, and smaller is better."""
    return not metric.startswith("LabelDistance")


def value_text(metric: str, value: Number) -> str:
    """A metric's value as it stands in a table.

    >>> value_text("MAPAtR()", 0.51234), value_text("LabelDistance(k=1)", 0.00012345)
    ('0.512', '0.000123')
    """
    return number(value) if is_share(metric) else compact(value)


def compact(value: Number) -> str:
    """A number of any size in few characters.

    >>> compact(0.01234), compact(12345.6), compact(3), compact(1e-7)
    ('0.0123', '12,346', '3', '1.00e-07')
    """
    if not math.isfinite(value):
        return "—"
    if (value == int(value) and abs(value) < 1e6) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2e}" if 0 < abs(value) < 1e-4 else f"{value:.3g}"


def duration(seconds: Number) -> str:
    """
    >>> duration(7.2), duration(125), duration(7300)
    ('7.2 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, one: str, many: str = "") -> str:
    """
    >>> plural(1, "class", "classes"), plural(1200, "query", "queries")
    ('1 class', '1,200 queries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def read_value(result: Any) -> Value:
    """A result as `metrics.json` holds it: a mapping with `value`, `low`, `high`, or a bare number."""
    if isinstance(result, Mapping):
        return Value(*(_number(result.get(key)) for key in ("value", "low", "high")))
    return Value(_number(result))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def metric_name(expression: str) -> str:
    """The name by which readers know a metric.

    >>> metric_name("Recall(k=10)"), metric_name("Recall()"), metric_name("MAPAtR()"), metric_name("Mine(a=1)")
    ('R@10', 'R@1', 'MAP@R', 'Mine(a=1)')
    """
    name, cutoff = _read(expression)
    return DEFINITIONS[name][0].format(k=cutoff) if name in DEFINITIONS else expression


def definition(expression: str) -> str:
    """What a metric measures, in words; empty for one that this page does not know."""
    name, cutoff = _read(expression)
    if (name, cutoff) == ("Recall", "1"):
        return "the share of queries whose first result is of their own class"
    return DEFINITIONS[name][1].format(k=cutoff) if name in DEFINITIONS else ""


def _read(expression: str) -> tuple[str, str]:
    match = re.fullmatch(r"\s*(\w+)\((?:k=(\d+))?(?:, gain=DistanceGain\(\))?\)\s*", expression)
    return (match[1], match[2] or "1") if match else ("", "")

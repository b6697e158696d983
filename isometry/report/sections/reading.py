"""How to read the page: exact definitions, and what each choice was."""

from collections.abc import Mapping

from ..record import Record
from ..text import definition, escape, metric_name

EXACT = "Results are ranked by cosine similarity, exactly, without an index that approximates."
GENERAL = (
    (
        "R, relevant",
        "The items of the query's class that it can find, itself apart. A query with none is not scored: it enters no mean, "
        "and is counted above.",
    ),
    (
        "95 % interval",
        "From the bootstrap over classes: whole classes are drawn with replacement and the metric is taken anew. It says how "
        "much the value could change with other classes of the same kind, not with another training run.",
    ),
    (
        "Baselines",
        "The same test with another embedding: for example the pixels themselves, or the same network before training. What "
        "matters is the distance from these, because easy data make every number large.",
    ),
    (
        "Test, validation",
        "The test set is used for nothing but the numbers and pictures here. The validation set chose the step that was kept, "
        "so its values are a little too good. When isometry splits the data itself, no class is in two sets.",
    ),
    (
        "Equal error",
        "The threshold at which the share of same-class pairs below it equals the share of different-class pairs at or above it.",
    ),
)


def reading(record: Record) -> str:
    """Definitions of the metrics that appear, then of scoring, intervals, baselines and thresholds."""
    parts = [
        record.metrics.get("test"),
        record.metrics.get("validation"),
        *(record.metrics.get("baselines") or {}).values(),
    ]
    names = list(dict.fromkeys(name for part in parts if isinstance(part, Mapping) for name in part))
    known = {metric_name(name): definition(name) for name in [*names, record.per_query_name] if definition(name)}
    terms = [*((name, _sentence(text)) for name, text in known.items()), ("Search", _search(record)), *GENERAL]
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in terms)
    return f'<section id="reading"><h2>How to read this</h2><dl class="terms">{rows}</dl></section>'


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _search(record: Record) -> str:
    if record.gallery is not None:
        return "Every query searches the gallery. An item that is in both sets is never its own result. " + EXACT
    return (
        "Every test item is a query once and searches all the others. It is never its own result, which is decided by its "
        "identity and not by its similarity, so exact duplicates count. " + EXACT
    )

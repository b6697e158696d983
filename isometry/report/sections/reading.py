"""How to read the page: exact definitions, and what each choice was."""

from collections.abc import Mapping

from ..graded import Graded
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
    general = GENERAL if record.graded is None else _of_labels(record.graded)
    terms = [*((name, _sentence(text)) for name, text in known.items()), ("Search", _search(record)), *general]
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in terms)
    return f'<section id="reading"><h2>How to read this</h2><dl class="terms">{rows}</dl></section>'


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _search(record: Record) -> str:
    if record.graded is not None and record.graded.similarity != "cosine":
        return _roles(record) + EXACT.replace("cosine similarity", record.graded.similarity)
    return _roles(record) + EXACT


def _roles(record: Record) -> str:
    if record.gallery is not None:
        return "Every query searches the gallery. An item that is in both sets is never its own result. "
    return (
        "Every test item is a query once and searches all the others. It is never its own result, which is decided by its "
        "identity and not by its similarity, so exact duplicates count. "
    )


def _of_labels(graded: Graded) -> tuple[tuple[str, str], ...]:
    """What stands in place of `GENERAL` where labels are at a distance."""
    kept = [term for term in GENERAL if term[0] in ("Baselines", "Test, validation")]
    return (
        (
            "D, label distance",
            f"How far the labels of two pictures lie apart: {graded.relation}, in the unit of the labels.",
        ),
        (
            "95 % interval",
            "From the bootstrap over queries: queries are drawn with replacement and the metric is taken anew. It says how much "
            "the value could change with other queries, not with another training run.",
        ),
        ("Random order", "What any order that knows nothing gets: the exact mean over all orders of the gallery."),
        *kept,
    )

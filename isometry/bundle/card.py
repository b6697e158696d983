"""The model card: what a model is, how good, for what and for what not, in Markdown with the header that the Hub reads."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isometry.bundle.thresholds import Counts, Threshold, Thresholds
from isometry.embedder import Ready
from isometry.expression import parse

SHOWN = 20  # class names on the card
LEFT_OUT = ("data", "label", "label_columns", "workers", "strict", "tracker", "metrics", "transform")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card is written from.

    Attributes:
        name, purpose: what the model is called, and what its author made it for ("": what the card can say itself).
        ready: the model. similarity: what its embeddings are compared by.
        metrics: as in `metrics.json`. settings: those of the run. data: what the data are called.
        classes: that it was trained on. continuous: whether its labels are at a distance instead.
        thresholds; gallery: how many pictures it carries, and of what; versions: of the packages.
    """

    name: str
    purpose: str
    ready: Ready
    similarity: str
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]
    data: str
    classes: tuple[str, ...]
    continuous: bool
    thresholds: Thresholds
    gallery: tuple[int, str] | None
    versions: Mapping[str, str]


def card(facts: Facts) -> str:
    """The whole card."""
    parts = [
        header(facts),
        f"# {text(facts.name)}\n\n{what_it_is(facts)}",
        "## Use\n\n" + use(facts),
        "## Data\n\n" + data(facts),
        "## Training\n\n" + table(("setting", "value"), trained(facts)),
        "## Evaluation\n\n" + evaluation(facts.metrics),
        "## Thresholds\n\n" + thresholds(facts.thresholds),
        "## Protocol\n\n" + protocol(facts.metrics),
        "## Intended use and limits\n\n" + limits(facts),
        "## Versions\n\n" + table(("package", "version"), facts.versions.items()),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def header(facts: Facts) -> str:
    """The front matter: YAML, every value written as JSON, which is YAML too."""
    measured = [
        {"type": name, "name": name, "value": found["value"]}
        for name, found in facts.metrics["test"].items()
        if found["value"] is not None
    ]
    result = {
        "task": {"type": "image-feature-extraction", "name": "image retrieval"},
        "dataset": {"name": facts.data, "type": facts.data, "split": "test"},
        "metrics": measured,
    }
    fields = {
        "library_name": "isometry",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["isometry", "metric-learning", "image-retrieval", "embeddings"],
        "model-index": [{"name": facts.name, "results": [result] if measured else []}],
    }
    lines = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())
    return f"---\n{lines}---"


def what_it_is(facts: Facts) -> str:
    """The first sentences."""
    model = facts.ready.model
    weights = sum(p.numel() for p in model.parameters())
    told = "labels lie near each other" if facts.continuous else "classes are the same"
    lines = [
        f"Turns a picture into {facts.ready.dim} numbers, compared by `{facts.similarity}`, so that pictures whose {told} "
        f"lie close together. `{model.texts['trunk']}`, `{model.texts['pool']}`, `{model.texts['head']}`: {weights:,} "
        f"weights. Pictures have {model.trunk.in_channels} channel(s) and are prepared by `{facts.ready.transform!r}`."
    ]
    if facts.gallery:
        lines.append(f"It carries {facts.gallery[0]:,} pictures to search: {text(facts.gallery[1])}.")
    return "\n\n".join(lines)


def use(facts: Facts) -> str:
    """Code to paste."""
    lines = [
        "import isometry",
        "",
        'model = isometry.load("…")  # the .isom file, the folder, or hf:owner/name',
        'z = model(["one.png", "two.png"])  # embeddings [n d]',
    ]
    if facts.thresholds.rows:
        lines.append(
            f"model.thresholds.at({facts.thresholds.rows[-1].rate:g}).score  # the same from this similarity on"
        )
    if facts.gallery:
        lines.append('model.search(["one.png"], k=10)')
    return "```python\n" + "\n".join(lines) + "\n```"


def data(facts: Facts) -> str:
    """Where it comes from, how it was divided, and what was learned."""
    counts = facts.metrics.get("counts", {})
    parts = ", ".join(f"{counts[part]:,} {part}" for part in ("train", "validation", "test") if part in counts)
    lines = [f"{text(facts.data)}: {parts} images." if parts else f"{text(facts.data)}."]
    if facts.metrics.get("split"):
        lines.append(f"Division: {text(facts.metrics['split'])}.")
    lines += [f"Note: {text(note)}." for note in facts.metrics.get("notes", [])]
    if facts.classes:
        more = ", …" if len(facts.classes) > SHOWN else ""
        named = ", ".join(map(text, facts.classes[:SHOWN]))
        lines.append(f"Trained on {len(facts.classes):,} classes: {named}{more}.")
    return "\n\n".join(lines)


def trained(facts: Facts) -> Iterable[tuple[str, str]]:
    """The settings that say how it was trained."""
    for name, value in facts.settings.items():
        if name not in LEFT_OUT and value not in ("", 0, 0.0, False):
            yield name, f"`{value}`"
    for name, words in (("step", "step that validation chose"), ("seconds", "seconds of training")):
        if facts.metrics.get(name) is not None:
            yield words, str(facts.metrics[name])


def evaluation(metrics: Mapping[str, Any]) -> str:
    """Test, validation and baselines, with 95% intervals."""
    columns = {"test": metrics["test"], "validation": metrics.get("validation", {}), **metrics.get("baselines", {})}
    columns = {name: found for name, found in columns.items() if found}
    rows = [(f"`{m}`", *(cell(found.get(m)) for found in columns.values())) for m in metrics["test"]]
    said = (
        "Test images were measured once. In brackets the 95% interval over classes. Validation chose the weights, so its "
        "values flatter. The other columns are baselines on the test images."
    )
    return f"{said}\n\n" + table(("metric", *columns), rows)


def thresholds(found: Thresholds) -> str:
    """A row for each rate of false matches."""
    notes = "".join(f"\n\n{note[0].upper()}{note[1:].rstrip('.')}." for note in found.notes)
    if not found.rows:
        return (notes or "There are none.").strip()
    distance = getattr(parse(found.similarity), "bounds", (0, 1))[1] <= 0
    titles = ["false-match rate", "accept from similarity", *["that is, distance at most"] * distance]
    titles += ["FMR, validation", "TAR, validation", "FMR, test", "TAR, test"]
    said = (
        f"Two pictures are taken for the same where `{found.similarity}` reaches the threshold. It is the loosest that "
        "accepts at most the stated share of different-class pairs of validation; the test columns say what it does on "
        f"classes that chose nothing. FMR: share of different-class pairs accepted; TAR: of same-class pairs."
        f"{pairs('validation', found.validation)}{pairs('test', found.test)} No bound for new classes is claimed: "
        "where the test column exceeds the rate, expect the test column or worse."
    )
    return f"{said}\n\n{table(titles, (row(one, distance) for one in found.rows))}{notes}"


def row(one: Threshold, distance: bool) -> tuple[str, ...]:
    cells = [f"{one.rate:g}", f"{one.score:.6g}", *[f"{-one.score:.6g}"] * distance]
    shares = (one.fmr, one.tar, one.test_fmr, one.test_tar)
    return (*cells, *("–" if share is None else f"{share:.4g}" for share in shares))


def pairs(part: str, counts: Counts | None) -> str:
    if counts is None:
        return ""
    return (
        f" {part.capitalize()}: {counts.genuine:,} same-class and {counts.impostor:,} different-class pairs of "
        f"{counts.images:,} images of {counts.classes:,} classes."
    )


def protocol(metrics: Mapping[str, Any]) -> str:
    """How it was measured. Results of one fingerprint may stand in one table."""
    rows = [(k, ", ".join(map(str, v)) if isinstance(v, list) else v) for k, v in metrics.get("protocol", {}).items()]
    known = metrics.get("fingerprint")
    lines = [f"Fingerprint `{known}`. Only results of one fingerprint compare." if known else "It is not known."]
    return "\n\n".join([*lines, *[table(("part", "value"), rows)] * bool(rows)])


def limits(facts: Facts) -> str:
    """What it is for, as its author says or as can be told from the run, and what nobody has tried."""
    like = f"pictures like those of {text(facts.data)}, prepared in the same way"
    kind = (
        "of a similar label" if facts.continuous else "of the same class, classes that it was not trained on among them"
    )
    purpose = text(facts.purpose) or f"Finding pictures {kind}, among {like}."
    lines = [
        purpose,
        f"- The figures above hold for {like}. Other sources, cameras, sizes or crops were not measured: do so with "
        "`isometry evaluate` before relying on it.",
        "- It gives a nearest picture to everything, to pictures that have nothing to do with its data as well.",
    ]
    if facts.thresholds.rows:
        lines.append(
            "- A threshold is for comparing two pictures. A search among n pictures meets about n times as many false matches."
        )
    lines.append(
        "- Not measured: differences between groups of people, resistance to deliberate deception, change over time. Do not "
        "let it alone decide about a person."
    )
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def table(titles: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in line) + " |" for line in lines)


def cell(found: Mapping[str, Any] | None) -> str:
    """A value with its interval."""
    if found is None or found["value"] is None:
        return "–"
    low, high = found["low"], found["high"]
    return f"{found['value']:.4f}" + ("" if low is None or high is None else f" [{low:.4f}, {high:.4f}]")


def text(words: str) -> str:
    """Words on one line, that Markdown takes for nothing else."""
    return "".join("\\" + c if c in "\\`*_[]<>#|" else c for c in " ".join(words.split()))

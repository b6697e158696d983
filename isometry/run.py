"""A run: its folder, what was measured, and the report of it."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isometry import checkpoint, config, distributed
from isometry.config import Config
from isometry.data import Data, Splits
from isometry.embedder import WEIGHTS, Ready, load, pixels, untrained
from isometry.evaluation import Embeddings, embed, measure
from isometry.fingerprint import protocol_of
from isometry.protocols.retrieval import Results
from isometry.queries import Measured, write_queries
from isometry.supervision import GRADED_BY, is_continuous, relation
from isometry.version import __version__

METRICS, CONFIG, REPORT, LOG = "metrics.json", "config.toml", "report.html", "log.jsonl"
NEIGHBOURS = 10
CLASSED, GRADED = ("MAPAtR()",), ("NDCG(k=10, gain=DistanceGain())", GRADED_BY)


@dataclass(frozen=True)
class Run:
    """What training left behind. Attributes: folder; metrics: the content of `metrics.json`."""

    folder: Path
    metrics: dict[str, Any]

    @property
    def config(self) -> Config:
        return config.read(self.folder / CONFIG)

    @property
    def report(self) -> Path:
        return self.folder / REPORT

    def embedder(self) -> Ready:
        """The trained model."""
        return load(self.folder)

    def __repr__(self) -> str:
        test = self.metrics.get("test", {})
        return f"Run({str(self.folder)!r}: " + ", ".join(f"{k} {v['value']:.3f}" for k, v in test.items()) + ")"


def read(folder: str | Path) -> Run:
    """The run in a folder.

    Raises:
        FileNotFoundError: when it holds no finished run.
    """
    path = Path(folder) / METRICS
    if not path.is_file():
        raise FileNotFoundError(f"There is no {METRICS} in {folder}: is it the folder of a finished run?")
    return Run(Path(folder), json.loads(path.read_text()))


def finish(
    chosen: Config, splits: Splits, folder: Path, seconds: float, say: Callable[[str], None], report: bool = True
) -> Run:
    """Measures the selected weights and the baselines on the test part, once; writes `metrics.json`, queries and report."""
    ready = load(folder)
    ready.to("cuda" if torch.cuda.is_available() else "cpu")
    say("measuring on the test part")
    test = embed(ready, splits.test, workers=chosen.workers, strict=chosen.strict)
    continuous, how = is_continuous(splits.test, relation(chosen.relate)), how_measured(chosen)
    results = measure(test, chosen.metrics, **how)
    channels = ready.model.trunk.in_channels
    z, index = pixels(splits.test, channels)  # type: ignore[arg-type]
    raw = Embeddings(z, splits.test.select(index))
    first = embed(untrained(chosen, chosen.seed).to(ready.device), splits.test, workers=chosen.workers)
    held = embed(ready, splits.validation, workers=chosen.workers)
    measured = [
        Measured(test, results),
        Measured(held, measure(held, chosen.metrics, **how), part="validation"),
        Measured(raw, measure(raw, chosen.metrics, **how), model="raw pixels"),
        Measured(first, measure(first, chosen.metrics, **how), model="untrained"),
    ]
    if continuous:
        alike = Embeddings(torch.ones(len(test.data), 1), test.data)
        measured.append(Measured(alike, measure(alike, chosen.metrics, **how), model="random order"))
    protocol = protocol_of(test, ready, results, part="test", rule=splits.rule, **how)
    metrics = {
        "test": as_json(results),
        "validation": as_json(measured[1].results),
        "baselines": {one.model: as_json(one.results) for one in measured[2:]},
        "fingerprint": protocol.fingerprint(),
        "protocol": protocol.as_json(),
        "settings": dataclasses.asdict(chosen),
        "seconds": round(seconds, 2),
        "split": splits.rule,
        "counts": {name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
        "notes": list(splits.notes),
        "step": ready.note.get("step"),
        "version": __version__,
    }
    if ready.unreadable:
        metrics["unreadable"] = sorted(failure.path for failure in ready.unreadable.values())
        say(f"left out, as they could not be read: {few(metrics['unreadable'])}")
    if distributed.rank() == 0:
        write_queries(folder, measured, protocol)
        checkpoint.write(folder / METRICS, json.dumps(metrics, indent=1, allow_nan=False))
    if report and distributed.rank() == 0:
        say("writing the report")
        rivals = {"raw pixels": raw, "untrained": first}
        write_report(folder, chosen, metrics, test, results, trained_on=splits.train, rivals=rivals)
    return Run(folder, metrics)


def how_measured(chosen: Config) -> dict[str, Any]:
    """What labels say of pairs, and what embeddings are compared by, as text."""
    return {"relate": chosen.relate, "similarity": chosen.similarity}


def as_json(results: Results) -> dict[str, dict[str, float | None]]:
    """Values and intervals, without the per-query values."""
    return {name: {k: _number(getattr(r, k)) for k in ("value", "low", "high")} for name, r in results.items()}


def few(paths: list[str]) -> str:
    """How many, and the first three."""
    return f"{len(paths)} ({', '.join(paths[:3])}{', …' if len(paths) > 3 else ''})"


def _number(x: float) -> float | None:
    return round(x, 6) if math.isfinite(x) else None  # no interval can be had from one class


def write_report(
    folder: Path,
    chosen: Config,
    metrics: dict[str, Any],
    test: Embeddings,
    results: Results,
    trained_on: Data | None = None,
    rivals: Mapping[str, Embeddings] | None = None,
) -> Path:
    """Writes `report.html` of these test embeddings; `rivals` are others of the same images, to compare with."""
    from isometry.label_space import graded
    from isometry.ops.neighbours import nearest
    from isometry.protocols.retrieval import geometry
    from isometry.report import Record, write

    log = folder / LOG
    query, gallery = test.roles()
    items = sides(test)
    embed_by, compare = geometry(chosen.similarity)
    z = embed_by(test.z)
    g = z if gallery is None else z[gallery]
    ids_g = test.data.ids if gallery is None else test.data.ids[gallery]
    ids_q = test.data.ids[query]
    similarities, neighbours = nearest(z[query], g, NEIGHBOURS, ids_q=ids_q, ids_g=ids_g, similarity=compare)
    by_label = graded(test, chosen.relate, chosen.similarity, rivals or {})
    shown, per_query = scored_by(test, results, GRADED if by_label else CLASSED)
    record = Record(
        title=f"{test.data.name}: {folder.name}",
        summary=summary(chosen, test, trained_on, by_label is not None),
        metrics=metrics,
        classes=test.data.classes,
        queries=items[0],
        gallery=items[1],
        neighbours=neighbours,
        similarities=similarities,
        per_query=per_query,
        per_query_name=shown,
        group_names=groups(test.data)[1],
        settings={k: str(v) for k, v in dataclasses.asdict(chosen).items()},
        log=[json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else [],
        chosen_step=metrics.get("step"),
        headline=(GRADED_BY, "LabelDistance(k=1)") if by_label else Record.headline,
        graded=by_label,
        version=__version__,
    )
    return write(record, folder / REPORT)


def summary(chosen: Config, test: Embeddings, trained_on: Data | None, continuous: bool) -> str:
    """What was trained on what, in a sentence."""
    queries = len(test.roles()[0])
    if continuous:
        source = f"{len(trained_on):,} images" if trained_on is not None else "the images of its run"
        labels = chosen.relate or "close_targets"
        return (
            f"Trained on {source} with {chosen.loss}; tested on {queries:,} queries. Labels are compared by {labels}."
        )
    classes = f"{len(trained_on.present()):,} classes" if trained_on is not None else "the classes of its run"
    counts = f"{len(trained_on):,} images of {classes}" if trained_on is not None else classes
    return f"Trained on {counts} with {chosen.loss}; tested on {queries:,} queries of {len(test.data.present()):,} classes."


def scored_by(test: Embeddings, results: Results, names: tuple[str, ...]) -> tuple[str, torch.Tensor]:
    """The metric that tells good queries from bad ones, and its values: the first of these that was measured, or any."""
    for text in (*names, *results):
        if text in results and len(results[text].per_query):
            return text, results[text].per_query
    return scored_by(test, measure(test, names[0], samples=0), names)


def groups(data: Data) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    """The coarse label that colours the map: the category, or the root of the label path; and its names."""
    if data.category is not None:
        return data.category, data.categories
    if data.hierarchy is None or data.hierarchy.shape[1] < 2:
        return None, ()
    roots = data.hierarchy[:, 0]
    present = torch.unique(roots[roots >= 0])
    names = {
        int(r): data.classes[int(data.labels[(roots == r).nonzero()[0, 0]])].split("/")[0].strip() for r in present
    }
    position = {r: i for i, r in enumerate(names)}
    return torch.tensor([position.get(int(r), -1) for r in roots]), tuple(names.values())


def sides(test: Embeddings) -> tuple[Any, Any]:
    """Queries and gallery as the report wants them."""
    from isometry.report import Items

    z, data = test
    group = groups(data)[0]

    def items(at: torch.Tensor) -> Items:
        return Items(
            z=z[at],
            labels=data.labels[at],
            thumbnail=lambda i: data.images[int(at[i])].permute(1, 2, 0).numpy(),
            ids=data.ids[at],
            groups=None if group is None else group[at],
        )

    query, gallery = test.roles()
    return items(query), None if gallery is None else items(gallery)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run's weights."""
    return (folder / WEIGHTS).is_file()

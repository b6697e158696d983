"""Every method and seed of a study as a folder that `isometry compare` reads beside any other result."""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from isometry import checkpoint
from isometry.bench.findings import SEPARATED
from isometry.bench.readings import Readings, Table
from isometry.bench.standing import draws
from isometry.data import loader
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.fingerprint import Protocol, content
from isometry.ops.bootstrap import percentiles
from isometry.protocols.results import Resampling, Result, Results
from isometry.queries import Measured, write_queries
from isometry.run import METRICS, as_json
from isometry.version import __version__

if TYPE_CHECKING:
    from isometry.bench.plan import Plan, Planned
    from isometry.bench.study import Study

METHODS = "methods"


def export(study: "Study", plan: "Plan", readings: Readings, out: Path) -> list[Path]:
    """Writes `methods/<method>/seed-<n>/` under `out` for all that was measured; returns the folders.

    A value is the mean over the models of the folds, query by query. A folder that holds the same already is left as it is.

    Raises:
        OSError: when a file cannot be written.
    """
    tables = {metric: readings.tables[SEPARATED, metric] for metric in readings.metrics}
    names = slugs([method.name for method in plan.methods])
    folders, wanted = [], []
    for method in plan.methods:
        for column, seed in enumerate(readings.seeds.get(method.name, ())):
            folder = out / METHODS / names[method.name] / f"seed-{seed}"
            folders.append(folder)
            if not _held(folder, identity(method, seed, readings)):
                wanted.append((folder, method, column, seed))
    if wanted:
        protocol = protocol_of(study, readings.metrics)
        intervals = {metric: ends(table) for metric, table in tables.items()}
        for folder, method, column, seed in wanted:
            results = results_of(tables, intervals, method.name, column)
            _write(folder, study, method, seed, results, protocol, identity(method, seed, readings))
    return folders


def identity(method: "Planned", seed: int, readings: Readings) -> list[str]:
    """What decides a folder's content."""
    return [*(cell.key for cell in method.finals[seed]), *readings.metrics]


def ends(table: Table) -> dict[str, tuple[list[float], list[float]]]:
    """By method, the interval of each seed over classes; nothing for a statistic."""
    found = {name: percentiles(drawn, 0.95) for name, drawn in draws(table).items()}
    return {name: (low.tolist(), high.tolist()) for name, (low, high) in found.items()}


def results_of(tables: Mapping[str, Table], intervals: Mapping[str, Any], method: str, column: int) -> Results:
    """The metrics of one seed."""
    found = Results()
    found.classes, found.resampling = next(iter(tables.values())).classes, Resampling()
    for metric, table in tables.items():
        own = table.columns[method][:, column]
        low, high = (end[column] for end in intervals[metric].get(method, ([float("nan")] * (column + 1),) * 2))
        per_query = torch.empty(0) if table.statistic else own.float()
        found[metric] = Result(float(own.double().nanmean()), low, high, per_query)
    return found


def protocol_of(study: "Study", metrics: tuple[str, ...]) -> Protocol:
    """How the test part was measured, in the words of a run's own protocol: the two can then stand in one table."""
    test, transform = study.test, parse(study.recipe.train.transform)
    query, gallery = Embeddings(torch.empty(len(test), 0), test).roles()
    one = next(iter(loader(test.select(torch.tensor([0])), transform, batch_size=1, workers=0)))
    return Protocol(
        data=test.name,
        part="test",
        images=len(test),
        classes=len(test.present()),
        content=content(test),
        split=study.division.rule.partition(";")[0],
        preprocessing=repr(transform),
        size=" × ".join(map(str, one.images.shape[-2:])),
        queries=len(query),
        gallery=len(query if gallery is None else gallery),
        metrics=metrics,
        search=Protocol.search + (" and its class in its own sequence" if test.sequence is not None else ""),
    )


def _write(
    folder: Path, study: "Study", method: "Planned", seed: int, results: Results, protocol: Protocol, made_of: list[str]
) -> None:
    cells = method.finals[seed]
    measured = Measured(Embeddings(torch.empty(len(study.test), 0), study.test), results)
    metrics = {
        "test": as_json(results),
        "fingerprint": protocol.fingerprint(),
        "protocol": protocol.as_json(),
        "settings": {
            **study.held,
            "method": method.name,
            **dataclasses.asdict(cells[0].setting),
            "folds": len(cells),
            "seed": cells[0].seed - method.entry.stream,
        },
        "study": study.recipe.name,
        "made_of": made_of,
        "split": study.division.rule,
        "version": __version__,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_queries(folder, [measured], protocol)
    checkpoint.write(folder / METRICS, json.dumps(metrics, indent=1, allow_nan=False))


def _held(folder: Path, made_of: list[str]) -> bool:
    """Whether a folder was written from the same trainings and metrics."""
    try:
        return json.loads((folder / METRICS).read_text())["made_of"] == made_of
    except (OSError, ValueError, KeyError):
        return False


def slugs(names: list[str]) -> dict[str, str]:
    """Names that a folder can have, no two alike.

    >>> slugs(["Multi-Similarity (ε)", "a/b", "A b"])
    {'Multi-Similarity (ε)': 'multi-similarity', 'a/b': 'a-b', 'A b': 'a-b-2'}
    """
    found: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "method"
        slug, more = stem, 1
        while slug in found.values():
            more += 1
            slug = f"{stem}-{more}"
        found[name] = slug
    return found

"""What the test embeddings of a study's models score: measured once, from the shelf, and kept there."""

import hashlib
import json
import math
import os
import statistics
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.bench.cell import Cell, Outcome, own_code
from isometry.bench.findings import CONCATENATED, SEPARATED
from isometry.bench.recipe_parts import is_graded
from isometry.bench.shelf import Shelf
from isometry.bench.study import device
from isometry.evaluation import Embeddings, drawn_together
from isometry.expression import parse
from isometry.fingerprint import EVALUATION
from isometry.metrics.statistic import Statistic
from isometry.ops.crossed import Crossed, crossed, over_seeds
from isometry.ops.paired import group_sums
from isometry.similarities import cosine

if TYPE_CHECKING:
    from isometry.bench.plan import Plan, Planned
    from isometry.bench.study import Study

Arrays = dict[str, np.ndarray]
READING = 1
"""Version of what is kept: raised when the same embeddings would be read otherwise."""
AT_ONCE = 4
"""Models measured at once, at most: each takes half a gigabyte of working memory."""
CLASSES = "classes"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One metric of all models, in one reading.

    Attributes:
        columns: by method, `[n s]`: a row for each query, a column for each seed; one row for a statistic of the whole
            space. A control has one column.
        classes: the class of each query. fixed: methods that have no seeds: the controls.
        seeds: by method, which of the study's seeds its columns are, from 0.
    """

    columns: Mapping[str, Tensor]
    classes: Int[Tensor, " n"]
    fixed: frozenset[str]
    seeds: Mapping[str, tuple[int, ...]]
    statistic: bool

    def values(self, method: str) -> Float[Tensor, " s"]:
        """The metric's value with each seed, over the queries that are scored."""
        return self.columns[method].double().nanmean(0)

    @cached_property
    def by_class(self) -> tuple[dict[str, Tensor], Float[Tensor, " c"]]:
        """Means of the classes `[s c]`, and how many queries of each are scored; classes without one are left out."""
        sizes = [column.shape[1] for column in self.columns.values()]
        sums, counts = group_sums(torch.cat(list(self.columns.values()), 1), self.classes)
        scored = counts.amin(1) > 0
        means = (sums[scored] / counts[scored]).T.split(sizes)
        return dict(zip(self.columns, means, strict=True)), counts[scored].amin(1)

    def difference(self, first: str, second: str) -> Crossed | None:
        """first − second, paired by class and by the seeds that both have; None where one has no value.

        One seed says nothing of another: interval, p and detectable are NaN then. (Two controls have no seeds at all.)
        """
        seeds = self.paired(first, second)
        if not seeds:
            return None
        at = [self._at(one, other) for one, other in ((first, second), (second, first))]
        if self.statistic:
            return over_seeds((self.values(first)[at[0]] - self.values(second)[at[1]])[None])
        means, sizes = self.by_class
        found = crossed((means[first][at[0]] - means[second][at[1]])[None], sizes)
        if seeds > 1 or {first, second} <= self.fixed:
            return found
        unknown = torch.full_like(found.p, torch.nan)
        return found._replace(low=unknown, high=unknown, p=unknown, detectable=unknown)

    def paired(self, first: str, second: str) -> int:
        """How many seeds their difference has: those of both, of a method and a control the method's; 0 for no value."""
        if first not in self.columns or second not in self.columns:
            return 0
        return max(len(self._at(first, second)), len(self._at(second, first)))

    def _at(self, one: str, other: str) -> list[int]:
        """The columns of one that go with columns of the other; the single one of a control goes with all."""
        if one in self.fixed:
            return [0]
        return [k for k, seed in enumerate(self.seeds[one]) if other in self.fixed or seed in self.seeds[other]]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that was measured.

    Attributes:
        tables: by reading and metric. metrics: their texts. seeds, controls: see `Table`.
        geometry: by name of a value of `isometry.diagnostics`; empty unless the recipe asks for them.
    """

    tables: Mapping[tuple[str, str], Table]
    metrics: tuple[str, ...]
    seeds: Mapping[str, tuple[int, ...]]
    controls: tuple[str, ...]
    geometry: Mapping[str, Table] = field(default_factory=dict)


def readings_of(study: "Study", shelf: Shelf, plan: "Plan") -> Readings:
    """Measures the test embeddings that lie on the shelf, as far as they were not measured before.

    A seed of a method counts when all its folds left embeddings: one that diverged, collapsed or failed leaves none.
    """
    metrics = metrics_of(study)
    whole = {method.name: complete(method) for method in plan.methods}
    jobs: dict[str, Callable[[], Arrays]] = {}
    keys: dict[tuple[str, int], str] = {}
    for name, seeds in whole.items():
        for seed, cells in seeds.items():
            key = keys[name, seed] = key_of("seed", [c.key for c in cells], metrics)
            jobs[key] = lambda cells=cells: of_folds(study, shelf, cells, metrics)
    constant = key_of("controls", [study.held_hash, study.recipe.model.head, *study.recipe.controls], metrics)
    if study.recipe.controls:
        jobs[constant] = lambda: of_controls(study, metrics)
    made = measured(shelf, jobs)
    arrays: dict[str, list[Arrays]] = {n: [made[keys[n, s]] for s in seeds] for n, seeds in whole.items() if seeds}
    fixed = parted(made.get(constant, {}))
    arrays |= {name: [own] for name, own in fixed.items()}
    seeds = {name: tuple(own) for name, own in whole.items()}
    classes = next((torch.from_numpy(a[0][CLASSES]).long() for a in arrays.values()), torch.empty(0, dtype=torch.long))
    tables = {}
    for metric in metrics:
        statistic = isinstance(parse(metric), Statistic)
        for reading in (SEPARATED, CONCATENATED):
            columns = {n: stacked([a[f"{reading}/{metric}"] for a in own]) for n, own in arrays.items()}
            tables[reading, metric] = Table(
                columns=columns, classes=classes, fixed=frozenset(fixed), seeds=seeds, statistic=statistic
            )
    geometry = geometry_of(plan.methods, whole, classes)
    return Readings(tables=tables, metrics=metrics, seeds=seeds, controls=tuple(fixed), geometry=geometry)


def geometry_of(
    methods: Sequence["Planned"], whole: Mapping[str, Mapping[int, tuple[Cell, ...]]], classes: Tensor
) -> dict[str, Table]:
    """Each value of the geometry as a table of one row, a column for each seed: its mean over the models of the folds.

    Args:
        whole: by method, the cells of each seed whose folds all left embeddings. Only these have columns.
    """
    made = {m.name: {cell.key: o for cell, o in m.known() if o is not None} for m in methods}
    found = {
        name: [[made[name][cell.key] for cell in cells] for cells in seeds.values()]
        for name, seeds in whole.items()
        if seeds
    }
    names = dict.fromkeys(k for own in found.values() for row in own for outcome in row for k in outcome.geometry)
    seeds = {name: tuple(own) for name, own in whole.items()}
    return {
        what: Table(
            columns={name: _column(own, what) for name, own in found.items()},
            classes=classes,
            fixed=frozenset(),
            seeds=seeds,
            statistic=True,
        )
        for what in names
    }


def _column(outcomes: Iterable[Iterable[Outcome]], what: str) -> Tensor:
    """One value with each seed, `[1 s]`; NaN where a fold has none."""
    means = [statistics.fmean(o.geometry.get(what, math.nan) for o in row) for row in outcomes]
    return torch.tensor([means], dtype=torch.float64)


def metrics_of(study: "Study") -> tuple[str, ...]:
    """Texts of the study's metrics, its own among them."""
    found: list[str] = []
    for text in (study.recipe.metrics, study.recipe.metric):
        read = parse(text)
        found += [repr(m) for m in (read if isinstance(read, tuple) else (read,))]
    return tuple(dict.fromkeys(found))


def complete(method: "Planned") -> dict[int, tuple[Cell, ...]]:
    """The final trainings of each seed whose folds all left embeddings."""
    rows = enumerate(zip(method.finals, method.outcomes, strict=True))
    return {k: cells for k, (cells, row) in rows if all(o is not None and o.state == "done" for o in row)}


def of_folds(study: "Study", shelf: Shelf, cells: Sequence[Cell], metrics: Sequence[str]) -> Arrays:
    """What the models of the folds score, each by itself and all joined."""
    z = [comparable(shelf.tensors(cell.key)["z"].to(device()).float(), study.recipe.similarity) for cell in cells]
    each = [scores(study, one, metrics) for one in z]
    joined = scores(study, torch.cat(z, 1), metrics) if len(z) > 1 else each[0]
    found: Arrays = {CLASSES: joined[CLASSES]}
    for metric in metrics:
        found[f"{SEPARATED}/{metric}"] = (
            np.stack([one[metric] for one in each]).astype(np.float64).mean(0).astype(np.float32)
        )
        found[f"{CONCATENATED}/{metric}"] = joined[metric]
    return found


def comparable(z: Float[Tensor, "n d"], similarity: str) -> Float[Tensor, "n d"]:
    """Embeddings as they are joined: of length 1 for the cosine; otherwise the length matters, and the mean one is 1."""
    if parse(similarity) is cosine:
        return torch.nn.functional.normalize(z, dim=1)
    return z / z.norm(dim=1).mean().clamp_min(torch.finfo(z.dtype).tiny)


def of_controls(study: "Study", metrics: Sequence[str]) -> Arrays:
    """What embeddings that nothing was trained for score; the names of the controls start those of the arrays."""
    from isometry.bench.controls import controls

    found: Arrays = {}
    for name, z in controls(study).items():
        one = scores(study, z.to(device()), metrics)
        found[f"{name}//{CLASSES}"] = one[CLASSES]
        for metric in metrics:
            for reading in (SEPARATED, CONCATENATED):
                found[f"{name}//{reading}/{metric}"] = one[metric]
    return found


def parted(arrays: Arrays) -> dict[str, Arrays]:
    """What `of_controls` put together, by control."""
    found: dict[str, Arrays] = {}
    for whole, array in arrays.items():
        name, _, rest = whole.partition("//")
        found.setdefault(name, {})[rest] = array
    return found


def scores(study: "Study", z: Float[Tensor, "n d"], metrics: Sequence[str]) -> Arrays:
    """Each metric's values `[q]`, or value `[1]`, and the class of each query."""
    results = study.measured(z, study.test, ", ".join(metrics))
    found: Arrays = {CLASSES: groups(study, z, results.classes).cpu().numpy().astype(np.int32)}
    for metric in metrics:
        own = results[metric]
        found[metric] = own.per_query.numpy() if len(own.per_query) else np.array([own.value], np.float32)
    return found


def groups(study: "Study", z: Tensor, classes: Int[Tensor, " q"]) -> Int[Tensor, " q"]:
    """What is drawn together: the classes; where labels are at a distance, those that the data have, or else each item."""
    if not is_graded(study.recipe.relate) or not len(study.test.present()):
        return classes
    query, _ = Embeddings(z, study.test).roles()
    return drawn_together(study.test.labels[query])


def stacked(arrays: Iterable[np.ndarray]) -> Float[Tensor, "n s"]:
    return torch.stack([torch.from_numpy(a) for a in arrays], 1)


def measured(shelf: Shelf, jobs: Mapping[str, Callable[[], Arrays]]) -> dict[str, Arrays]:
    """All readings, several at once; one thread each, so that the number of processors changes no last bit."""
    threads = torch.get_num_threads()
    at_once = 1 if torch.cuda.is_available() else min(AT_ONCE, os.cpu_count() or 1)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), ThreadPoolExecutor(at_once) as pool:
            warnings.filterwarnings("ignore", message=".*have no match in the gallery|Some similarities are equal")
            found = pool.map(lambda one: shelf.reading(one[0], one[1]), jobs.items())
            return dict(zip(jobs, found, strict=True))
    finally:
        torch.set_num_threads(threads)


def key_of(what: str, parts: Sequence[str], metrics: Sequence[str]) -> str:
    own = own_code(*metrics)
    text = json.dumps([what, READING, EVALUATION, list(parts), list(metrics), *([own] if own else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:24]

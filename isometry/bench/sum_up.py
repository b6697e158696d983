"""What a study found, worked out from its shelf: values, differences, costs, searches, verdicts."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from isometry.bench.cell import Outcome
from isometry.bench.findings import SEPARATED, Findings, Method, Trial
from isometry.bench.geometry import effects_of, geometry_rows
from isometry.bench.readings import Readings, Table, readings_of
from isometry.bench.recipe_parts import is_graded
from isometry.bench.sensitivity import knobs_of
from isometry.bench.shelf import Shelf
from isometry.bench.standing import pairs_of, rows_of
from isometry.bench.verdicts import verdicts_of
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.version import __version__

if TYPE_CHECKING:
    from isometry.bench.plan import Plan, Planned
    from isometry.bench.study import Study

DEARER = 1.5
"""Times the median cost from which a method is marked."""


def findings_of(study: "Study", shelf: Shelf, plan: "Plan", readings: Readings | None = None) -> Findings:
    """The findings of a study, as far as it is.

    Args:
        readings: where they were worked out already.
    """
    recipe, readings = study.recipe, readings or readings_of(study, shelf, plan)
    metric, folds = repr(parse(recipe.metric)), recipe.folds.tested or recipe.folds.count
    table, outcomes = readings.tables[SEPARATED, metric], plan.outcomes()
    trials = tuple(trial for method in plan.methods for trial in trials_of(method))
    queries, classes = counted(study, table)
    return Findings(
        name=recipe.name,
        about=recipe.about,
        recipe=recipe.to_toml(),
        held=study.held,
        held_hash=study.held_hash,
        metric=metric,
        metrics=readings.metrics,
        reference=recipe.reference,
        rows=rows_of(readings, recipe.reference, folds),
        pairs=pairs_of(table, [method.name for method in plan.methods]),
        methods=methods_of(plan, recipe.search.trials),
        trials=trials,
        knobs=knobs_of(trials),
        verdicts=verdicts_of(recipe.cards, table, metric),
        classes=classes,
        queries=queries,
        seeds=recipe.final.seeds,
        folds=folds,
        planned=plan.planned,
        done=plan.done,
        missing=plan.missing,
        differs=differs(list(outcomes.values())),
        command="",
        version=__version__,
        outcomes=outcomes,
        geometry=geometry_rows(readings, recipe.reference, folds),
        effects=effects_of(recipe.cards, readings, recipe.final.seeds)
        if readings.geometry or is_graded(recipe.relate)
        else (),
    )


def counted(study: "Study", table: Table) -> tuple[int, int]:
    """Queries that are scored, and their classes; before anything was measured, those of the test part."""
    if table.columns and not table.statistic:
        column = next(iter(table.columns.values()))
        scored = ~column.isnan().any(1)
        return int(scored.sum()), len(table.classes[scored].unique())
    query, _ = Embeddings(study.test.labels[:, None], study.test).roles()
    return len(query), len(study.test.present()) or len(query)


def trials_of(method: "Planned") -> Iterator[Trial]:
    """The trials of a method's search that are over: one that still runs has no value, and has not failed."""
    for tried in method.trials:
        if tried.over:
            states = tuple(outcome.state for outcome in tried.outcomes if outcome is not None)
            yield Trial(
                method=method.name, number=tried.number, values=dict(tried.values), value=tried.value, states=states
            )


def methods_of(plan: "Plan", trials: int) -> tuple[Method, ...]:
    """What was done with each method, and what it cost beside the others."""
    seconds = {method.name: spent(method) for method in plan.methods}
    known = [value for value in seconds.values() if value > 0]
    typical = statistics.median(known) if known else math.nan
    return tuple(_method(m, trials, seconds[m.name], seconds[m.name] / typical) for m in plan.methods)


def _method(method: "Planned", planned: int, seconds: float, cost: float) -> Method:
    entry, finals = method.entry, [o for row in method.outcomes for o in row if o is not None and o.state == "done"]
    tried = [o for trial in method.trials for o in trial.outcomes if o is not None and o.state == "done"]
    over = [trial for trial in method.trials if trial.over]
    return Method(
        name=method.name,
        loss=entry.loss,
        year=entry.year,
        cite=entry.cite,
        setting=method.chosen.setting if method.chosen else None,
        trials=len(over),
        planned_trials=planned,
        runs=sum(method.ran),
        planned_runs=sum(method.wanted),
        seconds=seconds,
        cost=cost,
        dearer=cost > DEARER,
        parameters=next((o.parameters for o in (*finals, *tried)), 0),
        validation=method.chosen.value if method.chosen else math.nan,
        failures=tuple(failures(method)),
        varies=varies(method),
        curves=tuple(outcome.curve for outcome in finals),
        best_of=best_of([trial.value for trial in over]),
    )


def spent(method: "Planned") -> float:
    """Median processor time of a final training that ended well, in seconds; NaN before there is one."""
    found = [o.seconds for row in method.outcomes for o in row if o is not None and o.state == "done"]
    return statistics.median(found) if found else math.nan


def failures(method: "Planned") -> Iterator[str]:
    """Trainings that were not "done", a line each."""
    for trial in method.trials:
        for cell, outcome in zip(trial.cells, trial.outcomes, strict=True):
            yield from _failure(f"trial {trial.number}, fold {cell.fold}", outcome)
    for cells, outcomes in zip(method.finals, method.outcomes, strict=True):
        for cell, outcome in zip(cells, outcomes, strict=True):
            yield from _failure(f"final training, seed {cell.seed}, fold {cell.fold}", outcome)


def _failure(where: str, outcome: Outcome | None) -> Iterator[str]:
    if outcome is not None and outcome.state != "done":
        yield f"{where}: {outcome.state}" + (f" ({outcome.message})" if outcome.message else "")


def varies(method: "Planned") -> tuple[str, ...]:
    """What a method declares to differ besides its loss."""
    entry = method.entry
    said = [f"sampler: {entry.sampler}"] * bool(entry.sampler) + [f"head: {entry.head}"] * bool(entry.head)
    said += [f"seeds: from {entry.stream}"] * bool(entry.stream) + [entry.note] * bool(entry.note)
    return tuple(said)


def best_of(values: Sequence[float]) -> tuple[float, ...]:
    """Expected best of n of these values drawn without replacement, n = 1, 2, … (Dodge et al., EMNLP 2019, who draw with).

    Σ_i v_(i) C(i−1, n−1) / C(N, n), over the values in rising order: the i-th is the best of n in so many draws. A trial
    that failed counts as 0.

    >>> [round(v, 4) for v in best_of([0.1, 0.4, 0.2])]
    [0.2333, 0.3333, 0.4]
    """
    ordered = sorted(v if math.isfinite(v) else 0.0 for v in values)
    count = len(ordered)
    return tuple(
        sum(v * math.comb(i, n - 1) for i, v in enumerate(ordered)) / math.comb(count, n) for n in range(1, count + 1)
    )


def differs(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What trainings ran under that was not the same for all: versions, threads, devices."""
    known = [outcome.environment for outcome in outcomes if outcome.environment]
    names = dict.fromkeys(name for environment in known for name in environment)
    found = {name: Counter(environment.get(name, "not known") for environment in known) for name in names}
    return tuple(
        f"{name}: " + ", ".join(f"{value} in {count:,} trainings" for value, count in sorted(counts.items()))
        for name, counts in found.items()
        if len(counts) > 1
    )

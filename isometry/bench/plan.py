"""What a study still has to train: a pure function of its recipe and of what lies on the shelf.

Trials come in rounds. A round's settings follow from the results of the rounds before it, never from the order in which
trainings ended; so workers, machines, kills and restarts change nothing, and nobody needs to be told what was done.
"""

import dataclasses
import hashlib
import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from isometry.bench import search
from isometry.bench.cell import Cell, Outcome, Setting
from isometry.bench.shelf import Shelf
from isometry.bench.space import defaults_of, setting_of, space_of

if TYPE_CHECKING:
    from isometry.bench.recipe import MethodEntry, Recipe
    from isometry.bench.study import Study

Earlier = list[tuple[Mapping[str, Any], float | None]]
SEARCH = 1
"""Version of how settings are suggested; part of what a suggestion is kept under."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial: its setting, and what it gave on each searched fold.

    Attributes:
        cells, outcomes: one a fold; an outcome is None until its cell was run.
        value: mean over folds of `Recipe.selected_by` on the validation part, NaN where a fold failed or was not run.
    """

    number: int
    values: Mapping[str, Any]
    setting: Setting
    cells: tuple[Cell, ...]
    outcomes: tuple[Outcome | None, ...]
    value: float

    @property
    def over(self) -> bool:
        return None not in self.outcomes


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A method's part of the plan.

    Attributes:
        trials: those whose settings are known so far, the unfinished ones of the last round among them.
        searched: whether all trials are over. chosen: the best one then; None before, or where all of them failed.
        finals: the cells of the chosen setting by seed and fold; empty before the search is over.
        outcomes: of `finals`, alike. wanted: trainings planned, of the search and of finals.
        identity: what the search depends on; two methods that agree in it share all trainings.
    """

    entry: "MethodEntry"
    identity: str
    trials: tuple[Tried, ...]
    searched: bool
    chosen: Tried | None
    finals: tuple[tuple[Cell, ...], ...]
    outcomes: tuple[tuple[Outcome | None, ...], ...]
    wanted: tuple[int, int]

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def ran(self) -> tuple[int, int]:
        """Trainings done, of the search and of finals."""
        tried = sum(outcome is not None for trial in self.trials for outcome in trial.outcomes)
        return tried, sum(outcome is not None for row in self.outcomes for outcome in row)

    @property
    def over(self) -> bool:
        return self.ran == self.wanted

    def known(self) -> Iterator[tuple[Cell, Outcome | None]]:
        """All cells whose settings are known, with what they gave."""
        for trial in self.trials:
            yield from zip(trial.cells, trial.outcomes, strict=True)
        for cells, outcomes in zip(self.finals, self.outcomes, strict=True):
            yield from zip(cells, outcomes, strict=True)

    def left(self) -> str:
        """What was not run, in words; empty where all was."""
        (tried, tested), (trials, finals) = self.ran, self.wanted
        if self.over:
            return ""
        said = [f"{trials - tried} of {trials} trainings of the search"] * (tried < trials)
        said += [f"{finals - tested} of {finals} final trainings"] * (tested < finals)
        return f"{self.name}: {' and '.join(said)}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is known of a study.

    Attributes:
        methods: in the recipe's order. todo: the cells to run next, in the best order, each once.
        planned, done: trainings, those that methods share counted once.
    """

    methods: tuple[Planned, ...]
    todo: tuple[Cell, ...]
    planned: int
    done: int

    @property
    def over(self) -> bool:
        return not self.todo

    @property
    def missing(self) -> tuple[str, ...]:
        """What was not run, a line a method."""
        return tuple(filter(None, (method.left() for method in self.methods)))

    def outcomes(self) -> dict[str, Outcome]:
        """All that was run, by key."""
        return {cell.key: o for method in self.methods for cell, o in method.known() if o is not None}


def planned(study: "Study", shelf: Shelf, before: Plan | None = None) -> Plan:
    """The plan of a study, as the shelf now stands.

    Args:
        before: an earlier plan of the same study: what it knows is not worked out again.
    """
    known = {method.entry.name: method for method in before.methods} if before else {}
    alike: dict[str, Planned] = {}
    methods = []
    for entry in study.recipe.methods:
        method = known.get(entry.name)
        same = method.identity if method else identity(study.recipe, entry)
        if same not in alike:
            alike[same] = method if method and method.over else _method(study, shelf, entry, same, method)
        methods.append(replace(alike[same], entry=entry))
    todo: dict[str, tuple[tuple[int, ...], Cell]] = {}
    done: set[str] = set()
    for rank, method in enumerate(alike.values()):
        for order, cell, outcome in _ordered(method, rank, study.recipe.search.round):
            if outcome is not None:
                done.add(cell.key)
            else:
                todo.setdefault(cell.key, (order, cell))
    later = sum(sum(method.wanted) - len(list(method.known())) for method in alike.values())
    return Plan(
        methods=tuple(methods),
        todo=tuple(cell for _, cell in sorted(todo.values(), key=lambda one: one[0])),
        planned=len(done) + len(todo) + later,
        done=len(done),
    )


def identity(recipe: "Recipe", entry: "MethodEntry") -> str:
    """What a method's search depends on, besides what all methods share."""
    space = {name: repr(knob) for name, knob in space_of(recipe, entry).items()}
    first = repr(setting_of(recipe, entry, defaults_of(recipe, entry)))
    return json.dumps([recipe.search.seed, entry.stream, first, space], sort_keys=True)


def _method(study: "Study", shelf: Shelf, entry: "MethodEntry", same: str, before: Planned | None) -> Planned:
    recipe = study.recipe
    trials = _trials(study, shelf, entry, same, before.trials if before else ())
    searched = len(trials) == recipe.search.trials and all(trial.over for trial in trials)
    good = [trial for trial in trials if math.isfinite(trial.value)] if searched else []
    chosen = max(good, key=lambda trial: trial.value) if good else None  # the first of equals
    finals = _finals(study, chosen.setting, entry.stream) if chosen else ()
    folds = (recipe.folds.searched or recipe.folds.count, recipe.folds.tested or recipe.folds.count)
    final = 0 if searched and not chosen else recipe.final.seeds * folds[1]
    return Planned(
        entry=entry,
        identity=same,
        trials=trials,
        searched=searched,
        chosen=chosen,
        finals=finals,
        outcomes=tuple(tuple(shelf.outcome(cell.key) for cell in row) for row in finals),
        wanted=(recipe.search.trials * folds[0], final),
    )


def _trials(
    study: "Study", shelf: Shelf, entry: "MethodEntry", same: str, before: tuple[Tried, ...]
) -> tuple[Tried, ...]:
    """The trials whose settings are known: all rounds that are over, and the one after them."""
    recipe = study.recipe
    found = [trial if trial.over else _again(study, shelf, trial) for trial in before]
    while len(found) < recipe.search.trials and all(trial.over for trial in found):
        earlier: Earlier = [(trial.values, trial.value) for trial in found]
        for _ in range(min(recipe.search.round, recipe.search.trials - len(found))):
            found.append(_tried(study, shelf, entry, same, earlier, len(found)))
            earlier.append((found[-1].values, None))
    return tuple(found)


def _tried(study: "Study", shelf: Shelf, entry: "MethodEntry", same: str, earlier: Earlier, number: int) -> Tried:
    """A trial whose setting is suggested now, or was before: then it is read from the shelf."""
    recipe = study.recipe
    seen = [[dict(values), None if value is None else repr(value)] for values, value in earlier]
    key = hashlib.sha256(json.dumps(["suggestion", SEARCH, same, seen, number], sort_keys=True).encode()).hexdigest()

    def suggested() -> dict[str, Any]:
        if recipe.search.rates:
            values = {"head_lr": recipe.search.rates[number]}
        elif number == 0:
            values = defaults_of(recipe, entry)
        else:
            values = search.suggest(space_of(recipe, entry), same, earlier, number)
        return {"values": dict(values), "setting": dataclasses.asdict(setting_of(recipe, entry, values))}

    found = shelf.value(key[:24], suggested)
    setting, seed = Setting(**found["setting"]), recipe.search.seed + entry.stream
    folds = range(recipe.folds.searched or recipe.folds.count)
    cells = tuple(Cell(held=study.held_hash, setting=setting, fold=fold, seed=seed) for fold in folds)
    nothing = (None,) * len(cells)
    trial = Tried(number=number, values=found["values"], setting=setting, cells=cells, outcomes=nothing, value=math.nan)
    return _again(study, shelf, trial)


def _again(study: "Study", shelf: Shelf, trial: Tried) -> Tried:
    """The trial with what its cells gave by now."""
    outcomes = tuple(shelf.outcome(cell.key) for cell in trial.cells)
    each = [o.validation[study.recipe.selected_by] if o and o.state == "done" else math.nan for o in outcomes]
    return replace(trial, outcomes=outcomes, value=statistics.fmean(each))


def _finals(study: "Study", setting: Setting, stream: int) -> tuple[tuple[Cell, ...], ...]:
    """One cell for each seed and fold. The seeds follow that of the search: no final repeats a training that chose it."""
    recipe = study.recipe
    first = recipe.search.seed + 1 + stream
    folds = range(recipe.folds.tested or recipe.folds.count)
    return tuple(
        tuple(Cell(held=study.held_hash, setting=setting, fold=fold, seed=seed, tested=True) for fold in folds)
        for seed in range(first, first + recipe.final.seeds)
    )


def _ordered(method: Planned, rank: int, each: int) -> Iterator[tuple[tuple[int, ...], Cell, Outcome | None]]:
    """Cells with their place in the queue: searches before finals, all methods' first rounds before the second ones."""
    for trial in method.trials:
        for cell, outcome in zip(trial.cells, trial.outcomes, strict=True):
            yield (0, trial.number // each, trial.number, cell.fold, rank), cell, outcome
    for number, (cells, outcomes) in enumerate(zip(method.finals, method.outcomes, strict=True)):
        for cell, outcome in zip(cells, outcomes, strict=True):
            yield (1, number, cell.fold, 0, rank), cell, outcome

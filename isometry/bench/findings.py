"""What a study found, as plain values: everything the page, the tables and the verdicts are written from."""

import functools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from isometry.bench.cell import Outcome, Setting

SEPARATED, CONCATENATED = "separated", "concatenated"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Where a method, or a control, stands on one metric.

    Attributes:
        method: its name. control: whether nothing is trained. metric: its text.
        reading: "separated" (mean over the models of the folds) or "concatenated" (their embeddings joined).
        value; low, high: interval over test classes and seeds. spread: standard deviation over seeds, NaN for one.
        seeds, folds: how many trainings it rests on; seeds is 0 where nothing depends on a seed. paired: seeds of the
            difference, those that the reference has as well (of a control: all that the reference has).
        difference, difference_low, difference_high, p, p_holm, detectable: from the reference, paired by class and
            seed, NaN for the reference; all but the difference NaN for one seed. `detectable` is the smallest true
            difference found with probability .8.
    """

    method: str
    control: bool
    metric: str
    reading: str
    value: float
    low: float
    high: float
    spread: float
    seeds: int
    folds: int
    paired: int
    difference: float
    difference_low: float
    difference_high: float
    p: float
    p_holm: float
    detectable: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two methods against each other on the study's own metric: first − second, paired by class and seed."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    detectable: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting that the search of a method tried. `value`: mean validation MAP@R over folds, NaN where a fold failed."""

    method: str
    number: int
    values: Mapping[str, float | int | bool | str]
    value: float
    states: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Knob:
    """How much a knob mattered in a method's search: its share of the variance of the trials (NaN: too few to tell)."""

    method: str
    knob: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A published claim, measured. `verdict`: "supported", "not supported", "undecided" or "not run"."""

    system: str
    claim: str
    source: str
    method: str
    twin: str
    difference: float
    low: float
    high: float
    p_holm: float
    verdict: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a card's method changes against its twin, on one metric or one value of the geometry.

    Attributes:
        measure: a metric's text, or the name of a value of `isometry.diagnostics`. value, twin_value: means over the seeds
            that both have. difference, low, high, p: paired, as of every two methods; p_holm: corrected over all cards.
        by_seed: the difference with each of the study's seeds, NaN where one of the two has no value.
    """

    method: str
    twin: str
    measure: str
    value: float
    twin_value: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    by_seed: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What was done with a method.

    Attributes:
        setting: the chosen one, None before the search is over. trials, planned_trials; runs, planned_runs: trainings of
            the search's trials and of the final ones, done and planned.
        seconds: median processor time of a final training. cost: that over the median of all methods; `dearer`: whether
            it is above 1.5. parameters: those trained.
        validation: mean validation MAP@R of the chosen trial. failures: outcomes that were not "done", each with a line.
        varies: what this method declares to differ besides its loss, in words.
    """

    name: str
    loss: str
    year: int
    cite: str
    setting: Setting | None
    trials: int
    planned_trials: int
    runs: int
    planned_runs: int
    seconds: float
    cost: float
    dearer: bool
    parameters: int
    validation: float
    failures: tuple[str, ...]
    varies: tuple[str, ...]
    curves: tuple[tuple[Mapping[str, float], ...], ...]
    best_of: tuple[float, ...]
    """Expected best validation value of n trials drawn from those made, n = 1, 2, …."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study, whole or as far as it is.

    Attributes:
        held: what was held constant, name to value, in words; held_hash its hash. recipe: the text of the recipe.
        metric: the study's own, that differences and pairs are of. reference: the method that others are compared with.
        blocks: independent data sets; ranks are drawn for six or more. missing: cells not run, in words.
        differs: what differs between cells that ran on other machines, threads or versions.
        outcomes: every training's outcome by key, for tables of one's own.
        geometry: where each method stands on each value of the geometry, whose name is the row's metric; effects: of every
            card on every metric and value. Both are empty unless the recipe asks for the geometry; effects are there where
            labels are at a distance, too.
    """

    name: str
    about: str
    recipe: str
    held: Mapping[str, str]
    held_hash: str
    metric: str
    metrics: tuple[str, ...]
    reference: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    methods: tuple[Method, ...]
    trials: tuple[Trial, ...]
    knobs: tuple[Knob, ...]
    verdicts: tuple[Verdict, ...]
    classes: int
    queries: int
    seeds: int
    folds: int
    planned: int
    done: int
    missing: tuple[str, ...]
    differs: tuple[str, ...]
    command: str
    version: str
    outcomes: Mapping[str, Outcome]
    geometry: tuple[Row, ...] = ()
    effects: tuple[Effect, ...] = ()


def from_json(values: Mapping[str, Any]) -> Findings:
    """Findings from the content of `findings.json`, where a number that is not known is null.

    Raises:
        ValueError: for values that are no findings.
    """
    try:
        return _made(Findings, values)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"This is no findings.json of this version ({error}): run the study's command again."
        ) from None


def _made(kind: Any, value: Any) -> Any:
    """A value of this annotation from plain JSON."""
    if is_dataclass(kind):
        known = {name: hint for name, hint in _hints(kind).items() if name in value or name in _needed(kind)}
        return kind(**{name: _made(hint, value[name]) for name, hint in known.items()})  # type: ignore[operator]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(_made(inner[0], one) for one in value)
    if origin is Mapping or origin is typing.get_origin(Mapping[str, Any]):
        return {key: _made(inner[1], one) for key, one in value.items()}
    if isinstance(kind, types.UnionType):
        return None if value is None else _made(inner[0], value)
    return math.nan if kind is float and value is None else value


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    """The annotations of a dataclass, by field."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


@functools.cache
def _needed(kind: Any) -> frozenset[str]:
    """The fields without a default: those of earlier versions' files."""
    return frozenset(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)

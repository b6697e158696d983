"""Where the methods and controls of a study stand: values with intervals, and tested differences."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from isometry.bench.findings import Pair, Row
from isometry.bench.readings import Readings, Table
from isometry.ops.bootstrap import group_means, percentiles
from isometry.ops.crossed import Crossed
from isometry.ops.holm import holm
from isometry.ops.seeds import drawn_mean, t_interval

SAMPLES, CONFIDENCE, SEED = 1000, 0.95, 0
"""Of the bootstrap."""


def rows_of(readings: Readings, reference: str, folds: int) -> tuple[Row, ...]:
    """All methods and controls on all metrics, in both readings, those with a value.

    Differences from the reference are Holm-corrected over the methods on one metric in one reading, and over the
    controls likewise: the controls, which are no contestants, cost the methods no power.
    """
    tables = readings.tables.items()
    return tuple(row for (how, what), table in tables for row in rows_on(table, what, how, reference, folds))


def rows_on(table: Table, metric: str, reading: str, reference: str, folds: int) -> list[Row]:
    """All methods, then all controls, on one metric in one reading."""
    drawn, found = draws(table), []
    rows = [_row(table, name, metric, reading, reference, folds, drawn) for name in table.columns]
    for control in (False, True):
        own = [row for row in rows if row.control == control]
        p = holm(torch.tensor([row.p for row in own], dtype=torch.float64)).tolist()
        found += [dataclasses.replace(row, p_holm=x) for row, x in zip(own, p, strict=True)]
    return found


def draws(table: Table) -> dict[str, Tensor]:
    """By method `[b s]`, the means of each seed in sets of classes drawn with replacement, the same sets for all methods."""
    if table.statistic or not table.columns:
        return {}
    every = torch.cat(list(table.columns.values()), 1)
    rows = ~every.isnan().any(1)
    means = group_means(every[rows], table.classes[rows], samples=SAMPLES, seed=SEED)
    parts = means.split([column.shape[1] for column in table.columns.values()], 1)
    return dict(zip(table.columns, parts, strict=True))


def _row(
    table: Table, name: str, metric: str, reading: str, reference: str, folds: int, drawn: dict[str, Tensor]
) -> Row:
    values, control = table.values(name), name in table.fixed
    values = values[~values.isnan()]
    low, high = t_interval(values, CONFIDENCE)
    if name in drawn:
        ends = percentiles(drawn_mean(drawn[name], seed=SEED)[:, None], CONFIDENCE)
        low, high = (float(end) for end in ends)
    found = numbers(None if name == reference else table.difference(name, reference))
    return Row(
        method=name,
        control=control,
        metric=metric,
        reading=reading,
        value=float(values.mean()),
        low=low,
        high=high,
        spread=float(values.std()) if len(values) > 1 else math.nan,
        seeds=0 if control else len(values),
        folds=1 if control else folds,
        paired=table.paired(name, reference),
        difference=found["difference"],
        difference_low=found["low"],
        difference_high=found["high"],
        p=found["p"],
        p_holm=math.nan,
        detectable=found["detectable"],
    )


def numbers(found: Crossed | None) -> dict[str, float]:
    """The test of one difference as plain numbers; NaN where there was none."""
    if found is None:
        return dict.fromkeys(("difference", "low", "high", "p", "detectable"), math.nan)
    return {name: float(value) for name, value in found._asdict().items() if name not in ("error", "freedom")}


def pairs_of(table: Table, names: Sequence[str]) -> tuple[Pair, ...]:
    """Every two methods that have a value, Holm-corrected over all of these pairs."""
    present = [name for name in names if name in table.columns]
    found = [(a, b, numbers(table.difference(a, b))) for a, b in itertools.combinations(present, 2)]
    p = holm(torch.tensor([own["p"] for _, _, own in found], dtype=torch.float64)).tolist()
    return tuple(Pair(first=a, second=b, **own, p_holm=x) for (a, b, own), x in zip(found, p, strict=True))

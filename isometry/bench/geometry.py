"""What the maps of a study's models look like: values of `isometry.diagnostics` over seeds, and every card's effect on them."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from isometry.bench.findings import SEPARATED, Effect, Row
from isometry.bench.readings import Readings, Table
from isometry.bench.standing import numbers, rows_on
from isometry.ops.holm import holm

if TYPE_CHECKING:
    from isometry.bench.recipe import Card


def geometry_rows(readings: Readings, reference: str, folds: int) -> tuple[Row, ...]:
    """Where every method stands on every value of the geometry; tested over the seeds that it and the reference have."""
    tables = readings.geometry.items()
    return tuple(row for what, table in tables for row in rows_on(table, what, SEPARATED, reference, folds))


def effects_of(cards: Sequence["Card"], readings: Readings, seeds: int) -> tuple[Effect, ...]:
    """What every card's method changes against its twin, in each metric and each value of the geometry.

    Of each measure, p is Holm-corrected over all cards. Metrics are paired by class and seed, the geometry by seed.

    Args:
        seeds: those of the study; an effect has a difference for each, NaN where one of the two was not run.
    """
    tables = {metric: readings.tables[SEPARATED, metric] for metric in readings.metrics}
    pairs = tuple(dict.fromkeys((card.method, card.twin) for card in cards))
    found: list[Effect] = []
    for what, table in {**tables, **readings.geometry}.items():
        tested = [(pair, table.difference(*pair)) for pair in pairs]
        own = [(pair, numbers(test)) for pair, test in tested if test is not None]
        p = holm(torch.tensor([n["p"] for _, n in own], dtype=torch.float64)).tolist()
        found += [_effect(table, pair, what, n, x, seeds) for (pair, n), x in zip(own, p, strict=True)]
    return tuple(found)


def _effect(
    table: Table, pair: tuple[str, str], what: str, test: Mapping[str, float], p_holm: float, seeds: int
) -> Effect:
    one, other = (dict(zip(table.seeds[name], table.values(name).tolist(), strict=True)) for name in pair)
    both = [seed for seed in range(seeds) if math.isfinite(one.get(seed, math.nan) - other.get(seed, math.nan))]
    return Effect(
        method=pair[0],
        twin=pair[1],
        measure=what,
        value=statistics.fmean([one[seed] for seed in both]) if both else math.nan,
        twin_value=statistics.fmean([other[seed] for seed in both]) if both else math.nan,
        difference=test["difference"],
        low=test["low"],
        high=test["high"],
        p=test["p"],
        p_holm=p_holm,
        by_seed=tuple(one[seed] - other[seed] if seed in both else math.nan for seed in range(seeds)),
    )

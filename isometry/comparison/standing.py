"""Where a group of runs stands: its values, and its differences from the first group."""

import dataclasses
import math
from typing import NamedTuple

import torch
from torch import Tensor

from isometry.comparison.members import Group
from isometry.comparison.table import Row
from isometry.ops.bootstrap import group_means, percentiles
from isometry.ops.paired import detectable, group_error, sign_flip
from isometry.ops.seeds import drawn_mean, quantile, student, t_interval


class Draws(NamedTuple):
    """What intervals are made from: the class of each query, and how often classes are drawn."""

    labels: Tensor
    samples: int
    confidence: float
    seed: int

    def of(self, scored: Tensor) -> "Draws":
        """The same of the queries that are scored: classes without one are not drawn."""
        return self._replace(labels=self.labels[scored])

    def means(self, values: Tensor) -> Tensor:
        """Means of the columns in sets of classes."""
        return group_means(values, self.labels, samples=self.samples, seed=self.seed)


def row_of(group: Group, first: Group, text: str, draws: Draws) -> Row:
    """A metric of a group, and how it differs from the first."""
    values = group.values(text)
    low, high = interval(group, text, draws)
    spread = t_interval(values, draws.confidence)
    row = Row(
        metric=text,
        run=group.name,
        runs=len(values),
        value=float(values.mean()),
        low=low,
        high=high,
        spread=float(values.std()) if len(values) > 1 else math.nan,
        spread_low=spread[0],
        spread_high=spread[1],
    )
    return row if group is first else against(row, group, first, draws)


def rows_of_each(group: Group, text: str, draws: Draws) -> list[Row]:
    """A metric of each run of a group."""
    found = []
    for member, value in zip(group.members, group.values(text).tolist(), strict=True):
        low, high = interval(group._replace(members=[member]), text, draws)
        found.append(Row(metric=text, run=group.name, seed=member.seed, value=value, low=low, high=high))
    return found


def interval(group: Group, text: str, draws: Draws) -> tuple[float, float]:
    """Of the mean of the runs, when classes are drawn, and runs. A statistic of the whole space has the one it came with."""
    values = group.per_query(text)
    if values is None:
        kept = group.members[0].metrics["test"][text]
        ends = (kept["low"], kept["high"]) if len(group.members) == 1 else (None, None)
        return math.nan if ends[0] is None else ends[0], math.nan if ends[1] is None else ends[1]
    scored = ~values.isnan().any(1)
    drawn = draws.of(scored).means(values[scored])
    if not len(drawn):
        return math.nan, math.nan
    low, high = percentiles(drawn_mean(drawn, seed=draws.seed)[:, None], draws.confidence)
    return float(low), float(high)


def against(row: Row, group: Group, first: Group, draws: Draws) -> Row:
    """The row with the difference on the same queries, its interval, p, and the smallest difference that would be found.

    One run against one: classes are the sample; the interval is the bootstrap's, p that of flipped signs. Where a side
    has several runs, seeds are a sample too: Student's, with the variance between classes and that between seeds. Of a
    statistic of the whole space only the seeds are known.
    """
    mine, theirs = group.per_query(row.metric), first.per_query(row.metric)
    difference, sources = float(group.values(row.metric).mean() - first.values(row.metric).mean()), []
    if mine is not None and theirs is not None:
        gap = mine.mean(1) - theirs.mean(1)
        gap, draws = gap[~gap.isnan(), None], draws.of(~gap.isnan())
        classes = int(torch.unique(draws.labels).numel())
        error = float(group_error(gap, draws.labels))
        if len(group.members) == len(first.members) == 1 and classes > 1:
            low, high = percentiles(draws.means(gap), draws.confidence)
            return dataclasses.replace(
                row,
                difference=difference,
                difference_low=float(low),
                difference_high=float(high),
                p=float(sign_flip(gap, draws.labels, seed=draws.seed)),
                detectable=detectable(error, classes - 1),
            )
        sources = [(error**2, classes - 1)]
    p, error, freedom = student(difference, sources + between_seeds(group, first, row.metric))
    reach = error * quantile(freedom, (1 + draws.confidence) / 2)
    return dataclasses.replace(
        row,
        difference=difference,
        difference_low=difference - reach,
        difference_high=difference + reach,
        p=p,
        detectable=detectable(error, freedom),
    )


def between_seeds(group: Group, first: Group, text: str) -> list[tuple[float, float]]:
    """What seeds add to the variance of the difference, and its freedom: of pairs where both have the same seeds."""
    mine, theirs = group.values(text), first.values(text)
    sides = [mine - theirs] if group.seeds == first.seeds else [mine, theirs]
    return [(float(side.var()) / len(side), len(side) - 1) for side in sides if len(side) > 1]

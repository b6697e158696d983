"""Where a group of runs stands: its values, and its differences from the first group."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from isometry.comparison.members import Group
from isometry.comparison.table import Row
from isometry.ops.bootstrap import group_means, percentiles
from isometry.ops.paired import detectable, group_error, sign_flip
from isometry.ops.seeds import drawn_mean, quantile, student, t_interval


@dataclass(frozen=True)
class Draws:
    """What intervals are made from: the class of each query, and the means in sets of classes that were drawn.

    Attributes: `means`: by metric and group, float64 `[b s]`, a column for each run; `p`: of flipped signs, where one
    run stands against one.
    """

    labels: Tensor
    samples: int
    confidence: float
    seed: int
    means: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    p: dict[tuple[str, str], float] = field(default_factory=dict)

    def fill(self, groups: Sequence[Group], texts: Sequence[str]) -> "Draws":
        """Draws for all metrics and groups at once; metrics that are scored for the same queries share their draws."""
        columns = {(t, g.name): v for t in texts for g in groups if (v := g.per_query(t)) is not None}
        alike: dict[bytes, list[tuple[str, str]]] = {}
        for key, values in columns.items():
            alike.setdefault(scored(values).numpy().tobytes(), []).append(key)
        for keys in alike.values():
            rows = scored(columns[keys[0]])
            table = torch.cat([columns[key] for key in keys], 1)[rows]
            drawn = group_means(table, self.labels[rows], samples=self.samples, seed=self.seed)
            self.means.update(zip(keys, drawn.split([columns[key].shape[1] for key in keys], 1), strict=True))
        gaps = {}
        for (text, name), values in columns.items():
            theirs = columns[text, groups[0].name]
            if name != groups[0].name and values.shape[1] == theirs.shape[1] == 1:
                gaps[text, name] = values - theirs
        if gaps:
            p = sign_flip(torch.cat(list(gaps.values()), 1), self.labels, seed=self.seed)
            self.p.update(zip(gaps, p.tolist(), strict=True))
        return self

    def interval(self, drawn: Tensor) -> tuple[float, float]:
        """That holds the middle of what was drawn."""
        low, high = percentiles(drawn[:, None], self.confidence)
        return float(low), float(high)


def scored(values: Tensor) -> Tensor:
    """Which queries have a value in all runs."""
    return ~values.isnan().any(1)


def row_of(group: Group, first: Group, text: str, draws: Draws) -> Row:
    """A metric of a group, and how it differs from the first."""
    values = group.values(text)
    spread = t_interval(values, draws.confidence)
    row = Row(
        metric=text,
        run=group.name,
        runs=len(values),
        value=float(values.mean()),
        spread=float(values.std()) if len(values) > 1 else math.nan,
        spread_low=spread[0],
        spread_high=spread[1],
    )
    if (text, group.name) in draws.means:
        low, high = draws.interval(drawn_mean(draws.means[text, group.name], seed=draws.seed))
    else:
        low, high = group.kept_interval(text)
    row = dataclasses.replace(row, low=low, high=high)
    return row if group is first else against(row, group, first, draws)


def rows_of_each(group: Group, text: str, draws: Draws) -> list[Row]:
    """A metric of each run of a group."""
    found = []
    for i, (member, value) in enumerate(zip(group.members, group.values(text).tolist(), strict=True)):
        if (text, group.name) in draws.means:
            low, high = draws.interval(draws.means[text, group.name][:, i])
        else:
            low, high = group._replace(members=[member]).kept_interval(text)
        found.append(Row(metric=text, run=group.name, seed=member.seed, value=value, low=low, high=high))
    return found


def against(row: Row, group: Group, first: Group, draws: Draws) -> Row:
    """The row with the difference on the same queries, its interval, p, and the smallest difference that would be found.

    One run against one: classes are the sample; the interval is the bootstrap's, p that of flipped signs. Where a side
    has several runs, seeds are a sample too: Student's, with the variance between classes and that between seeds. A
    statistic of the whole space is tested over seeds alone.
    """
    text, key = row.metric, (row.metric, row.run)
    mine, theirs = group.per_query(text), first.per_query(text)
    row = dataclasses.replace(row, difference=float(group.values(text).mean() - first.values(text).mean()))
    sources = between_seeds(group, first, text)
    if mine is not None and theirs is not None:
        gap = (mine.mean(1) - theirs.mean(1))[:, None]
        error, freedom = float(group_error(gap, draws.labels)), len(torch.unique(draws.labels[scored(gap)])) - 1
        if key in draws.p and freedom > 0:
            low, high = draws.interval((draws.means[key] - draws.means[text, first.name])[:, 0])
            found = detectable(error, freedom)
            return dataclasses.replace(row, difference_low=low, difference_high=high, p=draws.p[key], detectable=found)
        sources = [(error**2, freedom), *sources]
    p, error, freedom = student(row.difference, sources)
    reach = error * quantile(freedom, (1 + draws.confidence) / 2)
    return dataclasses.replace(
        row,
        difference_low=row.difference - reach,
        difference_high=row.difference + reach,
        p=p,
        detectable=detectable(error, freedom),
    )


def between_seeds(group: Group, first: Group, text: str) -> list[tuple[float, float]]:
    """What seeds add to the variance of the difference, and its freedom: of pairs where both have the same seeds.

    Of one run against several, the one is taken to vary as those do. Nothing is known where both are one.
    """
    mine, theirs = group.values(text), first.values(text)
    if len(mine) > 1 and len(theirs) > 1:
        sides = [mine - theirs] if group.seeds == first.seeds else [mine, theirs]
        return [(float(side.var()) / len(side), len(side) - 1) for side in sides]
    several = max(mine, theirs, key=len)
    return [(float(several.var()) * (1 + 1 / len(several)), len(several) - 1)] if len(several) > 1 else []

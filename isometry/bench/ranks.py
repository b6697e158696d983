"""Ranks of methods over independent data sets (Demšar, JMLR 2006: Friedman's test, Nemenyi's critical difference)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isometry.bench.findings import SEPARATED, Findings

LEAST = 6
"""Fewer data sets say nothing about ranks: with five, Wilcoxon's test of two methods cannot even reach p < .05."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Mean ranks, best first.

    Attributes:
        methods; mean: their mean ranks over the blocks, 1 being the best; ties share a rank.
        blocks: names of the data sets. statistic, p: Friedman's χ², with k − 1 degrees of freedom, corrected for ties.
        critical: mean ranks that are further apart than this differ (Nemenyi, level .05 for all pairs at once).
        alike: runs of methods, first and last place in `methods`, that the critical difference does not tell apart.
    """

    methods: tuple[str, ...]
    mean: tuple[float, ...]
    blocks: tuple[str, ...]
    statistic: float
    p: float
    critical: float
    alike: tuple[tuple[int, int], ...]


def ranks_of(studies: Sequence[Findings], *, reading: str = SEPARATED) -> Ranks | None:
    """Ranks over studies of different data, by each study's own metric; None for fewer than six data sets.

    A second study of the same data is no new block and is left out, and so is a method that not all studies have.
    """
    blocks: dict[str, dict[str, float]] = {}
    seen: set[str] = set()
    for study in studies:
        data = study.held.get("data", study.name)
        if data in seen:
            continue
        seen.add(data)
        rows = [r for r in study.rows if r.metric == study.metric and r.reading == reading and not r.control]
        blocks[study.name if study.name not in blocks else data] = {r.method: r.value for r in rows}
    return ranked(blocks) if len(blocks) >= LEAST else None


def ranked(blocks: Mapping[str, Mapping[str, float]], *, alpha: float = 0.05) -> Ranks | None:
    """Ranks of the methods that all blocks have a value of; None for fewer than two such methods, or two blocks.

    Args:
        blocks: data set to method to value; larger is better.
    """
    from scipy.stats import rankdata

    first = next(iter(blocks.values()), {})
    methods = [m for m in first if all(math.isfinite(block.get(m, math.nan)) for block in blocks.values())]
    if len(methods) < 2 or len(blocks) < 2:
        return None
    table = np.array([[block[m] for m in methods] for block in blocks.values()])
    places = rankdata(-table, axis=1)
    statistic, p = friedman(places)
    order = np.argsort(places.mean(0), kind="stable")
    mean = places.mean(0)[order]
    critical = critical_difference(len(methods), len(blocks), alpha=alpha)
    return Ranks(
        methods=tuple(methods[i] for i in order),
        mean=tuple(mean.tolist()),
        blocks=tuple(blocks),
        statistic=statistic,
        p=p,
        critical=critical,
        alike=_alike(mean, critical),
    )


def friedman(places: np.ndarray) -> tuple[float, float]:
    """χ² and p that all methods rank alike, of ranks [blocks, methods]; p is 1 where all are tied."""
    from scipy.stats import chi2

    n, k = places.shape
    spread = ((places - (k + 1) / 2) ** 2).sum()
    if spread == 0:
        return 0.0, 1.0
    statistic = n * (k - 1) * n * ((places.mean(0) - (k + 1) / 2) ** 2).sum() / spread
    return float(statistic), float(chi2.sf(statistic, k - 1))


def critical_difference(methods: int, blocks: int, *, alpha: float = 0.05) -> float:
    """q √(k (k + 1) / 6N), q being the studentised range over √2 (Nemenyi).

    >>> round(critical_difference(5, 10), 3)
    1.929
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * blocks))


def _alike(mean: np.ndarray, critical: float) -> tuple[tuple[int, int], ...]:
    """The longest runs of ranks within the critical difference, that are in no other."""
    found: list[tuple[int, int]] = []
    for first in range(len(mean)):
        last = int(np.flatnonzero(mean <= mean[first] + critical)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)

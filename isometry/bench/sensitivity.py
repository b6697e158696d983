"""How much each knob mattered in a method's search."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isometry.bench.findings import Knob, Trial

LEAST = 8
"""With fewer trials no share can be told from chance."""
SHUFFLES = 1999
LEVEL = 0.05


def knobs_of(trials: Sequence[Trial]) -> tuple[Knob, ...]:
    """Every knob of every method, with its share of the variance of the trials' ranks, and the interval of that.

    The share is the adjusted R² of a parabola through (rank of the knob's value, rank of the trial's validation value):
    a knob with a best value in the middle counts. A trial that failed ranks last. A knob of words is a mean for each
    word. Each knob is looked at by itself, so that shares need not add up to 1.

    The share is NaN where it cannot be told from chance: with fewer than eight trials, or when as large a share (of the
    largest of the method's knobs) comes up in more than one of twenty shuffles of the trials' values. NaN is "not
    known", not "does not matter". The search looks longer where it was good, so trials are no random sample: a share
    describes this search.
    """
    found: list[Knob] = []
    for method in dict.fromkeys(t.method for t in trials):
        own = [t for t in trials if t.method == method]
        names = list(dict.fromkeys(name for t in own for name in t.values))
        columns = {name: [t.values.get(name) for t in own] for name in names}
        told = shares(columns, [t.value for t in own])
        for name in names:
            low, high = interval(told[name], len(own), degrees(columns[name]))
            found.append(Knob(method=method, knob=name, share=told[name], low=low, high=high))
    return tuple(found)


def shares(columns: Mapping[str, Sequence[Any]], values: Sequence[float], *, seed: int = 0) -> dict[str, float]:
    """Share of each column in the variance of the ranks of the values; NaN where chance would do as well.

    >>> shares({"lr": [1, 2, 3, 4, 5, 6, 7, 8]}, [0.1, 0.3, 0.5, 0.7, 0.7, 0.5, 0.3, 0.2])["lr"] > 0.8
    True
    """
    from scipy.stats import rankdata

    told = dict.fromkeys(columns, math.nan)
    if len(values) < LEAST:
        return told
    ranks = rankdata([v if math.isfinite(v) else -math.inf for v in values])
    spaces = {name: space for name, column in columns.items() if (space := _space(column)) is not None}
    if not spaces or np.ptp(ranks) == 0:
        return told
    centred = ranks - ranks.mean()
    shuffled = np.random.default_rng(seed).permuted(np.tile(centred, (SHUFFLES, 1)), axis=1)
    by_chance = np.stack([_adjusted(space, shuffled) for space in spaces.values()]).max(0)
    for name, space in spaces.items():
        share = float(_adjusted(space, centred[None])[0])
        if (1 + (by_chance >= share - 1e-12).sum()) / (SHUFFLES + 1) <= LEVEL:
            told[name] = share
    return told


def _space(column: Sequence[Any]) -> np.ndarray | None:
    """An orthonormal basis of the curves through a knob, without the constant; None where the knob explains nothing."""
    from scipy.stats import rankdata

    if any(isinstance(v, str) or v is None for v in column):
        words = sorted({str(v) for v in column})
        design = np.array([[str(v) == word for word in words[1:]] for v in column], dtype=float)
    else:
        ranks = rankdata(np.asarray(column, dtype=float))
        ranks = ranks - ranks.mean()
        design = np.stack([ranks, ranks**2], 1)
    if not design.size:
        return None
    basis, scale, _ = np.linalg.svd(design - design.mean(0), full_matrices=False)
    basis = basis[:, scale > 1e-9 * max(scale[0], 1e-300)]
    return basis if scale[0] > 1e-9 and basis.shape[1] < len(column) - 1 else None


def _adjusted(space: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Adjusted R² of each row of centred values."""
    n, k = space.shape
    unexplained = 1 - ((rows @ space) ** 2).sum(1) / (rows**2).sum(1)
    return 1 - unexplained * (n - 1) / (n - k - 1)


def degrees(column: Sequence[Any]) -> int:
    """How many numbers a knob's curve has, besides the constant."""
    space = _space(column) if len(column) >= LEAST else None
    return 0 if space is None else space.shape[1]


def interval(share: float, trials: int, degrees: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """An interval of a share, from the noncentral F distribution of the R² that it was made of (Steiger and Fouladi, 1992).

    Wide for few trials, as it should be. NaN for a share that is not known.

    >>> [round(end, 2) for end in interval(0.7, 12, 2)]
    [0.23, 0.85]
    """
    from scipy.optimize import brentq
    from scipy.stats import ncf

    if not math.isfinite(share):
        return math.nan, math.nan
    if share >= 1:
        return 1.0, 1.0
    left = trials - degrees - 1
    unexplained = (1 - share) * left / (trials - 1)
    ratio = (1 - unexplained) / degrees * left / unexplained

    def end(level: float) -> float:
        def gap(noise: float) -> float:
            return float(ncf.cdf(ratio, degrees, left, noise)) - level

        if gap(1e-9) < 0:
            return 0.0
        top = 10.0
        while gap(top) > 0 and top < 1e6:
            top *= 4
        found = float(brentq(gap, 1e-9, top)) if top < 1e6 else top  # type: ignore[arg-type]
        return found / (found + trials)

    return end((1 + confidence) / 2), end((1 - confidence) / 2)

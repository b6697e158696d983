"""Runs that differ by their seed: what training once more would change."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def t_interval(values: Float[Tensor, " s"], confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of the runs; NaN for one run.

    >>> low, high = t_interval(torch.tensor([0.50, 0.52, 0.54]))
    >>> round(low, 4), round(high, 4)
    (0.4703, 0.5697)
    """
    if len(values) < 2:
        return math.nan, math.nan
    values = values.double()
    reach = quantile(len(values) - 1, (1 + confidence) / 2) * float(values.std()) / len(values) ** 0.5
    return float(values.mean()) - reach, float(values.mean()) + reach


def quantile(freedom: float, share: float) -> float:
    """Student's t below which this share lies."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def drawn_mean(means: Float[Tensor, "b s"], *, seed: int) -> Float[Tensor, " b"]:
    """In each row, the mean of columns drawn with replacement: the second stage of a bootstrap of classes and seeds.

    `means[b]` are the means of s runs in the b-th drawn set of classes (`group_means`). s − 1 of them are drawn, which
    makes the variance that of the mean of s; with s draws it would be too small by (s − 1)/s (Rao and Wu, JASA 1988).
    One run stays as it is.
    """
    rows, runs = means.shape
    if runs < 2:
        return means[:, 0]
    generator = torch.Generator().manual_seed(seed)
    return means.gather(1, torch.randint(runs, (rows, runs - 1), generator=generator)).mean(1)


def student(difference: float, sources: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """p value, two-sided, of a difference whose error has several independent sources; and the error and its freedom.

    Each source is the variance it adds, and its degrees of freedom. The variances add up, and the freedom is
    Satterthwaite's: (Σ v)² / Σ v²/ν. One source is the t test; two are Welch's. No variance at all gives p = 1 for no
    difference, else 0; no source, or one of unknown variance, NaN.

    >>> p, error, freedom = student(2.0, [(0.5, 9), (0.5, 9)])
    >>> round(p, 4), error, freedom
    (0.0608, 1.0, 18.0)
    """
    total = sum(variance for variance, _ in sources) if sources else math.nan
    if not total > 0:
        return float(difference == 0) if total == 0 else math.nan, total, math.nan
    from scipy.special import stdtr

    freedom = total**2 / sum(variance**2 / own for variance, own in sources)
    return float(2 * stdtr(freedom, -abs(difference) / total**0.5)), total**0.5, freedom

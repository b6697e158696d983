"""Thresholds that a new group exceeds no more often than asked, from groups of scores seen before.

Scores of one group (the pictures of a class) are dependent; groups are exchangeable. A quantile of all scores pooled takes
them for independent, and promises what it does not keep. Here each of n groups weighs the same, and its scores share its
weight. With share_j(t) the share of group j at or above t:

- on average over draws of groups: Σ_j share_j(t) ≤ rate (n + 1) − 1 gives P(a score of a new group ≥ t) ≤ rate (Lee, Barber
  and Willett, "Distribution-free inference with hierarchical data", 2023; Dunn, Wasserman and Ramdas, JASA 2022);
- with stated confidence over draws, groups being independent: Σ_j share_j(t) ≤ b, where b is the largest sum that a mean above
  `rate` stays below with a chance of at most 1 − confidence. With one score a group that is the binomial tail (Vovk,
  "Conditional validity of inductive conformal predictors", 2012); else the better of Hoeffding's and Bentkus's bounds
  (Bates et al., "Distribution-free, risk-controlling prediction sets", JACM 2021).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

ROUNDING = 1e-9  # of sums of shares, in groups


class TooFew(ValueError):
    """There are too few groups for the rate. `smallest`: the smallest rate that can be had of them."""

    def __init__(self, message: str, smallest: float) -> None:
        super().__init__(message)
        self.smallest = smallest


@dataclass(frozen=True)
class Tail:
    """How many groups lie at or above a score, each counted by the share of its own scores that do.

    Attributes:
        scores: distinct scores, falling.
        total: Σ_j share_j at each: never falling, at most `groups`.
        groups: how many groups there are. single: whether each has one score.
    """

    scores: Float[Tensor, " s"]
    total: Float64[Tensor, " s"]
    groups: int
    single: bool = False

    @classmethod
    def of(cls, scores: Float[Tensor, " n"], group: Int[Tensor, " n"]) -> "Tail":
        """From scores and the number of each one's group.

        >>> Tail.of(torch.tensor([0.9, 0.1, 0.5, 0.5]), torch.tensor([3, 3, 7, 7])).total.tolist()
        [0.5, 1.5, 2.0]
        """
        if not bool(scores.isfinite().all()):
            raise ValueError("Scores are finite numbers: is an embedding NaN, or the gallery empty?")
        own, size = torch.unique(group, return_inverse=True, return_counts=True)[1:]
        value, place = scores.unique(return_inverse=True)
        share = torch.zeros(len(value), dtype=torch.float64, device=scores.device)
        share.index_add_(0, place, 1 / size[own].double())
        return cls(value.flip(0), share.flip(0).cumsum(0), len(size), bool((size == 1).all()))

    def at(self, score: Float[Tensor, " q"]) -> Float64[Tensor, " q"]:
        """Σ_j share_j at or above each score.

        >>> Tail.of(torch.tensor([0.9, 0.1]), torch.tensor([0, 1])).at(torch.tensor([1.0, 0.9, 0.5, 0.1])).tolist()
        [0.0, 1.0, 1.0, 2.0]
        """
        before = torch.searchsorted(-self.scores, -score, right=True)
        return torch.nn.functional.pad(self.total, (1, 0))[before]

    def p(self, score: Float[Tensor, " q"]) -> Float64[Tensor, " q"]:
        """(1 + Σ_j share_j) / (n + 1): a score of a new group has p ≤ u with a chance of at most u, for every u."""
        return ((1 + self.at(score)) / (self.groups + 1)).clamp_max(1)

    def threshold(self, budget: float) -> float:
        """The lowest number from which on Σ_j share_j ≤ budget: just above a score, in its precision; −inf if all may pass.

        >>> tail = Tail.of(torch.tensor([0.75, 0.5, 0.25]), torch.arange(3))
        >>> tail.threshold(0), tail.threshold(1) > 0.5, tail.threshold(3)
        (0.7500000596046448, True, -inf)
        """
        return float(self.thresholds(torch.tensor([budget], dtype=torch.float64)))

    def thresholds(self, budgets: Float64[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The same for several."""
        end = self.scores.new_full((1,), -math.inf)
        above = torch.cat([self.scores, end])[torch.searchsorted(self.total, budgets + ROUNDING, right=True)]
        return torch.where(above.isfinite(), torch.nextafter(above, -end), above)

    def thinned(self, keep: int, at: float = math.inf) -> "Tail":
        """At most about `keep` steps, the highest as they are; others are joined upwards, so p never shrinks.

        No step reaches from above a threshold `at` to below it, so p of what passes stays where it was or below p at `at`.
        """
        n = len(self.scores)
        if n <= keep:
            return self
        head = torch.arange(keep // 2)
        rest = torch.logspace(math.log10(keep // 2), math.log10(n - 1), keep - len(head), dtype=torch.float64).round()
        passed = (self.scores >= at).sum()[None] - 1
        last = torch.cat([head, rest.long(), passed[passed >= 0]]).clamp_max(n - 1).unique()
        first = torch.cat([last[:1] * 0, last[:-1] + 1])
        return Tail(self.scores[first], self.total[last], self.groups, self.single)


def budget(tail: Tail, rate: float, confidence: float | None = None) -> float:
    """How large Σ_j share_j may be at a threshold for this rate; see the module.

    Raises:
        TooFew: where not even a threshold above all scores would do.
        ValueError: for a rate or a confidence outside (0, 1).
    """
    n = tail.groups
    if not 0 < rate < 1:
        raise ValueError(f"A false-match rate lies between 0 and 1; got {rate}.")
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(f"A confidence lies between 0 and 1; got {confidence}.")
    allowed = rate * (n + 1) - 1 if confidence is None else _with_confidence(n, rate, confidence, tail.single)
    if allowed < -ROUNDING:
        least = smallest_rate(n, confidence)
        sure = "" if confidence is None else f" with confidence {confidence:g}"
        raise TooFew(
            f"A false-match rate of {rate:g}{sure} takes {groups_for(rate, confidence):,} held-out classes, and there are "
            f"{n:,}: bring more, or ask for {_up(least)} or above.",
            least,
        )
    return max(allowed, 0.0)


def smallest_rate(groups: int, confidence: float | None = None) -> float:
    """The smallest rate that so many groups can promise: 1 / (n + 1), or 1 − (1 − confidence)^(1/n).

    >>> smallest_rate(99), round(smallest_rate(99, 0.95), 4)
    (0.01, 0.0298)
    """
    if confidence is None or not groups:
        return 1 / (groups + 1)
    return -math.expm1(math.log1p(-confidence) / groups)


def groups_for(rate: float, confidence: float | None = None) -> int:
    """The smallest number of groups that can promise a rate.

    >>> groups_for(0.01), groups_for(0.01, 0.95)
    (99, 299)
    """
    if confidence is None:
        return math.ceil(1 / rate - 1 - 1e-9)
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate) - 1e-9)


def _with_confidence(n: int, rate: float, confidence: float, single: bool) -> float:
    """The largest sum of n shares that is too small to be seen with a chance above 1 − confidence where the mean exceeds `rate`;
    −1 where even 0 is not.
    """
    from scipy.stats import binom

    miss = 1 - confidence
    if n * math.log1p(-rate) > math.log(miss) + ROUNDING:
        return -1.0
    factor = 1.0 if single else math.e
    count = int(binom.ppf(miss / factor, n, rate))  # the first with P(Bin ≤ count) ≥ miss / factor
    count -= int(binom.cdf(count, n, rate) > miss / factor)
    if single:
        return float(max(count, 0))
    return max(float(count), n * _chernoff(rate, -math.log(miss) / n))


def _chernoff(rate: float, divergence: float) -> float:
    """The mean below `rate` that is so far from it: the largest m with KL(m ‖ rate) ≥ `divergence`, by halving; 0 if none is."""
    low, high = 0.0, rate
    for _ in range(100):
        mean = (low + high) / 2
        found = mean * math.log(mean / rate) if mean else 0.0
        found += (1 - mean) * math.log((1 - mean) / (1 - rate))
        low, high = (mean, high) if found >= divergence else (low, mean)
    return low


def _up(rate: float) -> str:
    """A rate in three digits, rounded up.

    >>> _up(1 / 18), _up(0.25)
    ('0.0556', '0.25')
    """
    unit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return f"{math.ceil(rate / unit - 1e-6) * unit:.3g}"

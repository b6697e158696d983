"""Verification: two items are taken to be of one class where their similarity reaches a threshold.

Measured over all pairs of a query and a gallery item of known labels and different ids; where every item searches all
others each pair counts once, in one direction. The figures are those of sorting all pairs (equal scores are one step of
the ROC), from counts that are streamed. Terms: ISO/IEC 19795-1 (FMR, FNMR); FAR = FMR, TAR = 1 − FNMR.
"""

import math
import warnings
from collections.abc import Callable

import torch

from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import roc
from isometry.ops.jackknife import jackknife
from isometry.ops.pair_counts import Counted, Pairs, all_pairs, counted, genuine_scores

LEAST, MOST = 10, 32  # groups of classes that are left out in turn
ITEMS = 512  # of a group, at least, where there are more groups than the least


class AUROC(Statistic):
    """The chance that a genuine pair is more similar than an impostor pair: area under the ROC; 0.5 is chance.

    P(s⁺ > s⁻) + ½ P(s⁺ = s⁻), over all genuine pairs s⁺ (of one class) and impostor pairs s⁻. In [0, 1]. It weighs all
    thresholds alike, and most of them accept far too much to be of use: two spaces of equal AUROC may differ a lot in
    `TAR(far=0.001)`. Classes count by the number of their pairs, so large ones dominate.

    Exact where the distinct scores of genuine pairs fit in the memory (a million in 512 MB); beyond that the scores
    of an even sample cut the others into groups that count as equal, and a warning says how much that can matter where
    it is more than 1e-6. The interval is a jackknife that leaves out groups of classes, with all pairs that touch them,
    one after the other (10 to 32, or as many as classes): it says how much the figure hangs on which classes there
    are. NaN for label sets, which share labels across groups, and where a group holds all pairs of a kind.

    >>> roc.auroc(roc.steps(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))).value
    0.875
    """

    def measure(self, space: Space) -> Estimate:
        return _to_a_bound(repr(self), space, roc.auroc)


class AveragePrecisionOfPairs(Statistic):
    """How pure the most similar pairs of all are: average precision of genuine pairs in one ranking of all pairs.

    Σ_t (R_t − R_{t−1}) P_t over thresholds t, falling: P_t is the share of genuine pairs among those accepted, R_t the
    share of genuine pairs that are accepted; equal scores are one step, nothing is interpolated. In [0, 1]; chance is
    the share of genuine pairs, which is tiny where classes are many, so values of different data do not compare. Unlike
    `MAP()`, which ranks for each query apart, it asks for one threshold that suits all classes.

    Exact, or bounded, as `AUROC()`; its interval too.

    >>> roc.average_precision(roc.steps(torch.tensor([0.9, 0.5]), torch.tensor([0.7, 0.1]))).value
    0.833...
    """

    def measure(self, space: Space) -> Estimate:
        return _to_a_bound(repr(self), space, roc.average_precision)


class VerificationAccuracy(Statistic):
    """How well the best single threshold parts genuine from impostor pairs, both kinds weighing the same.

    max_t (TAR(t) + 1 − FAR(t)) / 2, in [0.5, 1]; 0.5 is chance. Balanced, because impostor pairs outnumber genuine ones
    so far that refusing all of them would score nearly 1. The threshold is chosen on the pairs it is scored on, which is
    optimistic: accuracy on folds that did not choose it is `protocols.verification`.

    Exact, or bounded, as `AUROC()`; its interval too.

    >>> roc.best_accuracy(roc.steps(torch.tensor([0.9, 0.5]), torch.tensor([0.7, 0.1]))).value
    0.75
    """

    def measure(self, space: Space) -> Estimate:
        return _to_a_bound(repr(self), space, roc.best_accuracy)


class EER(Statistic):
    """The rate of error of the threshold that refuses genuine pairs as often as it accepts impostors; 0.5 is chance.

    FAR(t) = FNMR(t), where the ROC meets the line TAR = 1 − FAR. Between two corners of the ROC the line that joins them
    is followed, so ties (and a step over the crossing) give a value that no single threshold attains. In [0, 1], smaller
    is better.

    Exact. The interval is that of `AUROC()`.

    >>> roc.eer(roc.steps(torch.tensor([0.9, 0.8, 0.5]), torch.tensor([0.7, 0.2, 0.1]))).value
    0.333...
    """

    def measure(self, space: Space) -> Estimate:
        return _with_interval(space, _exact(space, roc.eer).value, roc.eer)


class TAR(Statistic):
    """The share of genuine pairs that is accepted by a threshold that lets through at most so many impostor pairs.

    max TAR(t) over all thresholds t with FAR(t) ≤ far. In [0, 1]. Equal scores are accepted together or not at all, so a
    collapsed model scores 0. Nothing is interpolated.

    Exact. The interval is that of `AUROC()`.

    Raises:
        ValueError: where `far` is less than one of the impostor pairs there are: the data cannot measure it.

    >>> roc.tar_at(roc.steps(torch.tensor([0.9, 0.5]), torch.tensor([0.7, 0.6])), 0.5).value
    0.5
    """

    far: float = 1e-3

    def measure(self, space: Space) -> Estimate:
        return _tar(space, self.far)


class FNMR(Statistic):
    """The share of genuine pairs that is refused by a threshold that lets through at most so many impostor pairs.

    min FNMR(t) over all thresholds t with FMR(t) ≤ fmr: 1 − `TAR(far=fmr)`, in the terms of ISO/IEC 19795-1. In [0, 1],
    smaller is better; a collapsed model scores 1. Published code differs: a quantile of impostor scores, interpolated,
    taken as the threshold lets through more than `fmr` where scores tie.

    Exact. The interval is that of `AUROC()`.

    Raises:
        ValueError: where `fmr` is less than one of the impostor pairs there are: the data cannot measure it.

    >>> 1 - roc.tar_at(roc.steps(torch.tensor([0.9, 0.5]), torch.tensor([0.7, 0.6])), 0.5).value
    0.5
    """

    fmr: float = 1e-3

    def measure(self, space: Space) -> Estimate:
        tar = _tar(space, self.fmr)
        return Estimate(1 - tar.value, 1 - tar.high, 1 - tar.low)


def pair_counts(space: Space) -> tuple[Pairs, Counted]:
    """The pairs of a space, and what a falling threshold accepts of them; one pass for all statistics.

    Raises:
        ValueError: where labels are neither classes nor label sets.
    """
    if space.y.is_floating_point() or (space.y.ndim == 2 and space.y.dtype != torch.bool):
        raise ValueError(
            "Pairs are genuine or impostors where labels are classes, int64 [n], or label sets, bool [n L]; "
            f"got {str(space.y.dtype)[6:]} {list(space.y.shape)}."
        )
    return space.once("pairs", lambda: _counted(space))


def _counted(space: Space) -> tuple[Pairs, Counted]:
    q = space.embed(space.z[space.query])
    against = None
    if not space.searches_itself:
        at = space.gallery
        against = (space.embed(space.z[at]), space.y[at], space.ids[at])
    groups = min(MOST, max(LEAST, len(space.z) // ITEMS)) if space.samples else 1
    pairs = all_pairs(
        q, space.y[space.query], space.ids[space.query], against, space.compare, space.memory, groups=groups,
        seed=space.seed,
    )  # fmt: skip
    return pairs, counted(pairs, genuine_scores(pairs))


def _exact(space: Space, read: Callable[[roc.Steps], roc.Reading]) -> roc.Reading:
    """A figure that hangs on one step; scores about it are counted again for as long as they are not told apart."""
    pairs, found = pair_counts(space)
    reading = read(found.steps)
    while reading.gap is not None:
        low, high = reading.gap
        ends = torch.tensor([low, high], device=pairs.q.device)
        inside = genuine_scores(pairs, low, high)
        reading = read(counted(pairs, torch.cat([ends[ends.isfinite()], inside]).unique()).steps)
        if reading.gap == (low, high):
            break
    return reading


def _to_a_bound(name: str, space: Space, read: Callable[[roc.Steps], roc.Reading]) -> Estimate:
    reading = read(pair_counts(space)[1].steps)
    if reading.error > 1e-6:
        warnings.warn(
            f"{name} is known to ± {reading.error:.1g} only: the genuine pairs do not fit in {space.memory}. "
            "Give more memory.",
            stacklevel=3,
        )
    return _with_interval(space, reading.value, read)


def _with_interval(space: Space, value: float, read: Callable[[roc.Steps], roc.Reading]) -> Estimate:
    """By leaving out groups of classes; the figure is a share, so the interval ends at 0 and 1."""
    without = pair_counts(space)[1].without
    whole = all(found.genuine.any() and found.impostor.any() for found in without)
    rates = torch.tensor([read(found).value if whole else math.nan for found in without])
    low, high = jackknife(value, rates, space.confidence)
    return Estimate(value, max(low, 0.0), min(high, 1.0)) if low <= high else Estimate(value)


def _tar(space: Space, far: float) -> Estimate:
    value = _exact(space, lambda found: roc.tar_at(found, far)).value
    return _with_interval(space, value, lambda found: roc.largest_tar(found, far))

"""Error rates of accepting pairs by a threshold, from counts: exact, with ties as one step.

A pair is accepted where its score is at least the threshold. As the threshold falls, pairs are accepted a step at a
time: equal scores together, so a threshold cannot part them. FAR (also FMR) is the share of impostor pairs that are
accepted, TAR that of genuine pairs, FNMR = 1 − TAR; (FAR, TAR) after each step, joined by lines, is the ROC
(Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Steps:
    """What is accepted as the threshold falls.

    Attributes:
        low, high: the scores of each step, falling: equal where it is one score; else all scores between the two.
        genuine, impostor: how many pairs each step accepts; never both 0.
    """

    low: Float[Tensor, " s"]
    high: Float[Tensor, " s"]
    genuine: Int[Tensor, " s"]
    impostor: Int[Tensor, " s"]

    @classmethod
    def of(cls, edges: Float[Tensor, " k"], genuine: tuple[Tensor, Tensor], impostor: tuple[Tensor, Tensor]) -> "Steps":
        """From rising edges and counts: at the edges `[k]`, and below each and above the last `[k + 1]`."""
        end = edges.new_tensor([math.inf])
        low = _woven(torch.cat([-end, edges]), edges)
        high = _woven(torch.cat([edges, end]), edges)
        counts = [_woven(between, at) for at, between in (genuine, impostor)]
        some = (counts[0] + counts[1] > 0).nonzero().squeeze(1)
        return cls(low[some].cpu(), high[some].cpu(), counts[0][some].cpu(), counts[1][some].cpu())

    def accepted(self) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
        """Genuine and impostor pairs accepted before the first step, and after each."""
        pad = torch.nn.functional.pad
        return pad(self.genuine.cumsum(0), (1, 0)), pad(self.impostor.cumsum(0), (1, 0))

    def rates(self) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
        """FAR and TAR, before the first step and after each: the corners of the ROC; float64.

        Raises:
            ValueError: where there are no genuine or no impostor pairs.
        """
        genuine, impostor = self.accepted()
        for kind, rule, count in (("genuine", "of one label", genuine), ("impostor", "of different labels", impostor)):
            if not count[-1]:
                raise ValueError(f"There is no {kind} pair (two known items {rule}), so there are no rates of error.")
        return impostor.double() / impostor[-1], genuine.double() / genuine[-1]

    def open(self) -> Bool[Tensor, " s"]:
        """Where a step is of several scores and both kinds, so that their order within it is not known."""
        return (self.low < self.high) & (self.genuine > 0) & (self.impostor > 0)


@dataclass(frozen=True)
class Reading:
    """A figure read off the steps.

    Attributes:
        value: the figure.
        threshold: accepting from this score on attains it, or stays below it; +inf where nothing is accepted, NaN where
            no threshold belongs to it.
        gap: the scores between which steps must be told apart for `value` to be exact; None where it is.
        error: how far off `value` can be because steps are not told apart.
    """

    value: float
    threshold: float = math.nan
    gap: tuple[float, float] | None = None
    error: float = 0.0


def steps(genuine: Float[Tensor, " p"], impostor: Float[Tensor, " q"]) -> Steps:
    """The steps of scores that are at hand, every score one of its own.

    >>> steps(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1])).genuine
    tensor([1, 1, 0])
    """
    edges, code = torch.cat([genuine, impostor]).unique(return_inverse=True)
    none = torch.zeros(len(edges) + 1, dtype=torch.int64, device=edges.device)
    at = [torch.bincount(c, minlength=len(edges)) for c in (code[: len(genuine)], code[len(genuine) :])]
    return Steps.of(edges, (at[0], none), (at[1], none))


def auroc(found: Steps) -> Reading:
    """Area under the ROC: P(genuine > impostor) + ½ P(equal)."""
    far, tar = found.rates()
    doubt = (far.diff() * tar.diff())[found.open()].sum() / 2
    return Reading(float(torch.trapezoid(tar, far)), error=float(doubt))


def average_precision(found: Steps) -> Reading:
    """Σ over steps of (genuine of the step / all genuine) · (genuine / all accepted after the step)."""
    _, tar = found.rates()
    genuine, impostor = (count.double() for count in found.accepted())
    after = genuine[1:] / (genuine[1:] + impostor[1:])
    value = float(tar.diff() @ after)
    at = found.open().nonzero().squeeze(1)
    best = genuine[at + 1] / (genuine[at + 1] + impostor[at])
    worst = (genuine[at] + 1) / (genuine[at] + 1 + impostor[at + 1])
    doubt = tar.diff()[at] @ torch.maximum(best - after[at], after[at] - worst)
    return Reading(value, error=float(doubt))


def best_accuracy(found: Steps) -> Reading:
    """The largest (TAR + 1 − FAR) / 2 of any threshold; the highest threshold where several share it."""
    far, tar = found.rates()
    value = (tar - far + 1) / 2
    best = int(value.argmax())
    beyond = ((tar[1:] - far[:-1] + 1) / 2 - value[best])[found.open()]
    error = float(beyond.max().clamp_min(0)) if len(beyond) else 0.0
    return Reading(float(value[best]), _threshold(found, tar, best), error=error)


def tar_at(found: Steps, far: float) -> Reading:
    """The largest TAR of any threshold whose FAR is at most `far`. The threshold is the lowest genuine score accepted.

    Raises:
        ValueError: where `far` is not a rate, or is below one impostor pair in all.
    """
    measurable(far, int(found.impostor.sum()), "impostor pairs")
    return largest_tar(found, far)


def largest_tar(found: Steps, far: float) -> Reading:
    """The same, also where one impostor pair is more than `far`."""
    shares, tar = found.rates()
    last = int((shares <= far).sum()) - 1
    gap = _gap(found, last) if last < len(found.low) and found.open()[last] else None
    return Reading(float(tar[last]), _threshold(found, tar, last), gap)


def eer(found: Steps) -> Reading:
    """Where FAR = FNMR: on the line between the two corners of the ROC about it.

    The threshold is the lowest genuine score at which FAR is still at most FNMR.
    """
    far, tar = found.rates()
    over = far + tar - 1  # FAR − FNMR, never falling
    step = max(int(torch.searchsorted(over, 0.0)) - 1, 0)
    share = float(-over[step] / (over[step + 1] - over[step]))
    value = float(far[step] + share * (far[step + 1] - far[step]))
    threshold = _threshold(found, tar, int((over <= 0).sum()) - 1)
    return Reading(value, threshold, _gap(found, step) if found.open()[step] else None)


def measurable(far: float, count: int, what: str) -> None:
    """Refuses a rate that so many cannot tell from 0.

    Raises:
        ValueError: where `far` is not in (0, 1], or below 1 / count.
    """
    if not 0 < far <= 1:
        raise ValueError(f"A rate of false accepts lies above 0 and is at most 1; got {far}.")
    if far < 1 / max(count, 1):
        raise ValueError(
            f"A rate of {far:g} is less than one of {count:,} {what}, so these data cannot measure it: "
            f"ask for {1 / max(count, 1):.2g} or more, or bring more data."
        )


def _threshold(found: Steps, tar: Tensor, corner: int) -> float:
    """The lowest genuine score that is accepted at this corner: it leads to the first corner of equal TAR."""
    first = int(torch.searchsorted(tar, tar[corner]))
    return float(found.low[first - 1]) if first else math.inf


def _gap(found: Steps, step: int) -> tuple[float, float]:
    return float(found.low[step]), float(found.high[step])


def _woven(between: Tensor, at: Tensor) -> Tensor:
    """between[k], at[k−1], between[k−1], … at[0], between[0]."""
    woven = between.new_empty(len(between) + len(at))
    woven[0::2], woven[1::2] = between, at
    return woven.flip(0)

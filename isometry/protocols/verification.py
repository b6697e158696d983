"""Verification from a list of pairs: same or different, by a threshold on similarity, on folds that did not choose it.

The protocol of Labeled Faces in the Wild (Huang et al., UMass Amherst 07-49, 2007): the threshold that is best on nine
folds is tried on the tenth, ten times. Published code chooses it from the grid 0, 0.01, … 3.99 of squared distances of
unit vectors (`grid_accuracy`); `Verification.accuracy` takes the exact best, which no grid can miss. Flips and other
views of a picture are the caller's: `verify(z + z_of_the_mirrored, pairs)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.data.pairs import Pairs
from isometry.ops import roc
from isometry.ops.ranking import inner, minus_distance
from isometry.protocols.retrieval import geometry
from isometry.protocols.sides import side, tensor
from isometry.similarities import cosine

ROWS = 1024  # pairs scored at once
BLOCK = 64  # the same, by a similarity that can but compare all of one side with all of the other
FOLDS = 10


@dataclass(frozen=True)
class Folds:
    """Accuracy on each fold, at the threshold that the other folds chose.

    Attributes:
        accuracy: share of the fold's pairs that are told right.
        threshold: what was tried on the fold.
    """

    accuracy: Float[Tensor, " k"]
    threshold: Float[Tensor, " k"]

    @property
    def mean(self) -> float:
        """Mean over the folds: the accuracy that is published."""
        return float(self.accuracy.mean())

    @property
    def std(self) -> float:
        """Standard deviation over the folds, divided by their number: what published code prints behind ±."""
        return float(self.accuracy.std(correction=0))

    @property
    def standard_error(self) -> float:
        """Of the mean: sample deviation / √folds, what the protocol of Labeled Faces in the Wild asks for."""
        return float(self.accuracy.std()) / len(self.accuracy) ** 0.5

    def __repr__(self) -> str:
        return f"{self.mean:.4f} ± {self.std:.4f}"


@dataclass(frozen=True)
class Verification:
    """Scores of pairs, and what a threshold on them is worth.

    Attributes:
        score: similarity of each pair, larger is closer.
        same: whether the pair is genuine.
        fold: the fold of each pair.
    """

    score: Float[Tensor, " p"]
    same: Bool[Tensor, " p"]
    fold: Int64[Tensor, " p"]

    @cached_property
    def steps(self) -> roc.Steps:
        """What is accepted as the threshold falls; `steps.rates()` is the ROC: FAR and TAR at its corners."""
        return roc.steps(self.score[self.same], self.score[~self.same])

    @property
    def auroc(self) -> float:
        """Area under the ROC."""
        return roc.auroc(self.steps).value

    @property
    def eer(self) -> float:
        """The rate of error where FAR = FNMR."""
        return roc.eer(self.steps).value

    def tar(self, far: float) -> float:
        """The largest share of genuine pairs accepted by any threshold whose FAR is at most `far`.

        Published code averages over folds, at thresholds interpolated on the other folds, which may pass `far`.

        Raises:
            ValueError: where `far` is less than one of the impostor pairs.
        """
        return roc.tar_at(self.steps, far).value

    def threshold(self, far: float) -> float:
        """The lowest genuine score that this accepts: a pair is taken to be the same from there on."""
        return roc.tar_at(self.steps, far).threshold

    @cached_property
    def accuracy(self) -> Folds:
        """On each fold, at the threshold that is exactly best on the others.

        It lies halfway between two scores; the strictest where several are as good.
        """
        return _on_folds(self.score, self.same, self.fold, _best, torch.ge)


@torch.no_grad()
def verify(z: Any, pairs: Pairs, *, similarity: Any = cosine) -> Verification:
    """How well similarity tells same from different on a list of pairs.

    Args:
        z: embeddings `[n d]` of the items that the pairs point to.
        pairs: without folds, they are cut into ten of consecutive pairs, as published lists are ordered.
        similarity: of the catalogue, its text, or any `(z, r) -> [n m]`.

    >>> z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
    >>> left, right = torch.tensor([0, 2, 0, 1]), torch.tensor([1, 3, 3, 2])
    >>> same, fold = torch.tensor([True, True, False, False]), torch.tensor([0, 1, 0, 1])
    >>> found = verify(z, Pairs(left, right, same, fold))
    >>> found.accuracy, found.eer, found.tar(far=0.5)
    (1.0000 ± 0.0000, 0.0, 1.0)

    Raises:
        ValueError: for embeddings that are not finite `[n d]`, pairs that point outside them, or fewer than two folds.
    """
    z, fold = _inputs(z, pairs)
    embed, compare = geometry(similarity)
    if compare in (inner, minus_distance):  # they take a batch of one row each
        score = _scores(embed(z.float()), pairs, lambda q, r: compare(q[:, None], r[:, None]).flatten(), ROWS).float()
    else:
        score = _scores(embed(z.float()), pairs, lambda q, r: compare(q, r).diagonal(), BLOCK).float()
    if score.isnan().any():
        raise ValueError("The similarity of some pair is NaN; it must be a number for any two finite embeddings.")
    return Verification(score, pairs.same.cpu(), fold)


@torch.no_grad()
def grid_accuracy(z: Any, pairs: Pairs) -> Folds:
    """Accuracy on folds as published code has it: thresholds 0, 0.01, … 3.99 on squared distances of unit vectors.

    A pair is the same where ‖z/‖z‖ − r/‖r‖‖² < threshold, strictly; the smallest of equally good thresholds is taken.
    For figures that stand beside published ones; the grid costs a little where the best threshold lies between.
    Distances are of float64, as there.
    """
    z, fold = _inputs(z, pairs)
    unit = torch.nn.functional.normalize(z.double(), dim=1)
    distance = _scores(unit, pairs, lambda q, r: (q - r).square().sum(1), ROWS)
    found = _on_folds(-distance, pairs.same.cpu(), fold, _best_of_grid, torch.gt)
    return Folds(found.accuracy, -found.threshold)


def _scores(rows: Tensor, pairs: Pairs, each: Callable[[Tensor, Tensor], Tensor], size: int) -> Float[Tensor, " p"]:
    """What `each` says of the pairs, `size` at a time, in float64."""
    left, right = (index.to(rows.device).split(size) for index in (pairs.left, pairs.right))
    return torch.cat([each(rows[a].double(), rows[b].double()) for a, b in zip(left, right, strict=True)]).cpu()


def _on_folds(
    score: Tensor,
    same: Tensor,
    fold: Tensor,
    choose: Callable[[Tensor, Tensor], Tensor],
    accepts: Callable[..., Tensor],
) -> Folds:
    """Each fold, at the threshold chosen on the others."""
    right, thresholds, score = [], [], score.double()
    for this in fold.unique():
        rest, tested = fold != this, fold == this
        thresholds.append(choose(score[rest], same[rest]))
        right.append((accepts(score[tested], thresholds[-1]) == same[tested]).double().mean())
    return Folds(torch.stack(right), torch.stack(thresholds))


def _best(score: Tensor, same: Tensor) -> Tensor:
    """The threshold that tells most pairs right; halfway between scores, the highest of several."""
    found = roc.steps(score[same], score[~same])
    genuine, impostor = found.accepted()
    corner = int((genuine - impostor).argmax())
    ends = torch.cat([score.new_tensor([torch.inf]), found.low, score.new_tensor([-torch.inf])])
    return ends[corner : corner + 2].mean()


def _best_of_grid(score: Tensor, same: Tensor) -> Tensor:
    """As `_best`, among minus the published thresholds, which say "strictly closer"."""
    grid = -torch.arange(400, dtype=torch.float64) * 0.01
    above = [len(s) - torch.searchsorted(s.sort().values, grid, right=True) for s in (score[same], score[~same])]
    return grid[(above[0] - above[1]).argmax()]


def _inputs(z: Any, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Checked embeddings, and the fold of each pair."""
    z = tensor(z, "Embeddings")
    z = side("embeddings", z, torch.zeros(z.shape[:1], dtype=torch.int64), None).z
    count = len(pairs)
    if not count:
        raise ValueError("There is no pair to verify.")
    index = torch.cat([pairs.left, pairs.right])
    if int(index.min()) < 0 or int(index.max()) >= len(z):
        raise ValueError(
            f"Pairs point to items {int(index.min()):,} to {int(index.max()):,} and there are {len(z):,} embeddings: "
            "give one for each item that the pairs were read with, in that order."
        )
    size = torch.tensor([len(part) for part in torch.arange(count).tensor_split(FOLDS)])
    fold = torch.arange(FOLDS).repeat_interleave(size) if pairs.fold is None else pairs.fold.cpu()
    if len(fold.unique()) < 2:
        raise ValueError(f"{count:,} pairs in {len(fold.unique())} fold: the threshold is chosen on the other folds.")
    return z, fold

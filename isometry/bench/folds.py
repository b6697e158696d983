"""The division of a study: test classes that nothing touches, and folds of the training classes that validate in turn.

Musgrave et al. (ECCV 2020), "A metric learning reality check": half of the classes test; the others are cut into four
runs, each of which validates once while the other three train.
"""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from isometry.data import Data, Splits
from isometry.data.splits import class_parts, given_parts, hashes, image_parts, matches, overlap, shares, together

ALWAYS, TEST = -1, -2
"""What stands in `Division.fold` for images that train in every fold, and for the test part."""
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Division:
    """Who trains, who validates and who tests.

    Attributes:
        fold: for each image the fold in which it validates; `ALWAYS` or `TEST` for the others. count: how many folds.
        roles: whether the test part keeps the queries and the gallery that the data name. rule: in words.
    """

    fold: Int64[Tensor, " n"]
    count: int
    roles: bool
    rule: str

    @property
    def digest(self) -> str:
        """A hash of who is where."""
        return hashlib.sha256(self.fold.numpy().tobytes()).hexdigest()[:12]

    def positions(self, fold: int) -> tuple[Tensor, Tensor, Tensor]:
        """Where the training, validation and test images of a fold stand in the data.

        Raises:
            ValueError: for a fold that there is not.
        """
        if not 0 <= fold < self.count:
            raise ValueError(f"There is no fold {fold}: the study has folds 0 to {self.count - 1}.")
        train = (self.fold != fold) & (self.fold != TEST)
        return train.nonzero()[:, 0], (self.fold == fold).nonzero()[:, 0], (self.fold == TEST).nonzero()[:, 0]

    def splits(self, data: Data, fold: int) -> Splits:
        """The parts of a fold, as training takes them."""
        train, validation, _ = self.positions(fold)
        sides = {"train": _plain(data.select(train)), "validation": _plain(data.select(validation))}
        parts = {**sides, "test": self.test(data)}
        return Splits(**parts, rule=f"{self.rule}; fold {fold} validates", notes=tuple(overlap(parts)))

    def test(self, data: Data) -> Data:
        """The test part."""
        part = data.select(self.fold == TEST)
        return part if self.roles else _plain(part)


def divided(data: Data, count: int, windows: bool = False, by_item: bool = False) -> Division:
    """Cuts the classes of the training side into `count` folds that share none.

    The training side is all that the data's own parts, or else the rule of `isometry.data.split`, do not give to the
    test: a validation part that the data name is cut up with the rest. Classes with one image there, and images without
    a label, train in every fold, for nothing could be found for them.

    Args:
        windows: the classes in sorted order, cut into runs of equal length; else in the order of a hash of their names,
            so that the folds are alike, however the classes are sorted.
        by_item: data without classes are cut by image instead (continuous labels: nothing else holds images together).

    Raises:
        ValueError: for data without classes, with fewer than two for a fold, with test classes that are trained on, or
            with a test part without a match.
    """
    if not len(data.present()):
        if by_item:
            return items_divided(data, count, windows)
        raise ValueError(
            f"{data.name} has no classes: folds are cut by class. Give each image a label (or, for continuous ones, `relate`)."
        )
    if data.split is not None:
        parts, rule, own = given_parts(data, 0.25, SEED)
        rule = rule.partition(";")[0]
    else:
        parts, rule = class_parts(data, 0.25, 0.5, SEED)
        rule, own = _without_validation(rule), ()
    labels = data.labels.numpy()
    side = parts != "test"
    refuse_shared(data, labels[side], labels[~side])
    counts = np.bincount(labels[side & (labels >= 0)], minlength=len(data.classes))
    classes = np.flatnonzero(counts > 1)
    if len(classes) < 2 * count:
        raise ValueError(
            f"{count} folds need {2 * count} training classes with two images or more, and {data.name} has "
            f"{len(classes)}: give fewer folds, or more classes."
        )
    if not windows:
        classes = classes[np.argsort(hashes([data.classes[c] for c in classes], SEED), kind="stable")]
    of_class = np.full(len(data.classes) + 1, ALWAYS)  # the last entry is that of label −1
    of_class[classes] = np.arange(len(classes)) * count // len(classes)
    fold = torch.from_numpy(np.where(side, of_class[labels], TEST))
    how = "in sorted order" if windows else f"by the hash of the name (seed {SEED})"
    division = Division(
        fold=fold,
        count=count,
        roles="test" in own,
        rule=f"{rule}; {len(classes)} training classes in {count} folds that share none, {how}",
    )
    matches(division.test(data), "test")
    return division


def items_divided(data: Data, count: int, windows: bool = False) -> Division:
    """Cuts the images of the training side into `count` folds, by the hash of their names; `windows`: in their own order.

    Raises:
        ValueError: for parts without training or test images, or fewer than two images a fold.
    """
    if data.split is None:
        parts = np.where(image_parts(data, 0.25, 0.5, SEED)[0] == "test", "test", "train")
        rule = "by image (continuous labels have no classes): half of them test, by the hash of the name"
    else:
        parts, rule = np.array(data.split), f"the training and test parts that {data.name} names"
        parts[parts == ("validation" if (parts == "test").any() else "train")] = "train"
    side = parts == "train"
    at = np.flatnonzero(side)
    if side.all() or len(at) < 2 * count:
        raise ValueError(
            f"{count} folds need {2 * count} training images, and others to test; {data.name} has {len(at)} and {(~side).sum()}."
        )
    share = np.arange(len(at)) * count // len(at)
    if not windows:
        names = together(data)
        order, share = shares([names[i] for i in at], SEED, [-(-k * len(at) // count) for k in range(1, count)])
        at = at[order]
    fold = np.full(len(data), TEST)
    fold[at] = share
    how = "in their own order" if windows else f"by the hash of the name (seed {SEED})"
    return Division(
        fold=torch.from_numpy(fold),
        count=count,
        roles=data.split is not None and bool((np.array(data.split) == "test").any()),
        rule=f"{rule}; {len(at)} training images in {count} folds, {how}",
    )


def refuse_shared(data: Data, trained: np.ndarray, tested: np.ndarray) -> None:
    """Raises a ValueError where a class of the test is trained on: a study is of classes that no training saw."""
    classes = np.unique(tested[tested >= 0])
    if shared := int(np.isin(classes, trained).sum()):
        raise ValueError(
            f"{shared} of {len(classes)} test classes of {data.name} are trained on as well, and a study tests classes "
            "that no training saw: leave its split out, and classes are divided by rule, or give one by class."
        )


def _plain(data: Data) -> Data:
    """Every image looks for its like among all others."""
    return dataclasses.replace(data, is_query=None, is_gallery=None)


def _without_validation(rule: str) -> str:
    """What the rule says of the test part."""
    return rule.partition("; ")[0]

"""Category-based batches (Cakir, He, Xia, Kulis and Sclaroff, "Deep metric learning to rank", CVPR 2019)."""

from itertools import combinations
from typing import ClassVar

import numpy as np
from torch import Tensor

from isometry.samplers.batches import Batches, BatchSampler, Plan, random_keys


class CategoryBatches(BatchSampler):
    """Half of each batch comes from one category of classes and half from another: negatives of a row are mostly near ones.

    Labels are paths `[n levels]`, root first: the root is the category (bicycles, chairs, …) and the whole path the class.
    An epoch takes every pair of categories `batches_per_pair` times, in random order. A category walks through its
    classes in random order, each with its images in random order, so that a half holds whole classes but for those at its
    ends; at the end it begins again. Categories of few images come as often as others. Items whose path ends with −1 are
    left out.

    Defaults are the paper's batch of 256 and the official Matlab code's 5 batches a pair for Stanford Online Products (2 for
    In-Shop; its PyTorch port takes 10 and 4). Ranks take equal shares of every batch.

    >>> paths = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [1, 2], [1, 2], [1, 3], [1, 3], [2, 4], [2, 4]])
    >>> batches = CategoryBatches(batch_size=4, batches_per_pair=1).bind(paths)
    >>> len(batches), [len(set(paths[batch, 0])) for batch in batches]
    (3, [2, 2, 2])

    Raises:
        ValueError: (from `bind`) for labels that are no paths, or fewer than two categories.
    """

    batch_size: int = 256
    batches_per_pair: int = 5
    seed: int = 0
    reads: ClassVar[str] = "hierarchy"

    def __post_init__(self) -> None:
        if self.batch_size < 2 or self.batch_size % 2 or self.batches_per_pair < 1:
            raise ValueError(f"CategoryBatches wants an even batch_size and one batch a pair or more; got {self!r}.")

    def bind(self, labels: Tensor | np.ndarray, rank: int = 0, ranks: int = 1) -> Batches:
        """A torch batch sampler over items with these label paths `[n levels]`; `rank` takes its share of each."""
        labels = np.asarray(labels)
        if labels.ndim != 2 or labels.dtype.kind not in "iu":
            raise ValueError(
                f"CategoryBatches reads label paths [n levels], whole numbers; got {labels.dtype} {list(labels.shape)}."
            )
        if self.batch_size % ranks or not 0 <= rank < ranks:
            raise ValueError(
                f"{self} has {self.batch_size} images in a batch: they cannot be divided over {ranks} ranks."
            )
        return Batches(self.plan(labels), rank, ranks)

    def plan(self, labels: np.ndarray) -> Plan:
        known = np.flatnonzero(labels[:, -1] >= 0) if labels.shape[1] else np.arange(0)
        names, category = np.unique(labels[known, :1], axis=0, return_inverse=True)
        classes, owner = np.unique(labels[known], axis=0, return_inverse=True)
        if len(names) < 2:
            raise ValueError(
                f"{self!r} pairs categories, and these labels have {len(names)}: the first level tells them."
            )
        category, owner, half = category.reshape(-1), owner.reshape(-1), self.batch_size // 2
        pairs = np.repeat(np.array(list(combinations(range(len(names)), 2))), self.batches_per_pair, axis=0)
        counts = np.bincount(category)
        first = np.cumsum(counts) - counts

        def draw(epoch: int) -> np.ndarray:
            turn, shuffled, order = random_keys(self.seed, epoch, len(classes), len(known), len(pairs))
            walk = known[np.lexsort((shuffled, turn[owner], category))]  # category by category, class by class
            drawn = pairs[np.argsort(order, kind="stable")]
            sides = np.zeros_like(drawn)  # how many halves of its category come before
            for one in range(len(names)):
                here = drawn == one
                sides[here] = np.arange(here.sum())
            steps = (sides[..., None] * half + np.arange(half)) % counts[drawn][..., None]
            return walk[first[drawn][..., None] + steps].reshape(len(drawn), -1)

        return Plan(len(pairs), self.batch_size, draw)

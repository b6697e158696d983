"""Dense triplet mining (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019)."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import minus_distance
from isometry.samplers.batches import Batches, BatchSampler, Plan, random_keys


class DenseTriplets(BatchSampler):
    """One anchor a batch, which comes first, its `neighbours` nearest by label, and others at random.

    Labels are numbers, `[n]` or `[n t]`, and their distance is Euclidean; items with NaN are left out. All triplets of the
    anchor with two of the others are dense: `LogRatio()(z, y, rows=slice(1))` averages over them. Without `rows` every item of
    the batch is an anchor too, which costs no more embeddings.

    An epoch draws about as many items as there are, so that it takes `batch_size` epochs until each has been an anchor
    (the official code calls that one epoch). Others come in the epoch's own random order, each as often. Defaults are the
    official code's. Ranks take equal shares of every batch; the anchor is on the first.

    >>> batches = DenseTriplets(batch_size=4, neighbours=1).bind(np.array([0.0, 5.0, 5.1, 9.0, 0.2, 20.0]))
    >>> anchor, near, *others = next(iter(batches))
    >>> len(batches), len({anchor, near, *others})
    (1, 4)

    Raises:
        ValueError: (from `bind`) for labels that are not numbers, or fewer than a batch.
    """

    batch_size: int = 150
    neighbours: int = 5
    seed: int = 0
    reads: ClassVar[str] = "targets"

    def __post_init__(self) -> None:
        if not 0 <= self.neighbours < self.batch_size:
            raise ValueError(f"DenseTriplets wants 0 ≤ neighbours < batch_size; got {self!r}.")

    def bind(self, labels: Tensor | np.ndarray, rank: int = 0, ranks: int = 1) -> Batches:
        """A torch batch sampler over items with these labels, numbers `[n]` or `[n t]`; `rank` takes its share of each."""
        labels = np.asarray(labels)
        if labels.ndim not in (1, 2) or labels.dtype.kind not in "iuf":
            raise ValueError(f"DenseTriplets reads numbers [n] or [n t]; got {labels.dtype} {list(labels.shape)}.")
        if self.batch_size % ranks or not 0 <= rank < ranks:
            raise ValueError(
                f"{self} has {self.batch_size} images in a batch: they cannot be divided over {ranks} ranks."
            )
        return Batches(self.plan(labels), rank, ranks)

    def plan(self, labels: np.ndarray) -> Plan:
        targets = labels.reshape(len(labels), -1)
        known = np.flatnonzero(~np.isnan(targets).any(1))
        n, size = len(known), self.batch_size
        if n < size:
            raise ValueError(f"{self!r} cannot fill a batch from {n} items. Use batch_size={max(n, 1)} or less.")
        y, at = torch.as_tensor(targets[known], dtype=torch.float64), torch.arange(n)
        near = nearest(y, y, max(1, self.neighbours), ids_q=at, ids_g=at, similarity=minus_distance)[1].numpy()
        near = near[:, : self.neighbours]
        first = np.concatenate([np.arange(n)[:, None], near], 1)  # an item and its neighbours
        length = n // size
        cycle = -(-n // length)  # epochs until each item has been the anchor

        def draw(epoch: int) -> np.ndarray:
            (turns,) = random_keys(self.seed, epoch // cycle, n)
            _, keys = random_keys(self.seed, epoch, n, n)
            anchors = np.argsort(turns, kind="stable")[(epoch % cycle * length + np.arange(length)) % n]
            order = np.argsort(keys, kind="stable")
            stretch = order[np.arange(length * size).reshape(length, size) % n]
            twice = (stretch[:, :, None] == first[anchors][:, None, :]).any(2)
            others = np.take_along_axis(stretch, np.argsort(twice, axis=1, kind="stable"), 1)
            return known[np.concatenate([first[anchors], others], 1)[:, :size]]

        return Plan(length, size, draw)

"""Dense triplet mining (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019)."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isometry.label_metric import LabelMetric, metric_of
from isometry.label_neighbours import fingerprint, hash_of, label_neighbours, open_neighbours
from isometry.relation import Relate
from isometry.relations import close_targets
from isometry.samplers.batches import Batches, BatchSampler, Plan, random_keys

LARGE = 5_000
"""From so many items on the neighbours are kept in the cache, memory-mapped."""


class DenseTriplets(BatchSampler):
    """One anchor a batch, which comes first, its `neighbours` nearest by label, and others at random.

    Near is what `relate` calls near: the distance between labels behind it (`close_targets`: Euclidean, of numbers `[n]` or
    `[n t]`; `joints`; `Layouts(regions=5)`; …). Unknown labels are left out. All triplets of the anchor with two of the
    others are dense: `LogRatio()(z, y, rows=slice(1))` averages over them. Without `rows` every item of the
    batch is an anchor too, which costs no more embeddings; `anchors=10` then gives a batch ten anchors, each followed by
    its neighbours, and so several dense places. No item is twice in a batch: what is a neighbour of two anchors stands
    with the first.

    `pool=30` draws the neighbours at random among the 30 nearest, as the paper's binary triplets do. `neighbours=0` is no
    mining: batches at random.

    An epoch draws about as many items as there are, so that it takes `batch_size / anchors` epochs until each has been an
    anchor (the official code calls that one epoch). Others come in the epoch's own random order, each as often. Defaults
    are the official code's. Ranks take equal shares of every batch; the first anchor is on the first.

    Neighbours are found once, by `isometry.label_neighbours`: exactly for up to 20,000 distinct labels, else nearly so; from
    5,000 items on they are kept in `$ISOMETRY_CACHE`, or else `~/.cache/isometry`. `lists` names a folder of neighbours that
    are kept already, such as published ones: they are taken as they are, and `relate` says which labels are unknown. An
    anchor with fewer neighbours than are asked for has more others in its batch.

    >>> batches = DenseTriplets(batch_size=4, neighbours=1).bind(np.array([0.0, 5.0, 5.1, 9.0, 0.2, 20.0]))
    >>> anchor, near, *others = next(iter(batches))
    >>> len(batches), len({anchor, near, *others})
    (1, 4)

    Raises:
        ValueError: for a batch smaller than its anchors and their neighbours, or a relation that is no distance; from
            `bind`, for labels that are not numbers, or fewer than a batch, and for `lists` of other items.
    """

    batch_size: int = 150
    neighbours: int = 5
    relate: Relate = close_targets
    anchors: int = 1
    pool: int | None = None
    lists: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.neighbours < self.batch_size:
            raise ValueError(f"DenseTriplets wants 0 ≤ neighbours < batch_size; got {self!r}.")
        if not 1 <= self.anchors * (1 + self.neighbours) <= self.batch_size:
            raise ValueError(f"DenseTriplets wants 1 ≤ anchors · (1 + neighbours) ≤ batch_size; got {self!r}.")
        if self.pool is not None and self.pool < max(1, self.neighbours):
            raise ValueError(
                f"DenseTriplets draws its neighbours among the `pool` nearest, which are more; got {self!r}."
            )
        self._metric()

    @property
    def reads(self) -> str:
        """Which labels of `Data` it is bound to: those that its relation reads."""
        return self._metric().reads

    def bind(self, labels: Tensor | np.ndarray, rank: int = 0, ranks: int = 1) -> Batches:
        """A torch batch sampler over items with these labels, numbers `[n]` or `[n t]`; `rank` takes its share of each."""
        if not isinstance(labels, Tensor):
            labels = np.asarray(labels)
            if labels.ndim < 1 or labels.dtype.kind not in "iuf":
                raise ValueError(f"DenseTriplets reads numbers [n] or [n t]; got {labels.dtype} {list(labels.shape)}.")
        if self.batch_size % ranks or not 0 <= rank < ranks:
            raise ValueError(
                f"{self} has {self.batch_size} images in a batch: they cannot be divided over {ranks} ranks."
            )
        return Batches(self.plan(labels), rank, ranks)

    def plan(self, labels: Tensor | np.ndarray) -> Plan:
        metric, y = self._metric(), torch.as_tensor(labels)
        there = metric.known(metric.prepared(y)).cpu().numpy()
        known = there.nonzero()[0]
        n, size, many = len(known), self.batch_size, self.neighbours
        if n < size:
            raise ValueError(f"{self!r} cannot fill a batch from {n} items. Use batch_size={max(n, 1)} or less.")
        width = min(self.pool or many, n - 1)
        near = self._found(y, metric, width) if many else np.empty((len(y), 0), np.uint32)
        length = n // size
        drawn = length * self.anchors  # anchors of an epoch
        cycle = -(-n // drawn)  # epochs until each item has been an anchor

        def draw(epoch: int) -> np.ndarray:
            (turns,) = random_keys(self.seed, epoch // cycle, n)
            _, keys, picks = random_keys(self.seed, epoch, n, n, drawn * width if self.pool else 0)
            anchors = known[np.argsort(turns, kind="stable")[(epoch % cycle * drawn + np.arange(drawn)) % n]]
            lists = near[anchors].astype(np.int64)
            none = lists >= len(y)
            none |= ~there[np.where(none, 0, lists)]
            lists = np.where(none, anchors[:, None], lists)  # which stands in the batch already
            if self.pool:
                turn = np.where(none, np.iinfo(picks.dtype).max, picks.reshape(drawn, width))
                picked = np.argsort(turn, axis=1, kind="stable")[:, :many]
                lists = np.take_along_axis(lists, np.sort(picked, axis=1), 1)
            dense = np.concatenate([anchors[:, None], lists], 1).reshape(length, -1)
            others = known[np.argsort(keys, kind="stable")[np.arange(length * size).reshape(length, size) % n]]
            return _each_once(np.concatenate([dense, others], 1))[:, :size]

        return Plan(length, size, draw)

    def _metric(self) -> LabelMetric:
        metric = metric_of(self.relate)
        if metric is None:
            raise ValueError(
                f"DenseTriplets mines by a distance between labels, and {self.relate!r} has none: give relate=close_targets, "
                "joints or another distance."
            )
        return metric

    def _found(self, labels: Tensor, metric: LabelMetric, k: int) -> np.ndarray:
        """Lists `[n k]`; numbers beyond the last item are none."""
        if self.lists is not None:
            return _kept(self.lists, labels, k)
        mark = fingerprint(labels, metric, k) if len(labels) >= LARGE else None
        if mark is None:
            return label_neighbours(labels, metric, k).index
        cache = Path(os.environ.get("ISOMETRY_CACHE") or Path.home() / ".cache" / "isometry")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            return label_neighbours(labels, metric, k, folder=cache / f"neighbours-{mark}").index
        except (OSError, ValueError):  # a cache is a convenience: without it they are held in memory
            return label_neighbours(labels, metric, k).index


def _kept(folder: str, labels: Tensor, k: int) -> np.ndarray:
    """The first k neighbours of each item of lists that are kept."""
    found = open_neighbours(folder)
    n, wide = found.index.shape
    if n != len(labels):
        raise ValueError(f"{folder} lists {n:,} items, and there are {len(labels):,}: give the lists of these items.")
    if wide < k:
        raise ValueError(f"{folder} keeps lists of {wide} neighbours, and {k} are asked for: find or read longer ones.")
    if found.about.get("labels", "") not in ("", hash_of(labels)):
        raise ValueError(f"The lists in {folder} were found from other labels than these: find them from these.")
    return found.index[:, :k]


def _each_once(batches: np.ndarray) -> np.ndarray:
    """Rows `[b w]` in their order, with what has come before in the row moved to its end."""
    order = np.argsort(batches, axis=1, kind="stable")
    ordered = np.take_along_axis(batches, order, 1)
    again = np.zeros(batches.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    return np.take_along_axis(batches, np.argsort(again, axis=1, kind="stable"), 1)

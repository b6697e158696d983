"""Shuffled batches, whatever the labels."""

import numpy as np

from isometry.samplers.batches import BatchSampler, Plan, random_keys


class Plain(BatchSampler):
    """Shuffles all items each epoch and cuts them into batches; what is left at the end waits for another epoch.

    Items without a label (−1) are drawn as well: a regulariser learns from them. For losses over pairs of a batch take
    `ClassesTimesInstances`: with many classes, hardly two items of a plain batch belong together.

    >>> batches = Plain(batch_size=4).bind(np.zeros(10, dtype=int))
    >>> len(batches), sorted(len(batch) for batch in batches)
    (2, [4, 4])

    Raises:
        ValueError: (from `bind`) when there are fewer items than a batch holds.
    """

    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"Plain.batch_size is a positive number of items; got {self.batch_size}.")

    def plan(self, labels: np.ndarray) -> Plan:
        n, size = len(labels), self.batch_size
        if n < size:
            raise ValueError(
                f"Plain(batch_size={size}) cannot fill a batch from {n} items. Use batch_size={max(n, 1)} or less."
            )
        length = n // size

        def draw(epoch: int) -> np.ndarray:
            (keys,) = random_keys(self.seed, epoch, n)
            return np.argsort(keys, kind="stable")[: length * size].reshape(length, size)

        return Plan(length, size, draw)

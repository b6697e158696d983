"""Classes × instances: every batch holds several images of each of its classes (Hermans, Beyer and Leibe, 2017)."""

import numpy as np

from isometry.samplers.batches import BatchSampler, Plan, random_keys


class ClassesTimesInstances(BatchSampler):
    """Fills a batch with `classes` places of `instances` images; a place belongs to one class.

    An epoch is a number of rounds, so that about as many images are drawn as there are. In a round every class has its
    turn, in a new random order (where the last batch of a round has places left, classes of its first batch have a
    second turn). A class walks through its images in random order: none comes twice before all have come, within a
    batch and from round to round. No class has two places in a batch.

    - A class with fewer than `instances` images repeats them, each as often as the others or once more.
    - A class of a single image has no match, and a copy would only match an image with itself: `instances` such classes
      share one place, as negatives, so that the batch keeps its size (the last such place is filled with copies).
    - Items without a label (−1) are left out.

    Ranks take disjoint, equal shares of every batch, and the batches are the same on one rank or many.

    >>> batches = ClassesTimesInstances(classes=2, instances=2).bind(np.array([0, 0, 0, 1, 1, 2, 2, 2]))
    >>> len(batches), all(len(batch) == 4 for batch in batches)
    (2, True)

    Raises:
        ValueError: (from `bind`) when there are fewer classes than places, or no class has two images.
    """

    classes: int = 32
    instances: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.classes < 1 or self.instances < 1:
            raise ValueError(f"ClassesTimesInstances wants at least one class and one instance; got {self!r}.")

    def plan(self, labels: np.ndarray) -> Plan:
        known = np.flatnonzero(labels >= 0)
        known = known[np.argsort(labels[known], kind="stable")]  # class by class
        first = np.flatnonzero(np.diff(labels[known], prepend=-1))
        counts = np.diff(first, append=len(known))
        single = known[first[counts == 1]]
        first, counts, owner = first[counts > 1], counts[counts > 1], labels[known]
        places = len(counts) + -(-len(single) // self.instances)
        self._can_fill(places, matched=len(counts), single=len(single))
        in_round = -(-places // self.classes)  # batches of a round
        rounds = max(1, round(len(known) / (in_round * self.classes * self.instances)))

        def draw(epoch: int) -> np.ndarray:
            shuffled, sharing, *turns = random_keys(self.seed, epoch, len(known), len(single), *[places] * rounds)
            walk = known[np.lexsort((shuffled, owner))]  # class by class, each in a random order
            steps = np.arange(rounds * self.instances)
            images = np.concatenate(
                [
                    walk[first[:, None] + steps % counts[:, None]],
                    np.tile(_shared(single[np.argsort(sharing, kind="stable")], self.instances), rounds),
                ]
            ).reshape(places, rounds, self.instances)
            order = np.argsort(np.stack(turns), axis=1, kind="stable")
            order = order[:, np.arange(in_round * self.classes) % places]  # the last batch is filled up
            return images[order, np.arange(rounds)[:, None]].reshape(rounds * in_round, -1)

        return Plan(rounds * in_round, self.classes * self.instances, draw)

    def _can_fill(self, places: int, matched: int, single: int) -> None:
        if not matched and self.instances > 1:
            raise ValueError(f"{self!r}: none of {single} classes has two images, so that no pair would be positive.")
        if places < self.classes:
            have = f"{matched} classes with two or more images and {single} with one"
            raise ValueError(f"{self!r} cannot fill a batch from {have}. Use classes={places} or fewer.")


def _shared(single: np.ndarray, size: int) -> np.ndarray:
    """Classes of one image, `size` of them to a place `[places size]`."""
    missing = -len(single) % size
    rest = single[len(single) - (size - missing) :] if missing else single[:0]
    return np.concatenate([single, np.resize(rest, missing)]).reshape(-1, size)

"""Batch samplers: an epoch is a matrix of positions that depends on the seed and the epoch alone.

So it can be resumed after any batch, however far a loader has read ahead, and every rank draws the same matrix and
takes its own columns.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler

from isometry.component import Component


class Plan(NamedTuple):
    """What a batch sampler does with a data set: `draw(epoch)` gives the positions `[length size]` of its batches."""

    length: int
    size: int
    draw: Callable[[int], np.ndarray]


class BatchSampler(Component):
    """Base of the samplers: the hyper-parameters, bound to labels by `bind`. A sampler writes `plan(labels)`."""

    @abstractmethod
    def plan(self, labels: np.ndarray) -> Plan:
        """How the items with these labels `[n]` are put into batches."""

    def bind(self, labels: Tensor | np.ndarray, rank: int = 0, ranks: int = 1) -> "Batches":
        """A torch batch sampler over items with these labels, whole numbers `[n]`; `rank` takes its share of each.

        Raises:
            ValueError: when a batch cannot be filled, or cannot be divided over the ranks.
        """
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            given = f"{labels.dtype} {list(labels.shape)}"
            raise ValueError(f"{type(self).__name__} samples by class: labels are whole numbers [n]; got {given}.")
        plan = self.plan(labels)
        if plan.size % ranks or not 0 <= rank < ranks:
            raise ValueError(f"{self} has {plan.size} images in a batch: they cannot be divided over {ranks} ranks.")
        return Batches(plan, rank, ranks)


class Batches(Sampler[list[int]]):
    """Yields batches of positions. Each pass is another epoch; `state_dict()` is exact after any batch.

    A pass that is broken off starts again from the beginning of its epoch; a state that is loaded goes on with exactly
    the batches that were left. Ranks take disjoint, equal shares of every batch; `len` is the batches of an epoch.
    """

    def __init__(self, plan: Plan, rank: int = 0, ranks: int = 1) -> None:
        self.plan, self.share = plan, slice(rank * plan.size // ranks, (rank + 1) * plan.size // ranks)
        self.epoch = self.position = 0
        self._resumed = False

    def __len__(self) -> int:
        return self.plan.length

    def __iter__(self) -> Iterator[list[int]]:
        if not self._resumed:
            self.position = 0
        self._resumed = False
        drawn = self.plan.draw(self.epoch)[:, self.share]
        while self.position < len(drawn):
            self.position += 1
            yield drawn[self.position - 1].tolist()
        self.set_epoch(self.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of this epoch, unless it is in it already. Passes count epochs by themselves."""
        if epoch != self.epoch:
            self.epoch, self.position, self._resumed = epoch, 0, False

    def state_dict(self) -> dict[str, Any]:
        """Where it is: the epoch, and how many of its batches have been drawn."""
        return {"epoch": self.epoch, "position": self.position, "length": self.plan.length, "size": self.plan.size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on after the batch that was drawn last.

        Raises:
            ValueError: when the state is that of another sampler or of other data.
        """
        saved, now = (state.get("length"), state.get("size")), (self.plan.length, self.plan.size)
        if saved != now:
            raise ValueError(
                f"The saved sampler had {saved[0]} batches of {saved[1]} images an epoch, and this one has {now[0]} of "
                f"{now[1]}: resume with the same data and sampler."
            )
        self.epoch, self.position, self._resumed = int(state["epoch"]), int(state["position"]), True


def random_keys(seed: int, epoch: int, *sizes: int) -> list[np.ndarray]:
    """Arrays of random 64-bit numbers: raw bits of Philox, which are the same in every version of numpy."""
    bits = np.random.Philox(np.random.SeedSequence([seed, epoch]))
    return [bits.random_raw(size) for size in sizes]

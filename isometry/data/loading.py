"""From data to batches: decoded in workers where need be, and resumed exactly."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from isometry.data.data import Data
from isometry.data.fetch import Batch, Draw, Failure, Fetch, Uneven, takes_batches
from isometry.data.images import Arrays
from isometry.data.pixels import Unreadable


@runtime_checkable
class Resumable(Protocol):
    """A batch sampler that knows where it is, such as `ClassesTimesInstances().bind(labels)` gives."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[list[int]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def loader(
    data: Data,
    transform: Callable[[Tensor], Tensor],
    *,
    batch_sampler: Resumable | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    channels: int | None = None,
    strict: bool = False,
    seed: int = 0,
    pin: bool | None = None,
    prefetch: int = 2,
) -> "Loader":
    """Batches of transformed pictures, in the order of `batch_sampler`, or each once and in order by `batch_size`.

    Args:
        transform: a picture, uint8 `[c h w]`, to a picture, all of one size; or a batch `[b c h w]` to a batch, if it
            is a `PerBatch` or says `batched = True`: pictures in memory are then changed together, without workers.
        workers: processes that decode; as many as there are cores, at most 8, unless given.
        channels: 1 or 3, what the pictures are converted to (that of the data, unless given).
        strict: stop at a picture that cannot be read. Otherwise it is counted in `Loader.unreadable`, and the loop
            goes on: in training another picture of its class takes its place (where there is none, the batch is
            smaller); in order, it is left out.
        seed: of the transform's random numbers, which depend on the seed, the epoch, the picture and its
            place in the batch alone.
        pin: keep batches in page-locked memory, for a GPU; where there is one, unless given.

    Raises:
        ValueError: when both or neither of `batch_sampler` and `batch_size` are given.
        Unreadable: (from the loop) if `strict`; also when no picture at all can be read.
    """
    if (batch_sampler is None) == (batch_size is None):
        raise ValueError(
            "A loader takes either a batch_sampler, to train, or a batch_size, to go through all in order."
        )
    channels = channels or data.channels
    if isinstance(data.images, Arrays) and takes_batches(transform):
        workers = 0
    elif workers is None:
        workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
    batches = InOrder(len(data), batch_size) if batch_sampler is None else batch_sampler  # type: ignore[arg-type]
    fetch = Fetch(data, transform, channels, seed, replace=batch_sampler is not None)
    pin = torch.cuda.is_available() if pin is None else pin
    return Loader(fetch, batches, workers, pin, prefetch, strict)


class Loader:
    """Iterable of `Batch`, made by `loader`. Each pass is another epoch.

    `state_dict()` counts the batches that were handed out, not those that workers have read ahead: loaded into a new
    loader, it goes on with the next batch, bit for bit. A pass that is broken off starts its epoch again.

    Attributes: `unreadable`: what could not be read so far, by id.
    """

    def __init__(
        self, fetch: "Fetch", batches: Resumable, workers: int, pin: bool, prefetch: int, strict: bool
    ) -> None:
        self.batches, self.strict, self.unreadable = batches, strict, dict[int, Failure]()
        self._at, self._resumed = batches.state_dict(), True
        self._make = partial(
            DataLoader,
            fetch,
            sampler=Draws(batches),
            batch_size=None,
            collate_fn=_same,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=prefetch if workers else None,
            pin_memory=pin,
        )
        self._torch = self._started()

    def _started(self) -> DataLoader:
        own = torch.Generator()  # else it would draw from the global one each epoch, and resuming would differ
        return self._make(generator=own)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        if not self._resumed:
            self._at["position"] = 0
        self._resumed = False
        epoch, whole, delivered = self._at["epoch"], self._at["position"] == 0, False
        self.batches.load_state_dict(self._at)
        for made in self._torch:
            if isinstance(made, Uneven):
                raise made
            batch, failures = made
            self.unreadable.update((failure.id, failure) for failure in failures)
            if failures and self.strict:
                break
            self._at["position"] += 1
            if len(batch.index):
                delivered = True
                yield batch
        else:
            self._at = {**self._at, "epoch": epoch + 1, "position": 0}
        if self.strict and self.unreadable:
            self._torch = self._started()  # ends the workers
            raise Unreadable(*next(iter(self.unreadable.values()))[1:])
        if whole and not delivered and self.unreadable:
            _, path, why = next(iter(self.unreadable.values()))
            raise Unreadable(path, f"{why}, and so for all {len(self.unreadable)} pictures")

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch comes from: the epoch, and the number of its batches that were handed out."""
        return dict(self._at)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the batch after the last one that was handed out when `state` was taken."""
        self.batches.load_state_dict(state)
        self._at, self._resumed = self.batches.state_dict(), True

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of this epoch, unless it is in it already. Passes count epochs by themselves."""
        if epoch != self._at["epoch"]:
            self._at, self._resumed = {**self._at, "epoch": epoch, "position": 0}, False


class InOrder(Sampler[list[int]]):
    """All positions in order, cut into batches; the last may be smaller."""

    def __init__(self, n: int, size: int) -> None:
        if size < 1:
            raise ValueError(f"A batch holds at least one picture; got batch_size={size}.")
        self.n, self.size, self.position = n, size, 0

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(self.position * self.size, self.n, self.size):
            yield list(range(start, min(start + self.size, self.n)))

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": 0, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position = state["position"]


class Draws(Sampler):
    """The batches of a sampler as `Draw`s."""

    def __init__(self, batches: Resumable) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.batches.state_dict()["epoch"]
        for index in self.batches:
            yield Draw(index, epoch)


def _same(batch: Any) -> Any:
    return batch

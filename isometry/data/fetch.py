"""One batch: its pictures decoded and transformed, with random numbers that depend on nothing but where it stands."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from isometry.data.data import Data
from isometry.data.images import Arrays
from isometry.data.pixels import Unreadable, with_channels
from isometry.data.transforms import PerBatch

TRIES = 4  # how many other images of a class are tried for one that cannot be read


class Batch(NamedTuple):
    """Pictures with their labels, their ids, and their positions in the data they were loaded from."""

    images: Float[Tensor, "b c h w"] | UInt8[Tensor, "b c h w"]
    labels: Int64[Tensor, " b"]
    ids: Int64[Tensor, " b"]
    index: Int64[Tensor, " b"]


class Failure(NamedTuple):
    """A picture that could not be read: its id, its path and why."""

    id: int
    path: str
    why: str


class Draw(NamedTuple):
    """The positions of one batch, and the epoch it belongs to: it travels to the workers with them."""

    index: list[int]
    epoch: int


class Uneven(ValueError):
    """Pictures of several sizes, which make no batch."""


class Fetch(Dataset):
    """Makes a batch of a `Draw`, in a worker or here.

    It says what could not be read, and that pictures have several sizes, instead of raising it: what a worker raises
    comes with the worker's traceback.
    """

    def __init__(
        self, data: Data, transform: Callable[[Tensor], Tensor], channels: int, seed: int, replace: bool
    ) -> None:
        self.data, self.transform, self.channels, self.seed, self.replace = data, transform, channels, seed, replace
        self._bad: dict[int, Failure] = {}

    def __getitem__(self, draw: Draw) -> "tuple[Batch, list[Failure]] | Uneven":
        with nullcontext() if get_worker_info() else undisturbed():
            if isinstance(self.data.images, Arrays) and takes_batches(self.transform):
                return self._at_once(draw, self.data.images.tensor), []
            return self._one_by_one(draw)

    def _at_once(self, draw: Draw, pictures: Tensor) -> Batch:
        index = torch.tensor(draw.index, dtype=torch.int64)
        seed_all(number(self.seed, draw.epoch, draw.index))
        return self._batch(self.transform(with_channels(pictures[index], self.channels)), index)

    def _one_by_one(self, draw: Draw) -> "tuple[Batch, list[Failure]] | Uneven":
        failures: list[Failure] = []
        images, index = [], []
        for slot, position in enumerate(draw.index):
            for candidate in chain([position], self._others(position, draw, index)):
                image = self._one(candidate, draw.epoch, slot, failures)
                if image is not None:
                    images.append(image)
                    index.append(candidate)
                    break
        try:
            whole = stacked(images) if images else torch.empty(0, self.channels, 0, 0)
        except Uneven as error:
            return error
        return self._batch(whole, torch.tensor(index, dtype=torch.int64)), failures

    def _batch(self, images: Tensor, index: Tensor) -> Batch:
        return Batch(images, self.data.labels[index], self.data.ids[index], index)

    def _one(self, position: int, epoch: int, slot: int, failures: list[Failure]) -> Tensor | None:
        if position not in self._bad:
            try:
                image = with_channels(self.data.images[position], self.channels)
            except Unreadable as error:
                self._bad[position] = Failure(int(self.data.ids[position]), error.path, error.why)
        if position in self._bad:
            failures.append(self._bad[position])
            return None
        seed_all(number(self.seed, epoch, [int(self.data.ids[position]), slot]))
        return self.transform(image[None])[0] if takes_batches(self.transform) else self.transform(image)

    def _others(self, position: int, draw: Draw, taken: list[int]) -> Iterator[int]:
        """Other images of the same class that are not in the batch, in an order that the epoch decides."""
        label = int(self.data.labels[position])
        if not self.replace or label < 0:
            return
        others = np.setdiff1d(np.flatnonzero(self.data.labels.numpy() == label), [*draw.index, *taken])
        key = number(self.seed, draw.epoch, [position])
        yield from np.random.default_rng(key).permutation(others)[:TRIES].tolist()


def takes_batches(transform: Callable[[Tensor], Tensor]) -> bool:
    """Whether a transform changes `[b c h w]` and not `[c h w]`."""
    return isinstance(transform, PerBatch) or getattr(transform, "batched", False)


def stacked(images: list[Tensor]) -> Tensor:
    """One tensor of all.

    Raises:
        Uneven: when the transform leaves pictures of different sizes.
    """
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) > 1:
        raise Uneven(
            f"The transform gives pictures of {shapes[0]} and {shapes[1]} in one batch: it must give one size."
        )
    return torch.stack(images)


def number(seed: int, epoch: int, index: Sequence[int]) -> int:
    """A 63-bit number that depends on these alone."""
    digest = hashlib.blake2b(np.array([seed, epoch, *index], dtype=np.int64).tobytes(), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >> 1


def seed_all(key: int) -> None:
    """Sets the random numbers of torch, numpy and Python, whichever a transform draws from."""
    torch.default_generator.manual_seed(key)
    np.random.seed(key % 2**32)  # noqa: NPY002 (what transforms written for numpy use)
    random.seed(key)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Lets the random numbers of the main process go on afterwards as if nothing had been drawn."""
    outside = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(outside[0])
        np.random.set_state(outside[1])  # noqa: NPY002
        random.setstate(outside[2])

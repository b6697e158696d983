"""Files that are written once and never changed: hashed while they are written, on the disk when they are closed."""

import errno
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isometry.bundle import Refused

DTYPES = {"f4": torch.float32, "i8": torch.int64, "i4": torch.int32, "u1": torch.uint8}
"""What the end of a file's name says of its numbers, which are little-endian, one row after the other."""


@dataclass(frozen=True, kw_only=True)
class Stated:
    """Name, size and SHA-256 of a file."""

    name: str
    size: int
    sha256: str


class Sink:
    """A new file that grows; `close` puts it on the disk and says what is in it.

    Raises:
        OSError: with a message that names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size, self._digest = path, 0, hashlib.sha256()
        self._file = open(path, "xb", buffering=1 << 18)  # noqa: SIM115 (it stays open for a whole gallery)

    def write(self, content: bytes | memoryview) -> None:
        """Adds bytes."""
        try:
            self._file.write(content)
        except OSError as error:
            raise self._failed(error) from None
        self._digest.update(content)
        self.size += len(content)

    def rows(self, values: Tensor) -> None:
        """Adds numbers."""
        if values.numel():
            self.write(np.ascontiguousarray(values.numpy()).data.cast("B"))

    def flush(self) -> None:
        """Lets readers of the file see what there is so far."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> Stated:
        """Nothing more comes."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._failed(error) from None
        return Stated(name=self.path.name, size=self.size, sha256=self._digest.hexdigest())

    def abandon(self) -> None:
        """It is not wanted after all."""
        with suppress(OSError):  # what was still to be written may not fit
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> OSError:
        why = "the disk is full: free some room" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return OSError(f"{self.path} could not be written ({why}). The gallery is as it was before.")


def mapped(path: Path, *shape: int) -> Tensor:
    """The numbers in a file, as it lies on the disk: nothing is read before it is looked at.

    Raises:
        Refused: when it has another size.
    """
    dtype = DTYPES[path.suffix[1:]]
    want, have = int(np.prod(shape)) * dtype.itemsize, path.stat().st_size
    if want != have:
        raise Refused(f"{path} has {have:,} bytes and should have {want:,}: the gallery is truncated or damaged.")
    if not want:
        return torch.empty(shape, dtype=dtype)
    held = np.memmap(path, dtype=np.dtype(path.suffix[1:]).newbyteorder("<"), mode="c", shape=shape)
    return torch.from_numpy(held)


def stated(path: Path) -> Stated:
    """What is in a file: reads all of it."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Stated(name=path.name, size=path.stat().st_size, sha256=digest.hexdigest())


def checked(path: Path, expected: Stated) -> None:
    """Compares a file with what it ought to be.

    Raises:
        FileNotFoundError: when it is not there.
        Refused: when it is another.
    """
    if stated(path) != expected:
        raise Refused(f"{path} was changed or damaged (its size or SHA-256 is another): restore it, or index again.")


def settle(path: Path) -> None:
    """Puts the names in a folder on the disk."""
    if os.name == "nt":
        return  # Windows has no such thing
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

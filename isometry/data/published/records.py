"""Faces to train on as InsightFace publishes them (MS1MV2, MS1MV3, Glint360K, …): MXNet's RecordIO, `train.rec` with
`train.idx`.

A record is the word 0xced7230a, a word with its length (29 bits) and what part of a whole it is (3 bits: 0 the whole, 1
first, 2 middle, 3 last; where the word itself lay in the data, the data were cut there and the word left out), the data,
and zeros up to a multiple of 4. The data begin with a header: the number of labels (0: the one that follows), a label,
two numbers, the labels; then comes an encoded picture. `train.idx` gives key and offset of each record. The pictures are
records 1 to n − 1 where record 0 holds labels, the first of which is n (what follows are the people); else all are.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.images import Images
from isometry.data.pixels import Image, Unreadable
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.encoded import unpacked
from isometry.data.published.layout import lines, need

MAGIC = 0xCED7230A
HEAD = np.dtype(
    [("magic", "<u4"), ("size", "<u4"), ("flag", "<u4"), ("label", "<f4"), ("ids", "<u8", 2), ("first", "<f4")]
)
LARGEST = 2**24  # whole numbers above it are not told apart in 32 bits
AT_ONCE = 65536


def read_records(root: Path) -> Data:
    """Every picture with its person: the first label."""
    path = need(root, "train.rec")
    offsets = by_key(need(root, "train.idx"))
    start = heads(path, np.array([offsets.get(0, 0)]))
    if start["flag"][0] > 0:
        wanted = range(1, int(start["first"][0]))
        if lacking := [key for key in wanted if key not in offsets]:
            raise ValueError(
                f"{root / 'train.idx'} lacks {len(lacking):,} of {len(wanted):,} pictures, first {lacking[0]}."
            )
        at = np.array([offsets[key] for key in wanted], dtype=np.int64)
    else:
        at = np.array(list(offsets.values()), dtype=np.int64)
    found = [heads(path, part) for part in np.array_split(at, len(at) // AT_ONCE + 1)]
    person = np.concatenate([np.where(head["flag"] > 0, head["first"], head["label"]) for head in found])
    if not np.all((person >= 0) & (person < LARGEST) & (person == np.round(person))):
        raise ValueError(f"{path}: labels are whole numbers from 0 to {LARGEST:,}; one is not.")
    classes, labels = np.unique(person.astype(np.int64), return_inverse=True)
    return Data(
        images=Records(path, at),
        labels=torch.from_numpy(labels.astype(np.int64)),
        classes=tuple(map(str, classes.tolist())),
        ids=torch.arange(len(at)),
        name=root.name,
    )


def by_key(path: Path) -> dict[int, int]:
    """Where the record of each key begins."""
    try:
        return {int(key): int(at) for key, at in map(str.split, lines(path))}
    except ValueError:
        raise ValueError(f"{path} is not 'key offset' in every row.") from None


def heads(path: Path, at: np.ndarray) -> np.ndarray:
    """The heads of the records that begin at these offsets.

    Raises:
        ValueError: where no record begins.
    """
    size = path.stat().st_size
    if not len(at) or at.min() < 0 or at.max() + HEAD.itemsize > size:
        raise ValueError(
            f"{path} has {size:,} bytes, and train.idx looks for records beyond: one of them is not whole."
        )
    content = np.memmap(path, dtype=np.uint8, mode="r")
    found = content[at[:, None] + np.arange(HEAD.itemsize)].view(HEAD)[:, 0]
    if len(odd := np.flatnonzero(found["magic"] != MAGIC)):
        raise ValueError(f"{path}: no record begins at byte {at[odd[0]]:,}, where train.idx says that one does.")
    return found


class Records(Images):
    """The pictures of a file of records, read when asked for."""

    def __init__(self, path: Path, at: np.ndarray) -> None:
        self.path, self.at, self.channels = path, at, 3

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: int) -> Image:
        data = record(self.path, int(self.at[index]), self.where(index))
        labels = int.from_bytes(data[:4], "little")
        return unpacked(data[24 + 4 * labels :], self.where(index))

    def take(self, index: np.ndarray) -> "Records":
        return Records(self.path, self.at[index])

    def where(self, index: int) -> str:
        return f"the record at byte {self.at[index]:,} of {self.path}"

    def write_to(self, digest: Any) -> None:
        digest.update(f"{self.path.name} {self.path.stat().st_size} ".encode() + self.at.astype(np.int64).tobytes())


def record(path: Path, at: int, name: str) -> bytes:
    """The data of one record, put together where it was cut.

    Raises:
        Unreadable: where it is not whole.
    """
    parts = []
    with open(path, "rb") as file:
        file.seek(at)
        while True:
            magic, word = np.frombuffer(file.read(8).ljust(8, b"\0"), "<u4").tolist()
            part, size = word >> 29, word & (2**29 - 1)
            data = file.read(size)
            if magic != MAGIC or len(data) < size:
                raise Unreadable(name, "the record is not whole")
            parts.append(data)
            if part in (0, 3):
                return MAGIC.to_bytes(4, "little").join(parts)
            file.seek(-size % 4, 1)


RECORDS = Benchmark(
    title="faces in train.rec",
    read=read_records,
    home="MS1MV2, MS1MV3 or Glint360K at https://github.com/deepinsight/insightface/tree/master/recognition/_datasets_",
    marks=(("train.rec", "train.idx"),),
    annotations=("train.idx",),
)

"""A distance between labels that is written down."""

import hashlib
import os
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.label_metric import LabelMetric, floating, rows_where
from isometry.relation import Relation


class GivenDistances(LabelMetric):
    """Label distances that are written down, pair by pair: D(i, j) = `matrix[i, j]`.

    Labels are row numbers: of the matrix's rows for queries, of its columns for references. It reads `Data.ids`, the place
    of an item in its source, so that a matrix of all items in their order is what a run needs. −1 is unknown; where the
    matrix has NaN, the pair is neither positive nor negative.

    For distances without a formula: poses whose joints are not published, times of travel, what people judged. The unit is
    that of the matrix, and so is the type (float32 at least). Nothing bounds such a distance: neighbours for mining are found by
    reading whole rows. A matrix in memory prints as its shape, which cannot be read back: what a run keeps wants a file.

    >>> matrix = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    >>> rows = torch.tensor([0, 2])
    >>> GivenDistances(matrix=matrix, radius=2).distances(rows, rows)
    tensor([[0., 3.],
            [3., 0.]])

    Raises:
        ValueError: for what is no matrix `[r c]` of numbers, for a row number beyond it, and for distances that are negative or
            infinite: at once in memory, and of a file where they are read.
    """

    matrix: Any
    """The matrix, torch or numpy; or the name of a `.npy` file, of which only what is needed is read."""
    reads: ClassVar[str] = "ids"

    def __post_init__(self) -> None:
        self._given = _matrix(self.matrix)
        self._read = _stamp(self.matrix)
        for piece in () if isinstance(self.matrix, str) else self._given.split(PIECE):
            sound(piece, "GivenDistances(matrix=…)")

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        i, j = (x[..., 0].long().clamp_min(0).to(self._given.device) for x in (rows, cols))
        eager = self._given.device.type == "cpu" and not torch.compiler.is_compiling()
        for at, size in zip((i, j), self._given.shape, strict=True):
            if eager and at.numel() and int(at.max()) >= size:
                raise ValueError(f"{_beyond(int(at.max()), size)}: give the distances of all items, in their order.")
        found = self._given[i[..., :, None], j[..., None, :]]
        found = sound(found, self.matrix) if eager and isinstance(self.matrix, str) else found
        return found.to(rows.device, floating(found, rows.device))

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        return known_pairs(super().forward(rows, cols))

    def known(self, labels: Float[Tensor, "n t"]) -> Bool[Tensor, " n"]:
        return labels[:, 0] >= 0

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        number, size = labels[:, 0], max(self._given.shape)
        return {
            **rows_where((number != number.round()) & ~number.isnan(), "a row number that is no whole number"),
            **rows_where(number >= size, f"a row number beyond the last of the matrix, {size - 1:,}"),
        }

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] != 1:
            raise ValueError(f"Labels of {self!r} are row numbers [n]; got {list(labels.shape)}.")
        return flat

    def mark(self) -> str:
        """The matrix by its content; a file by its place, size and time, when it was opened and now."""
        if isinstance(self.matrix, str):
            return f"{self!r} {self._read} {_stamp(self.matrix)}"
        digest = hashlib.sha256(f"{self._given.dtype} {tuple(self._given.shape)}".encode())
        for some in self._given.split(max(1, 2**22 // self._given.shape[1])):
            digest.update(some.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return f"{self!r} {digest.hexdigest()}"

    def __repr__(self) -> str:
        if isinstance(self.matrix, str):
            return super().__repr__()
        return f"GivenDistances(radius={self.radius}, matrix=<{' × '.join(map(str, self._given.shape))}>)"


def _stamp(given: Any) -> str:
    """Which file a name stands for, and since when; nothing for what is no name."""
    if not isinstance(given, str):
        return ""
    try:
        file = os.stat(given)
    except OSError:
        return "gone"
    return f"{os.path.realpath(given)} {file.st_ino} {file.st_size} {file.st_mtime_ns}"


def _matrix(given: Any) -> Tensor:
    """The matrix as a tensor; a file is mapped into memory and not read."""
    if isinstance(given, str):
        try:
            given = np.load(given, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{given} is no .npy file of distances: {' '.join(str(error).split())}.") from None
    if getattr(given, "ndim", 0) != 2 or 0 in given.shape or str(given.dtype).removeprefix("torch.")[:3] not in KINDS:
        raise ValueError(
            f"GivenDistances(matrix=…) is a matrix [r c] of distances, or a .npy file of one; got "
            f"{type(given).__name__} of shape {list(getattr(given, 'shape', ()))}."
        )
    return torch.as_tensor(given)


def sound(distances: Tensor, what: str) -> Tensor:
    """The distances, none of which is negative or infinite; NaN is a pair of which nothing is known.

    Raises:
        ValueError: for those that are, with the first.
    """
    wrong = (distances < 0) | distances.isinf() if distances.is_floating_point() or distances.dtype.is_signed else None
    if wrong is not None and bool(wrong.any()):
        raise ValueError(
            f"{what} has {float(distances[wrong][0]):g} for a distance: they are 0 or more and finite, and NaN where unknown."
        )
    return distances


def known_pairs(found: Relation) -> Relation:
    """The relation in which a pair whose distance is NaN is neither positive nor negative."""
    return found.replace(
        gap=lambda: found.gap.nan_to_num(),
        affinity=lambda: found.affinity.nan_to_num(),
        any=lambda: found.any & ~found.gap.isnan(),
    )


PIECE = 256
"""Rows of a matrix that are looked at together."""
KINDS = ("flo", "int", "uin", "bfl")
"""How the names of types of numbers begin."""


def _beyond(number: int, size: int) -> str:
    return f"Row number {number:,} is beyond the last of the matrix, {size - 1:,}"

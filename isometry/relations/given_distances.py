"""A distance between labels that is written down."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.label_metric import LabelMetric, rows_where
from isometry.relation import Relation


class GivenDistances(LabelMetric):
    """Label distances that are written down, pair by pair: D(i, j) = `matrix[i, j]`.

    Labels are row numbers: of the matrix's rows for queries, of its columns for references. It reads `Data.ids`, the place
    of an item in its source, so that a matrix of all items in their order is what a run needs. −1 is unknown; where the
    matrix has NaN, the pair is neither positive nor negative.

    For distances without a formula: poses whose joints are not published, times of travel, what people judged. The unit is
    that of the matrix. Nothing bounds such a distance: neighbours for mining are found by reading whole rows.

    >>> matrix = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    >>> rows = torch.tensor([0, 2])
    >>> GivenDistances(matrix=matrix, radius=2).distances(rows, rows)
    tensor([[0., 3.],
            [3., 0.]])

    Raises:
        ValueError: for what is no matrix `[r c]` of numbers, and for a row number beyond it.
    """

    matrix: Any
    """The matrix, torch or numpy; or the name of a `.npy` file, of which only what is needed is read."""
    reads: ClassVar[str] = "ids"

    def __post_init__(self) -> None:
        self._given = _matrix(self.matrix)

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        i, j = (x[..., 0].long().clamp_min(0).to(self._given.device) for x in (rows, cols))
        for at, size in zip((i, j), self._given.shape, strict=True):
            if at.device.type == "cpu" and at.numel() and int(at.max()) >= size:
                raise ValueError(f"{_beyond(int(at.max()), size)}: give the distances of all items, in their order.")
        return self._given[i[..., :, None], j[..., None, :]].to(rows.device, torch.float32)

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        found = super().forward(rows, cols)
        return found.replace(
            gap=lambda: found.gap.nan_to_num(),
            affinity=lambda: found.affinity.nan_to_num(),
            any=lambda: found.any & ~found.gap.isnan(),
        )

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

    def __repr__(self) -> str:
        if isinstance(self.matrix, str):
            return super().__repr__()
        return f"GivenDistances(radius={self.radius}, matrix=<{' × '.join(map(str, self._given.shape))}>)"


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


KINDS = ("flo", "int", "uin", "bfl")
"""How the names of types of numbers begin."""


def _beyond(number: int, size: int) -> str:
    return f"Row number {number:,} is beyond the last of the matrix, {size - 1:,}"

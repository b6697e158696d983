"""Embeddings that are there already, with what is known of their pictures."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isometry.index.items import Items, items_of

ROWS = 16384  # looked at at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Embeddings `[n d]` of the gallery's own model, in memory or mapped from a file, and their items.

    `given` says whether they have ids of their own, and not only their position.
    """

    z: Any
    items: Items
    name: str = "vectors"
    given: bool = False

    def __len__(self) -> int:
        return len(self.z)

    def pieces(self, dim: int) -> Iterator[tuple[Tensor, Items]]:
        """Some rows at a time, in float32.

        Raises:
            ValueError: where they are not finite.
        """
        for start, items in zip(range(0, len(self.z), ROWS), self.items.pieces(ROWS), strict=True):
            z = torch.from_numpy(np.array(self.z[start : start + ROWS], dtype=np.float32))
            if z.shape[1] != dim:
                raise ValueError(f"{self.name} has {z.shape[1]} dimensions, and the model gives {dim}.")
            if not bool(z.isfinite().all()):
                raise ValueError(f"{self.name} holds numbers that are not finite from row {start} on.")
            yield z, items


def vectors(
    z: Any,
    *,
    labels: Sequence[str] | None = None,
    ids: Sequence[int] | Tensor | None = None,
    paths: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    name: str = "vectors",
) -> Vectors:
    """Embeddings for `isometry.index.build`, such as `isometry embed` writes.

    Args:
        z: float `[n d]`, a tensor or an array; a memory-mapped one is never read whole.
        ids: what each is called by, 64 bits and not negative; 0 … n − 1 unless given.
        labels, paths, parts: of each; "" where unknown.

    Raises:
        ValueError: for what is no float matrix, or not one of each for every row.

    >>> vectors(torch.eye(2), labels=["a", "b"]).items.labels
    ('a', 'b')
    """
    z = z.detach().cpu().numpy() if isinstance(z, Tensor) else z
    if getattr(z, "ndim", 0) != 2 or not np.issubdtype(z.dtype, np.floating) or not len(z):
        raise ValueError(f"{name} are a float matrix [n d] with at least a row; got {_shape(z)}.")
    number = torch.arange(len(z)) if ids is None else torch.as_tensor(ids, dtype=torch.int64)
    if len(number) != len(z):
        raise ValueError(f"{name} has {len(z)} rows and {len(number)} ids.")
    return Vectors(z=z, items=items_of(number, labels, paths, parts), name=name, given=ids is not None)


def is_vectors(source: Any) -> bool:
    """Whether this names a file of embeddings."""
    return isinstance(source, (str, Path)) and Path(source).suffix.lower() in (".npy", ".npz")


def read_vectors(path: str | Path) -> Vectors:
    """Embeddings as `isometry embed` writes them: `z.npy` with `z.csv` beside it, or `z.npz`.

    The columns of the table that are read are id, label, path and part; all may be missing, and so may the table.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is something else, or the table has another number of rows.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as held:
                if "z" not in held:
                    raise ValueError("it holds no z")
                known = {name: held[name].tolist() for name in ("ids", "labels", "paths") if name in held}
                return vectors(held["z"], name=path.name, **known)
        return vectors(
            np.load(path, mmap_mode="r", allow_pickle=False), name=path.name, **_table(path.with_suffix(".csv"))
        )
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} cannot be read as embeddings: {' '.join(str(error).split())}") from None


def _table(path: Path) -> dict[str, Any]:
    """What a table beside embeddings says, a row for each."""
    if not path.is_file():
        return {}
    with open(path, newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    columns = set(rows[0]) if rows else set()
    found: dict[str, Any] = {"ids": [int(row["id"]) for row in rows]} if "id" in columns else {}
    for column, name in (("label", "labels"), ("path", "paths"), ("part", "parts")):
        if column in columns:
            found[name] = [row[column] or "" for row in rows]
    return found


def _shape(z: Any) -> str:
    return f"{z.dtype} {list(z.shape)}" if hasattr(z, "shape") else type(z).__name__

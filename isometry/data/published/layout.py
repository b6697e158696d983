"""What readers of published layouts share: files that must be there, lines, rows and tables as people really wrote them.

Text is UTF-8, with or without a byte-order mark, with any line ends; blanks around a cell are no part of it. Files of a
Mac's archive (`._1.jpg`) are not seen.
"""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isometry.data.data import Data
from isometry.data.folder import visible
from isometry.data.images import Paths
from isometry.data.labels import class_ids

HIDDEN = re.compile(r"(?:^|[\s/])(?:\._|__MACOSX/)")
"""A file of a Mac's archive, in a line that lists it."""


class Missing(FileNotFoundError):
    """A file that a layout needs and that is not there."""


def need(root: Path, *names: str) -> Path:
    """The first of `names` (files or folders, with slashes) that lies in `root`.

    Raises:
        Missing: when none does.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise Missing(f"{' or '.join(names)} is missing; looked in {root}.")


def lines(path: Path) -> list[str]:
    """The lines that are not empty, without blanks around them."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            return [text for line in file if (text := line.strip(" \t\r\n\ufeff"))]
    except IsADirectoryError:
        raise Missing(f"{path} is a folder, and a text file is expected there.") from None


def rows(path: Path, columns: int, *, skip: int = 0) -> list[list[str]]:
    """Rows of `columns` cells with blanks between them, however many; the first `skip` lines are left out.

    Rows of files that are not meant to be seen are left out too.

    Raises:
        ValueError: for a row of another width, with its number.
    """
    found = []
    for number, line in enumerate(lines(path)[skip:], start=skip + 1):
        cells = line.split()
        if len(cells) != columns:
            raise ValueError(f"{path}, row {number}, has {len(cells)} cells and needs {columns}: {line[:80]!r}.")
        if not HIDDEN.search(line):
            found.append(cells)
    return found


def seen(path: str) -> bool:
    """Whether a file of this path is meant to be seen."""
    name = path.rsplit("/", 1)[-1]
    return visible(name) or name in (".", "..")


def table(path: Path, *, names: Sequence[str] = (), only: Sequence[str] = ()) -> dict[str, list[str]]:
    """A comma-separated table: its columns by name, as text, blanks around names and cells left out.

    Args:
        names: of the columns, for tables without a header. only: the columns that are read, for large tables.

    Raises:
        ValueError: for a file that is no table.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(
            path, header=None if names else 0, names=list(names) or None, dtype=str, keep_default_na=False,
            encoding="utf-8-sig", encoding_errors="surrogateescape", skipinitialspace=True, index_col=False,
            usecols=(lambda name: str(name).strip() in only) if only else None,
        )  # fmt: skip
    except ValueError as error:  # pandas' own errors are of this kind
        raise ValueError(f"{path} is no table that can be read: {' '.join(str(error).split())}") from None
    return {str(name).strip(): [cell.strip() for cell in frame[name].astype(str)] for name in frame.columns}


def column(found: dict[str, list[str]], path: Path, *names: str) -> list[str]:
    """The first of these columns that a table has.

    Raises:
        ValueError: when it has none of them.
    """
    for name in names:
        if name in found:
            return found[name]
    raise ValueError(f"{path} has no column {' or '.join(map(repr, names))}; its columns: {', '.join(found)}.")


def whole(cell: str, path: Path) -> int:
    """A cell as a whole number; fractions are rounded.

    Raises:
        ValueError: for a cell that is no number.
    """
    try:
        return round(float(cell))
    except (ValueError, OverflowError):
        raise ValueError(f"{path} has {cell!r} where a number is expected.") from None


def labelled(
    root: Path,
    paths: Sequence[str],
    labels: Sequence[str],
    *,
    split: Sequence[str] | None = None,
    is_query: Tensor | None = None,
    is_gallery: Tensor | None = None,
    sequence: Tensor | None = None,
) -> Data:
    """Pictures below `root` with the names of their classes ("" is unknown). `dataclasses.replace` adds what else is
    known.
    """
    return Data(
        images=Paths(paths, root),
        ids=torch.arange(len(paths)),
        name=root.name,
        split=None if split is None else tuple(split),
        is_query=is_query,
        is_gallery=is_gallery,
        sequence=sequence,
        paths=tuple(paths),
        **class_ids(labels)._asdict(),
    )


def cut(data: Data, boxes: Sequence[Sequence[int]]) -> Data:
    """The same pictures, each cut to its box (left, top, right, bottom); a box of zeros leaves it whole."""
    if not isinstance(data.images, Paths):
        raise ValueError(f"{data.name} is not made of files: there is nothing to cut.")
    sides = np.asarray(boxes, dtype=np.int64).reshape(len(data), 4)
    return dataclasses.replace(data, images=Paths(data.images.paths, data.images.root, sides))


def there(data: Data) -> Tensor:
    """Which of the pictures exist, bool `[n]`; folders are listed once."""
    images = data.images
    if not isinstance(images, Paths):
        return torch.ones(len(data), dtype=torch.bool)
    listed: dict[str, set[str]] = {}
    found = []
    for path in images.paths:
        folder, name = os.path.split(os.path.join(images.root, path))
        if folder not in listed:
            listed[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        found.append(name in listed[folder])
    return torch.tensor(found, dtype=torch.bool)

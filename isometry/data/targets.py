"""Continuous labels in the columns of a table: which columns a text means, and the numbers in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isometry.component import nearest

LOST = 1e-6
"""The share of a column's spread by which float32 may move a number."""
SHOWN = 3
"""Faulty rows that a message names."""


def columns_meant(text: str, columns: Sequence[str], name: str) -> list[str]:
    """The columns that "x0:x27,age" means: single ones, and ranges in the table's own order with both ends.

    >>> columns_meant("x0:x2, age", ["path", "x0", "x1", "x2", "age"], "t.csv")
    ['x0', 'x1', 'x2', 'age']

    Raises:
        ValueError: for a column that is not there (with the nearest that is), or named twice, or an empty range.
    """
    known = {str(column).strip().lower(): i for i, column in enumerate(columns)}

    def place(wanted: str) -> int:
        if wanted.lower() not in known:
            listed = ", ".join(map(str, columns))
            raise ValueError(f"{name} has no column {wanted!r}.{nearest(wanted, known)} Its columns: {listed}.")
        return known[wanted.lower()]

    found: list[int] = []
    for part in (part.strip() for part in text.split(",")):
        first, colon, last = part.partition(":")
        if not colon or part.lower() in known:
            found.append(place(part))
            continue
        start, stop = place(first.strip()), place(last.strip())
        if start > stop:
            raise ValueError(f"{name} has {first.strip()!r} after {last.strip()!r}: a range goes from left to right.")
        found += range(start, stop + 1)
    twice = [columns[i] for i in found if found.count(i) > 1]
    if twice:
        raise ValueError(f"label_columns {text!r} names {twice[0]!r} twice: each column counts once.")
    return [columns[i] for i in found]


def targets_in(cells: Mapping[str, Sequence[Any]], name: str) -> Tensor:
    """The numbers in these columns `[n t]`; a cell may hold a list of numbers. Rows are counted from 1.

    Raises:
        ValueError: for cells that hold no finite number, with their rows, and for lists of unequal length.
    """
    values = [_numbers(column, values, name) for column, values in cells.items()]
    table = np.concatenate(values, axis=1)
    bad = ~np.isfinite(table)
    if bad.any():
        title = [column for (column, _), part in zip(cells.items(), values, strict=True) for _ in range(part.shape[1])]
        rows = np.flatnonzero(bad.any(1))
        first = [(int(row), title[int(bad[row].argmax())]) for row in rows[:SHOWN]]
        said = ", ".join(f"row {row + 1} ({column} is {str(cells[column][row])!r})" for row, column in first)
        many = f"{len(rows)} rows whose label is" if len(rows) > 1 else "a row whose label is"
        raise ValueError(
            f"{name} has {many} no finite number: {said}{', …' if len(rows) > SHOWN else ''}. Row 1 is the first of the "
            "data, below the header."
        )
    return torch.from_numpy(as_precise_as_needed(table))


def as_precise_as_needed(table: np.ndarray) -> np.ndarray:
    """Columns of float64 as float32, unless that makes unequal numbers equal or moves one by 10⁻⁶ of its column's spread.

    Times in seconds, places to the metre and large whole numbers stay float64.

    >>> as_precise_as_needed(np.array([[0.1], [0.2]])).dtype, as_precise_as_needed(np.array([[1.7e9], [1.7e9 + 1]])).dtype
    (dtype('float32'), dtype('float64'))
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = table.astype(np.float32)
        moved = np.abs(single - table).max(axis=0, initial=0)
        spread = np.ptp(table, axis=0) if len(table) else moved
        if ((spread > 0) & (moved > LOST * spread)).any():
            return table
    columns = zip(single.T[moved > 0], table.T[moved > 0], strict=True)
    return table if any(len(np.unique(one)) < len(np.unique(other)) for one, other in columns) else single


def _numbers(column: str, cells: Sequence[Any], name: str) -> np.ndarray:
    """The column as `[n k]`; NaN where a cell holds no number that a float32 can hold."""
    if any(isinstance(cell, (list, tuple, np.ndarray)) for cell in cells[:1]):
        widths = [np.size(cell) if cell is not None else 0 for cell in cells]
        if odd := [i for i, width in enumerate(widths) if width != widths[0]]:
            raise ValueError(
                f"{name} has labels of unequal length in {column!r}: {widths[0]} numbers in row 1 and "
                f"{widths[odd[0]]} in row {odd[0] + 1}."
            )
        flat = [number for cell in cells for number in np.ravel(np.asarray(cell, dtype=object))]
        return _floats(flat).reshape(len(cells), -1)
    return _floats(cells)[:, None]


def _floats(cells: Sequence[Any]) -> np.ndarray:
    try:
        values = np.asarray(cells).astype(np.float64)
    except (TypeError, ValueError):
        values = np.array([_float(cell) for cell in cells])
    with np.errstate(over="ignore"):
        return np.where(np.isfinite(values.astype(np.float32)), values, np.nan)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")

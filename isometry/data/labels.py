"""From what people write as a label to numbers: classes, paths in a tree, sets, and continuous targets."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isometry.data.targets import as_precise_as_needed

UNKNOWN = ("", "-1")
_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Labels(NamedTuple):
    """The fields of `Data` that labels fill."""

    labels: Tensor
    classes: tuple[str, ...]
    hierarchy: Tensor | None = None
    levels: tuple[str, ...] = ()
    targets: Tensor | None = None
    multi: Tensor | None = None
    tags: tuple[str, ...] = ()


def class_ids(names: Sequence[str]) -> Labels:
    """Numbers the classes in sorted order: whole numbers by value (of any size, never rounded), all else as text.

    An empty name and "-1" are unknown, −1.

    >>> class_ids(["b", "a", "", "b"])[:2]
    (tensor([ 1,  0, -1,  1]), ('a', 'b'))
    >>> class_ids(["9007199254740993", "10", "9007199254740992"]).classes
    ('10', '9007199254740992', '9007199254740993')
    """
    kinds = set(names) - set(UNKNOWN)
    classes = tuple(sorted(kinds, key=lambda k: (int(k), k)) if all(map(_WHOLE.fullmatch, kinds)) else sorted(kinds))
    number = dict.fromkeys(UNKNOWN, -1) | {name: i for i, name in enumerate(classes)}
    return Labels(torch.tensor([number[name] for name in names], dtype=torch.int64), classes)


def label_paths(columns: Sequence[Sequence[str]], levels: tuple[str, ...]) -> Labels:
    """Classes in a tree: a column for each level, root first. A path that breaks off is unknown from there on."""
    rows = list(zip(*columns, strict=True))
    depth = [next((d for d, name in enumerate(row) if name in UNKNOWN), len(row)) for row in rows]
    numbered = []
    for level in range(1, len(columns) + 1):
        known = ["/".join(row[:level]) if deep >= level else "" for row, deep in zip(rows, depth, strict=True)]
        numbered.append(class_ids(known))
    hierarchy = torch.stack([level.labels for level in numbered], dim=1)
    return Labels(numbered[-1].labels, numbered[-1].classes, hierarchy, levels)


def label_sets(sets: Sequence[Sequence[str]]) -> Labels:
    """Several labels an image. Its class is the set of them."""
    sets = [sorted({name.strip() for name in names} - set(UNKNOWN)) for names in sets]
    whole = class_ids(["|".join(names) for names in sets])
    tags = class_ids([name for names in sets for name in names]).classes
    column = {name: i for i, name in enumerate(tags)}
    multi = torch.zeros(len(sets), len(tags), dtype=torch.bool)
    for row, names in enumerate(sets):
        multi[row, [column[name] for name in names]] = True
    return Labels(whole.labels, whole.classes, multi=multi, tags=tags)


def continuous(values: Any) -> Labels:
    """Targets `[n t]`: there are no classes, and every label is −1."""
    table = np.array(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2:
        raise ValueError(f"Continuous labels are finite numbers, [n] or [n t]; got {list(table.shape)}.")
    targets = torch.from_numpy(as_precise_as_needed(table))
    if len(bad := (~torch.isfinite(targets).all(1)).nonzero()[:, 0].tolist()):
        rows = ", ".join(str(row + 1) for row in bad[:3]) + (", …" if len(bad) > 3 else "")
        raise ValueError(
            f"Continuous labels are finite numbers: NaN or infinity in {len(bad)} of {len(targets)} rows ({rows}; the first "
            "row is 1)."
        )
    return Labels(torch.full((len(targets),), -1, dtype=torch.int64), (), targets=targets)


def text_labels(columns: Sequence[Sequence[str]], names: tuple[str, ...]) -> Labels:
    """What columns of text mean: several of fractions are targets, several others a path; "a|b" is a set.

    A single column of fractions is a target as well; whole numbers and words are classes.
    """
    cells = [cell for column in columns for cell in column if cell not in UNKNOWN]
    if cells and all(map(_NUMBER.fullmatch, cells)) and not all(map(_WHOLE.fullmatch, cells)):
        if any(cell == "" for column in columns for cell in column):
            raise ValueError(f"The continuous label {', '.join(names)} has empty cells: every row needs a number.")
        return continuous(np.array([[float(cell) for cell in column] for column in columns]).T)
    if len(columns) > 1:
        return label_paths(columns, names)
    if any("|" in cell for cell in cells):
        return label_sets([cell.split("|") for cell in columns[0]])
    return class_ids(columns[0])


def any_labels(given: Any, n: int) -> Labels:
    """Labels given as a list, array or tensor, one for each of `n` pictures.

    Whole numbers or words `[n]` are classes, whole numbers `[n levels]` a path root first, booleans (or only 0 and 1)
    `[n tags]` sets, fractions `[n]` or `[n t]` targets, lists of words sets.

    Raises:
        ValueError: for labels of another length, or of a type that is none of these.
    """
    if len(given) != n:
        raise ValueError(f"There are {n} images and {len(given)} labels: there must be one label for each image.")
    values = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
    if not isinstance(values, np.ndarray):
        values = list(values)
        if any(isinstance(v, (list, tuple, set, frozenset)) and any(isinstance(w, str) for w in v) for v in values):
            return label_sets([[str(w) for w in (v if not isinstance(v, str) else [v])] for v in values])
        if any(isinstance(v, str) or v is None for v in values):
            return class_ids(["" if v is None else str(v) for v in values])
        values = np.array([np.asarray(v) for v in values])
    if values.dtype.kind in "UO":
        return any_labels(values.tolist(), n)
    if values.ndim not in (1, 2) or values.dtype.kind not in "iubf":
        raise ValueError(f"Labels are numbers or words, [n] or [n k]; got {values.dtype} {list(values.shape)}.")
    if values.dtype.kind == "f":
        if values.ndim == 1 and np.all(values == np.round(values)):
            raise ValueError(f"Labels are {values.dtype} holding whole numbers: give classes as integers (int64).")
        return continuous(values)
    if values.ndim == 1:
        return class_ids([str(int(v)) for v in values.tolist()])
    if values.dtype.kind == "b" or (values.shape[1] > 1 and set(np.unique(values)) <= {0, 1}):
        sets = class_ids(["|".join(map(str, np.flatnonzero(row))) for row in values])
        tags = tuple(str(i) for i in range(values.shape[1]))
        return sets._replace(multi=torch.from_numpy(values.astype(bool)), tags=tags)
    columns = [[str(v) for v in column.tolist()] for column in values.T]
    return label_paths(columns, tuple(f"level_{i}" for i in range(len(columns))))

"""Tables: CSV, TSV, parquet or a DataFrame with a row for each picture; Open Metric Learning's format and more."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from isometry.component import nearest
from isometry.data.data import Data
from isometry.data.folder import GALLERY, PART_OF
from isometry.data.images import Paths
from isometry.data.labels import UNKNOWN, Labels, class_ids, continuous, label_sets, text_labels
from isometry.data.targets import columns_meant, targets_in

if TYPE_CHECKING:
    from pandas import DataFrame

ALIASES = {
    "path": (
        "path",
        "image",
        "file",
        "filepath",
        "file_path",
        "filename",
        "file_name",
        "img_path",
        "image_path",
        "img",
    ),
    "label": ("label", "class", "target", "pid", "id"),
    "split": ("split", "subset", "fold", "partition"),
    "sequence": ("sequence", "cam", "camera", "camid"),
}
BOX = ("x_1", "y_1", "x_2", "y_2")
TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")


def read_table(source: "Path | DataFrame", label: str = "", label_columns: str = "") -> Data:
    """Reads a table. Columns: `path`, `label`, and optionally `split`, `is_query`, `is_gallery`, `category`,
    `sequence` and the box `x_1 x_2 y_1 y_2` (left, right, top, bottom) that is cut out.

    Labels are words or whole numbers of any size; "a|b" (or a list) is a set of labels; `label="script,letter"`, or
    columns label_0, label_1, …, are a path from the root; fractions are continuous targets, and so are columns
    target_0, target_1, … An empty label or −1 is unknown. `split` is train, validation (val) or test; query and
    gallery mean test, with the role. Other names that are understood: image, file, filepath, img_path; class,
    target, pid, id; subset, fold; camera, camid. Paths are relative to the table's folder, or to the working folder
    for a DataFrame. `label_columns="x0:x27"` makes these columns one continuous label, whole numbers too; there are
    classes then only where `label` names their column.

    Raises:
        ValueError: for a column that is missing or holds what it cannot hold.
        FileNotFoundError: for files that do not exist.
    """
    frame, root, name = load(source)
    if not len(frame):
        raise ValueError(f"{name} has no rows.")
    columns = {str(column).strip().lower(): str(column) for column in frame.columns}

    def text(wanted: str, required: bool = False) -> list[str] | None:
        for alias in ALIASES.get(wanted, (wanted,)):
            if alias in columns:
                return cells(frame[columns[alias]])
        if required:
            raise ValueError(
                f"{name} has no column {wanted!r}.{nearest(wanted, columns)} Its columns: {_listed(frame)}."
            )
        return None

    paths = text("path", required=True) or []
    split, is_query, is_gallery = roles(text("split"), text("is_query"), text("is_gallery"), name)
    category, sequence = text("category"), text("sequence")
    grouped = class_ids(category) if category else None
    labels = columns_of(frame, columns, label, label_columns, name) if label_columns else None
    return Data(
        images=Paths(existing(paths, root, name), root, boxes(text, name)),
        ids=torch.arange(len(frame)),
        name=name,
        split=split,
        is_query=is_query,
        is_gallery=is_gallery,
        category=grouped.labels if grouped else None,
        categories=grouped.classes if grouped else (),
        sequence=class_ids(sequence).labels if sequence else None,
        paths=tuple(paths),
        **(labels or labels_of(frame, columns, label or "label", name))._asdict(),
    )


def load(source: "Path | DataFrame") -> "tuple[DataFrame, str, str]":
    """The table, the folder its paths start from, and its name. Text stays text, so that no label is rounded."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source, "", "the table"
    kind = source.suffix.lower()
    try:
        if kind in (".parquet", ".pq"):
            frame = pd.read_parquet(source)
        else:
            separator = "\t" if kind in (".tsv", ".tab") else ","
            frame = pd.read_csv(source, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{source} is no table that can be read: {first}") from None
    return frame, str(source.parent), source.name


def cells(column: Any) -> list[str]:
    """The cells as text without blanks around: empty where there is nothing; whole numbers with all their digits."""
    missing = column.isna().to_numpy()
    values = column.tolist()
    if column.dtype.kind == "f" and all(
        gone or value == int(value) for value, gone in zip(values, missing, strict=True)
    ):
        values = [value if gone else int(value) for value, gone in zip(values, missing, strict=True)]  # pandas' gaps
    return ["" if gone else str(value).strip() for value, gone in zip(values, missing, strict=True)]


def columns_of(frame: "DataFrame", columns: dict[str, str], label: str, label_columns: str, name: str) -> Labels:
    """The continuous label in these columns, and the classes that `label` names besides."""
    meant = columns_meant(label_columns, [str(column) for column in frame.columns], name)
    own = dict(zip(map(str, frame.columns), frame.columns, strict=True))
    targets = targets_in({column: frame[own[column]].tolist() for column in meant}, name)
    rest = {short: column for short, column in columns.items() if column not in meant}
    if not label or (label == "label" and label not in rest):  # what older settings say where none was named
        return continuous(targets)
    return labels_of(frame, rest, label, name)._replace(targets=targets)


def labels_of(frame: "DataFrame", columns: dict[str, str], label: str, name: str) -> Labels:
    """The labels in the columns that `label` names, or in those that are called like one."""
    wanted = [part.strip() for part in label.split(",")]
    targets = _numbered(columns, "target")
    if targets:
        vectors = continuous(np.stack([frame[columns[t]].astype(float).to_numpy() for t in targets], axis=1))
        if not any(alias in columns for alias in ALIASES["label"]):
            return vectors
        return labels_of(frame, {k: v for k, v in columns.items() if k not in targets}, label, name)._replace(
            targets=vectors.targets
        )
    if wanted == ["label"] and "label" not in columns:
        other = [alias for alias in ALIASES["label"] if alias in columns][:1]
        wanted = _numbered(columns, "label") or other or wanted
    for part in wanted:
        if part.lower() not in columns:
            raise ValueError(f"{name} has no column {part!r}.{nearest(part, columns)} Its columns: {_listed(frame)}.")
    chosen = [frame[columns[part.lower()]] for part in wanted]
    first = next((v for v in chosen[0] if isinstance(v, (list, tuple, set, np.ndarray))), None)
    if first is not None:
        sets = [v if isinstance(v, (list, tuple, set, np.ndarray)) else () for v in chosen[0]]
        if all(isinstance(value, (float, np.floating)) for value in first):
            return continuous(np.stack([np.asarray(v, dtype=float) for v in sets]))
        return label_sets([[str(value) for value in v] for v in sets])
    return text_labels([cells(column) for column in chosen], tuple(wanted))


def _numbered(columns: dict[str, str], stem: str) -> list[str]:
    """`stem_0`, `stem_1`, … (or from 1) as far as there are such columns."""
    start = 0 if f"{stem}_0" in columns else 1
    found = []
    while f"{stem}_{start + len(found)}" in columns:
        found.append(f"{stem}_{start + len(found)}")
    return found


def _listed(frame: "DataFrame") -> str:
    return ", ".join(map(str, frame.columns))


def existing(paths: Sequence[str], root: str, name: str) -> list[str]:
    """The paths, all of which exist.

    Raises:
        FileNotFoundError: with the number of those that do not and the first three.
    """
    gone = [path for path in dict.fromkeys(paths) if path in UNKNOWN or not os.path.exists(os.path.join(root, path))]
    if gone:
        first = ", ".join(repr(path) for path in gone[:3]) + (", …" if len(gone) > 3 else "")
        where = f" (they start from {root})" if root else ""
        what = f"{len(gone)} files that do not exist" if len(gone) > 1 else "a file that does not exist"
        raise FileNotFoundError(f"{name} names {what}{where}: {first}")
    return list(paths)


def roles(
    split: list[str] | None, query: list[str] | None, gallery: list[str] | None, name: str
) -> tuple[tuple[str, ...] | None, Tensor | None, Tensor | None]:
    """Parts and roles. A table with roles and no split column trains on the rows without a role."""
    is_query, is_gallery = truth(query, "is_query", name), truth(gallery, "is_gallery", name)
    if split is None:
        if is_query is None and is_gallery is None:
            return None, None, None
        is_query, is_gallery = _both(is_query, is_gallery, torch.ones(len(query or gallery or ()), dtype=torch.bool))
        return tuple("test" if role else "train" for role in (is_query | is_gallery).tolist()), is_query, is_gallery
    lower = [part.lower() for part in split]
    if wrong := sorted({part for part in split if part.lower() not in PART_OF}):
        raise ValueError(f"{name} has the split {wrong[0]!r}: a split is train, validation or test.")
    parts = tuple(PART_OF[part] for part in lower)
    if {"query", *GALLERY} & set(lower) and is_query is None and is_gallery is None:
        is_query = torch.tensor([part == "query" for part in lower])
        is_gallery = torch.tensor([part in GALLERY for part in lower])
    held_out = torch.tensor([part != "train" for part in parts])
    if is_query is not None or is_gallery is not None:
        is_query, is_gallery = _both(is_query, is_gallery, held_out)
    return parts, is_query, is_gallery


def _both(is_query: Tensor | None, is_gallery: Tensor | None, held_out: Tensor) -> tuple[Tensor, Tensor]:
    """Where only one role is given, the other rows that are held out have the other one."""
    query = is_query if is_query is not None else held_out & ~is_gallery  # type: ignore[operator]
    return query, is_gallery if is_gallery is not None else held_out & ~query


def truth(column: list[str] | None, title: str, name: str) -> Tensor | None:
    """A column of yes and no; empty is no."""
    if column is None:
        return None
    lower = [cell.lower() for cell in column]
    if wrong := sorted(set(lower) - {*TRUE, *FALSE}):
        raise ValueError(f"{name} has {wrong[0]!r} in {title}: it holds 1 or 0, True or False.")
    return torch.tensor([cell in TRUE for cell in lower])


def boxes(text: Callable[[str], Any], name: str) -> np.ndarray | None:
    """Boxes (left, top, right, bottom); all 0 where a row has none."""
    columns = [text(side) for side in BOX]
    if all(column is None for column in columns):
        return None
    if any(column is None for column in columns):
        raise ValueError(f"{name} has a part of the box: it needs the columns x_1, x_2, y_1 and y_2.")
    try:
        found = np.array([[round(float(cell or 0)) for cell in column] for column in columns]).T
    except ValueError:
        raise ValueError(f"{name} has a box that is no number: x_1, x_2, y_1 and y_2 hold pixels.") from None
    empty = found.any(axis=1) & ((found[:, 0] >= found[:, 2]) | (found[:, 1] >= found[:, 3]))
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise ValueError(
            f"{name} has {int(empty.sum())} boxes without area, first in row {row}: x_1 < x_2 and y_1 < y_2."
        )
    return found

"""Tables of the Hugging Face library `datasets`: `hf:owner/name`, a table that was saved, or the object itself."""

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry.data.arrays import NAMES, read_dataset
from isometry.data.data import PARTS, Data
from isometry.data.folder import PART_OF
from isometry.data.images import PICTURES, Images
from isometry.data.labels import Labels, any_labels, class_ids, label_paths, label_sets
from isometry.data.pixels import Image, Unreadable, decode, one_line
from isometry.data.published.encoded import unpacked
from isometry.data.targets import columns_meant, targets_in

LABELS = (*NAMES, "fine_label", "label_fine", "cls", "category", "species", "breed")
CAPTIONS = ("caption", "captions", "text", "sentences")
ROWS = 4096


def is_hub(source: Any) -> bool:
    """Whether this is a table of the library `datasets`, or a dict of such tables."""
    return hasattr(source, "column_names") and (hasattr(source, "features") or isinstance(source, dict))


def read_hub_name(source: str, label: str = "", label_columns: str = "") -> Data:
    """Reads "owner/name", "owner/name:config", "owner/name@split" or "owner/name:config@split", or a folder that
    `save_to_disk` has written.

    Raises:
        ValueError: when the library is not installed, or has no such data (on this machine, if there is no network).
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise ValueError(f"hf:{source} is read by the package datasets: pip install datasets.") from None
    folder = Path(source).expanduser()
    rest, _, part = source.rpartition("@") if "@" in source else (source, "", "")
    name, _, config = rest.partition(":")
    try:
        if folder.is_dir():
            table = datasets.load_from_disk(str(folder))
        else:
            table = datasets.load_dataset(name, config or None, split=part or None)
    except Exception as error:  # the library and its network fail in many ways
        raise ValueError(f"hf:{source} cannot be read: {one_line(error)}.") from None
    return read_hub(table, label, folder.name if folder.is_dir() else name, label_columns)


def read_hub(source: Any, label: str = "", name: str = "", label_columns: str = "") -> Data:
    """Reads a table, or a dict of tables that are parts of one data set.

    The pictures are the column of type `Image`; where there are several, the one called image, img, …. Labels are the
    column called label, …, or else the only one of type `ClassLabel`; `label` names another, or several, root first,
    for a path. A column called caption, captions, text or sentences, holding words, is read as captions.
    `label_columns="x0:x27"` makes these columns (or one that holds lists of numbers) one continuous label; there are
    classes then only where `label` names a column.

    Raises:
        ValueError: when the columns do not tell what is what.
    """
    if not hasattr(source, "__len__") or not (isinstance(source, dict) or hasattr(source, "select")):
        raise ValueError(f"A {type(source).__name__} gives its rows in turn: load it without streaming=True.")
    parts, notes = parts_of(source) if isinstance(source, dict) else ({"": source}, [])
    tables = [table.with_format(None) for table in parts.values()]
    first = tables[0]
    name = name or str(getattr(getattr(first, "info", None), "dataset_name", None) or "the table")
    if not sum(map(len, tables)):
        raise ValueError(f"{name} is empty.")
    if odd := next((table for table in tables if set(table.column_names) != set(first.column_names)), None):
        raise ValueError(f"The parts of {name} have other columns: {first.column_names} and {odd.column_names}.")
    pictures = picture_column(first, name)
    if not pictures:
        if len(tables) > 1:
            raise ValueError(f"{name} has no column of type Image: {shown(first)}. Cast one: cast_column(…, Image()).")
        return read_dataset(first)
    if label_columns and label in ("", "label"):  # the latter is also what older settings say where none was named
        levels = [column for column in first.column_names if column == label]
    else:
        levels = classes_in(first, label or "label", name)
    spoken = next((c for c in CAPTIONS if c in first.column_names and c not in levels), None)
    captions = captions_of(tables, spoken) if spoken else None
    if not levels and captions is None and not label_columns:
        raise ValueError(f"{name} does not tell which column is the label (label='…'): {shown(first)}.")
    images = InTable([stored(table, pictures) for table in tables], pictures)
    labels = labels_of(tables, levels) if levels else Labels(torch.full((len(images),), -1), ())
    if label_columns:
        meant = columns_meant(label_columns, first.column_names, name)
        labels = labels._replace(targets=targets_in({column: cells(tables, column) for column in meant}, name))
    return Data(
        images=images,
        ids=torch.arange(len(images)),
        name=name,
        split=tuple(part for part, table in parts.items() for _ in range(len(table))) if "" not in parts else None,
        captions=captions,
        notes=tuple(notes),
        **labels._asdict(),
    )


def parts_of(tables: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The tables by the parts that they are; those of other names are noted. A single one is no part."""
    if len(tables) == 1:
        return {"": next(iter(tables.values()))}, []
    named = {name: PART_OF[name.lower()] for name in tables if name.lower() in PART_OF}
    if len(named) < 2 or len(set(named.values())) < len(named):
        raise ValueError(
            f"Parts are called train, validation and test; here they are {', '.join(tables)}: give one of them."
        )
    other = [name for name in tables if name not in named]
    notes = [f"the parts {', '.join(other)} were left out"] * bool(other)
    order = sorted(named, key=lambda name: PARTS.index(named[name]))
    return {named[name]: tables[name] for name in order}, notes


def kind(feature: Any) -> str:
    """What a column holds: "Image", "ClassLabel", "Value", …; the type of what is in it where it holds lists."""
    if isinstance(feature, list):
        return f"List of {kind(feature[0])}" if feature else "List"
    inner = getattr(feature, "feature", None)
    return f"List of {kind(inner)}" if inner is not None else type(feature).__name__


def shown(table: Any) -> str:
    """The columns and what they hold, for a message."""
    return ", ".join(f"{name} ({kind(feature)})" for name, feature in table.features.items())


def picture_column(table: Any, name: str) -> str | None:
    """The column of pictures; None where none has this type."""
    found = [column for column, feature in table.features.items() if kind(feature) == "Image"]
    called = [column for column in PICTURES if column in found]
    if len(found) > 1 and not called:
        raise ValueError(
            f"{name} has {len(found)} columns of pictures: {', '.join(found)}. Rename the one that is meant to 'image'."
        )
    return (called or found or [None])[0]


def classes_in(table: Any, label: str, name: str) -> list[str]:
    """The columns that hold the label, root first; none where nothing tells."""
    if label != "label":
        wanted = [column.strip() for column in label.split(",")]
        if gone := [column for column in wanted if column not in table.column_names]:
            raise ValueError(f"{name} has no column {gone[0]!r}; it has {shown(table)}.")
        return wanted
    classes = [column for column, feature in table.features.items() if kind(feature).endswith("ClassLabel")]
    called = [column for column in LABELS if column in table.column_names]
    return called[:1] or (classes if len(classes) == 1 else [])


def labels_of(tables: Sequence[Any], columns: Sequence[str]) -> Labels:
    """The labels in these columns."""
    found = [labels_in(tables, column) for column in columns]
    if len(found) == 1:
        return found[0]
    texts = [[level.classes[y] if y >= 0 else "" for y in level.labels.tolist()] for level in found]
    return label_paths(texts, tuple(columns))


def labels_in(tables: Sequence[Any], column: str) -> Labels:
    """The labels in one column, classes under their names."""
    values = cells(tables, column)
    feature = tables[0].features[column]
    if kind(feature).startswith("List"):
        inner = feature[0] if isinstance(feature, list) else feature.feature
        names = getattr(inner, "names", None)
        return label_sets([[names[v] if names else str(v) for v in value or ()] for value in values])
    if names := getattr(feature, "names", None):
        return Labels(torch.tensor([-1 if v is None else v for v in values], dtype=torch.int64), tuple(names))
    if None in values:
        return class_ids(["" if value is None else str(value) for value in values])
    return any_labels(values, len(values))


def cells(tables: Sequence[Any], column: str) -> list[Any]:
    """What a column holds, all tables after each other."""
    return [value for table in tables for value in table.select_columns([column])[:][column]]


def captions_of(tables: Sequence[Any], column: str) -> tuple[tuple[str, ...], ...] | None:
    """The captions of each picture; None where the column holds no words."""
    values = cells(tables, column)
    found = [[value] if isinstance(value, str) else value or [] for value in values]
    words = all(isinstance(value, list) and all(isinstance(word, str) for word in value) for value in found)
    return tuple(map(tuple, found)) if words else None


class InTable(Images):
    """The column of pictures in one table or several, decoded when asked for.

    A fingerprint sees how large each picture is, not its pixels.
    """

    def __init__(self, tables: Sequence[Any], column: str, rows: np.ndarray | None = None) -> None:
        self.tables, self.column, self.channels = tuple(tables), column, 3
        self.starts = np.cumsum([0, *map(len, self.tables)])
        self.rows = np.arange(self.starts[-1]) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Image:
        row = int(self.rows[index])
        table = int(np.searchsorted(self.starts, row, side="right")) - 1
        cell = self.tables[table][row - int(self.starts[table])][self.column]
        if cell is None or (cell["bytes"] is None and cell["path"] is None):
            raise Unreadable(self.where(index), "the cell is empty")
        return decode(cell["path"]) if cell["bytes"] is None else unpacked(cell["bytes"], self.where(index))

    def take(self, index: np.ndarray) -> "InTable":
        return InTable(self.tables, self.column, self.rows[index])

    def where(self, index: int) -> str:
        return f"row {int(self.rows[index])} of the table"

    def write_to(self, digest: Any) -> None:
        every = np.concatenate(
            [np.zeros(0, np.int64), *(part for table in self.tables for part in sizes(table, self.column))]
        )
        digest.update(every[self.rows].tobytes())


def stored(table: Any, column: str) -> Any:
    """This column alone, its pictures as they are stored: bytes, or the path of a file."""
    kept = table.select_columns([column])
    return kept.cast_column(column, type(kept.features[column])(decode=False))


def sizes(table: Any, column: str) -> Iterator[np.ndarray]:
    """How many bytes each picture has, without reading them; −1 where it is not there."""
    import pyarrow.compute as arrow

    for batch in table.with_format("arrow").iter(ROWS):
        for chunk in batch.column(column).chunks:
            fields = dict(zip([field.name for field in chunk.type], chunk.flatten(), strict=True))
            held = arrow.call_function("binary_length", [fields["bytes"]]).to_pylist()
            paths = fields["path"].to_pylist() if None in held else [None] * len(held)
            yield np.array([file_size(path) if n is None else n for n, path in zip(held, paths, strict=True)], np.int64)


def file_size(path: str | None) -> int:
    """How many bytes a file has; −1 where there is none."""
    return os.path.getsize(path) if path and os.path.exists(path) else -1

"""One door for every kind of data."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from isometry.component import nearest
from isometry.data.arrays import read_arrays, read_dataset
from isometry.data.data import Data
from isometry.data.folder import read_folder
from isometry.data.hub import is_hub, read_hub, read_hub_name
from isometry.data.images import Arrays, Paths
from isometry.data.pixels import Unreadable, one_line
from isometry.data.poses import read_poses
from isometry.data.rooms import read_rooms
from isometry.data.table import read_table
from isometry.data.web import read_web

TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")


def read(source: Any, *, strict: bool = False, label: str = "", label_columns: str = "") -> Data:
    """Reads labelled pictures from whatever they are in.

    Args:
        source: "glyphs" (the embedded letters), "poses" and "rooms" (drawn figures with their joints, drawn rooms with
            their layouts); a published data set by its name and folder ("cub:/data/CUB_200_2011", "subset:cub:/data/some";
            the folder alone where its layout tells what it is); a folder with one sub-folder a class ("folder:/data/x"
            where it must not be taken for anything else); a CSV, TSV or parquet file or a
            DataFrame with columns `path` and `label`; tars of WebDataset ("web:/data/{000..012}.tar"); a table of the
            library `datasets`, or its name ("hf:owner/name@train"); arrays `(images, labels)`; a torch `Dataset`; or a
            `Data`.
        strict: open every file (its header, not all of its pixels), and stop at one that is no picture. Otherwise such
            files are met, reported and left out when they are loaded.
        label: the column of a table that holds the label (unless named: `label`, or what is called like one); several, root
            first, for a path in a tree.
        label_columns: columns of a table that are one continuous label, such as "x0:x27" or "lat,lon". There are classes
            besides only where `label` names their column.

    >>> import numpy as np
    >>> read((np.zeros((4, 8, 8), np.uint8), [5, 5, 7, 7])).classes
    ('5', '7')

    Raises:
        FileNotFoundError: for a folder or file that is not there, with the nearest name that is.
        ValueError: for data that cannot be understood.
    """
    data = _read_columns(source, label, label_columns) if label_columns else _read(source, label or "label")
    if strict and isinstance(data.images, Paths):
        check_files(data.images)
    return data


def _read(source: Any, label: str) -> Data:
    if isinstance(source, Data):
        return source
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        return _drawn(text) if text in DRAWN else _read_text(text, label)
    if type(source).__module__.split(".")[0] == "pandas":
        return read_table(source, label)
    if is_hub(source):
        return read_hub(source, label)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        return read_arrays(*source)
    if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        return read_dataset(source)
    kinds = "a folder, a table, arrays (images, labels) or a torch Dataset with a length"
    raise ValueError(f"Data are 'glyphs', {kinds}; got {type(source).__name__}.")


def _drawn(name: str) -> Data:
    if Path(name).exists():
        warnings.warn(
            f"{name!r} are the drawn pictures, and not what is called so here: that is './{name}' or 'folder:{name}'.",
            stacklevel=4,
        )
    return DRAWN[name]()


def _read_columns(source: Any, label: str, label_columns: str) -> Data:
    """A table with a continuous label."""
    if not all(part.strip() for part in label_columns.split(",")):
        raise ValueError(
            f"label_columns={label_columns!r} has an empty name: write columns of numbers, such as 'x0:x27' or 'lat,lon'."
        )
    if type(source).__module__.split(".")[0] == "pandas":
        return read_table(source, label, label_columns)
    if is_hub(source):
        return read_hub(source, label, label_columns=label_columns)
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
    if text.lower().startswith("hf:"):
        return read_hub_name(text[3:], label, label_columns)
    path = Path(text).expanduser()
    if text and path.suffix.lower() in TABLES and path.is_file():
        return read_table(path, label, label_columns)
    data = _read(source, label or "label")
    raise ValueError(
        f"label_columns={label_columns!r} names columns of a table, and {data.name} is none: leave it out."
    )


def _read_text(source: str, label: str) -> Data:
    """A path, or a name before a colon and a path; what exists under the whole text is a path."""
    from isometry.data.published import named, placed, read_published

    found, given = named(source), Path(source).expanduser()
    if not given.exists() and (place := placed(source)):
        return read_published(source, place)
    if not found or given.exists():
        return _read_path(given, label)
    name, path, subset = found
    if not name:
        raise ValueError(f"{source!r} does not say which data set it is a part of: write 'subset:cub:{path}'.")
    if name.lower() in DOORS:
        return DOORS[name.lower()](path, label)
    return read_published(name, path, subset=subset)


def _read_folder(source: str, label: str) -> Data:
    return _read_path(Path(source).expanduser(), label, plain=True)


DOORS: dict[str, Callable[[str, str], Data]] = {"folder": _read_folder, "hf": read_hub_name, "web": read_web}
"""What a name before a colon opens, other than a published data set."""


def _read_path(path: Path, label: str, plain: bool = False) -> Data:
    from isometry.data.published import known_as, read_published, recognise

    if path.is_dir():
        name = None if plain else recognise(path)
        return read_published(name, path) if name else read_folder(path)
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return read_table(path, label)
        if path.suffix.lower() == ".tar":
            return read_web(str(path), label)
        if path.suffix.lower() == ".bin":
            raise ValueError(f"{path} holds pairs of faces: isometry.data.read_pairs reads it.")
        raise ValueError(f"{path} is neither a folder nor a table ({', '.join(TABLES)}).")
    if published := known_as(str(path)):
        raise FileNotFoundError(f"{path} is a published data set, read from its folder: write '{published}:FOLDER'.")
    beside = os.listdir(path.parent) if path.parent.is_dir() else []
    choice = nearest(path.name, beside) or nearest(str(path), ["glyphs"])
    where = "" if beside or not path.parent.name else f" Nor is there a folder {path.parent}."
    raise FileNotFoundError(f"There is no folder or file {path}.{choice or where}")


def read_glyphs() -> Data:
    """The embedded letters: Latin trains, Greek validates, Cyrillic, Armenian and Georgian test."""
    from isometry.data.glyphs import default_split, glyphs

    drawn = glyphs()
    scripts = tuple(sorted(set(drawn.scripts)))
    return Data(
        images=Arrays(drawn.images),
        labels=drawn.labels,
        classes=drawn.classes,
        ids=torch.arange(len(drawn.labels)),
        name="glyphs",
        split=default_split(drawn),
        hierarchy=drawn.hierarchy,
        levels=drawn.levels,
        category=torch.tensor([scripts.index(drawn.scripts[y]) for y in drawn.labels.tolist()]),
        categories=scripts,
        paths=tuple(f"{drawn.classes[y]} {face}" for y, face in zip(drawn.labels.tolist(), drawn.faces, strict=True)),
    )


DRAWN: dict[str, Callable[[], Data]] = {"glyphs": read_glyphs, "poses": read_poses, "rooms": read_rooms}
"""Data sets that come with the library: a folder of the same name is `./poses`, or `folder:poses`."""


def check_files(images: Paths) -> None:
    """Opens every file.

    Raises:
        Unreadable: for the first that is not a picture.
    """
    from PIL import Image

    for index in range(len(images)):
        path = images.where(index)
        try:
            with Image.open(path) as image:
                image.verify()
        except Exception as error:  # decoders fail in as many ways as files are damaged
            raise Unreadable(path, one_line(error)) from None

"""A folder of pictures, one sub-folder a class, with the layouts that people have."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from isometry.data.data import Data
from isometry.data.images import Paths
from isometry.data.labels import class_ids, label_paths

ENDINGS = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
           ".avif", ".jp2"}  # fmt: skip
PART_OF = {
    "train": "train", "training": "train", "trainval": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test", "query": "test", "gallery": "test", "index": "test",
}  # fmt: skip
GALLERY = ("gallery", "index")


def read_folder(root: Path) -> Data:
    """Reads `root/class/…`, `root/{train,validation,test}/class/…` or `root/{train,query,gallery}/class/…`.

    Classes may lie in further folders (`root/bird/owl/1.jpg`): the class is the whole path, and where all lie
    equally deep the path is the hierarchy. Pictures directly in `root` (or in `root/test`) have no class: −1. Hidden
    files, `__MACOSX` and files that do not end like a picture are left out, and counted in `notes`.

    Raises:
        ValueError: when there is no picture in it.
    """
    files, other = [], 0
    for path in walk(root):
        if os.path.splitext(path)[1].lower() in ENDINGS:
            files.append(path)
        else:
            other += 1
    if not files:
        raise ValueError(f"{root} holds no pictures ({other} other files): one sub-folder a class is expected.")
    parts = parts_of({path.split("/")[0] for path in files})
    classes = [path.split("/")[bool(parts) : -1] for path in files]
    depths = {len(folders) for folders in classes if folders}
    if len(depths) == 1 and (depth := depths.pop()) > 1:
        columns = [[folders[level] if folders else "" for folders in classes] for level in range(depth)]
        labels = label_paths(columns, tuple(f"level_{level}" for level in range(depth)))
    else:
        labels = class_ids(["/".join(folders) for folders in classes])
    top = [path.split("/")[0] for path in files]
    roles = {}
    if parts and any(parts[name] == "test" and name.lower() in ("query", *GALLERY) for name in parts):
        roles["is_query"] = torch.tensor([name.lower() == "query" for name in top])
        roles["is_gallery"] = torch.tensor([name.lower() in GALLERY for name in top])
    unlabelled = int((labels.labels < 0).sum())
    notes = [f"{other} files that are not pictures were left out"] * bool(other)
    notes += [f"{unlabelled} pictures lie in no class folder: their label is unknown"] * bool(unlabelled)
    return Data(
        images=Paths(files, root),
        ids=torch.arange(len(files)),
        name=root.name or str(root.resolve().name),
        split=tuple(parts[name] for name in top) if parts else None,
        paths=tuple(files),
        notes=tuple(notes),
        **roles,
        **labels._asdict(),
    )


def parts_of(folders: set[str]) -> dict[str, str]:
    """What part each folder is, if all of them are parts, and there is one to train on or a query; else nothing."""
    parts = {name: PART_OF[name.lower()] for name in folders if name.lower() in PART_OF}
    needed = "train" in parts.values() or {"query"} < {name.lower() for name in parts}
    return parts if needed and len(parts) == len(folders) and len(parts) > 1 else {}


def walk(root: Path) -> Iterator[str]:
    """Every visible file below `root`, sorted, as a relative path with slashes; linked folders are followed once."""
    seen = {os.path.realpath(root)}

    def below(folder: str) -> Iterator[str]:
        with os.scandir(os.path.join(root, folder)) as entries:
            listed = sorted((entry for entry in entries if visible(entry.name)), key=lambda entry: entry.name)
        for entry in listed:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_dir():
                yield path
            elif not entry.is_symlink():
                yield from below(path)
            elif (real := os.path.realpath(entry.path)) not in seen:
                seen.add(real)
                yield from below(path)

    yield from below("")


def visible(name: str) -> bool:
    """Whether a file or folder is meant to be seen: `._1.jpg` of a Mac's archive is not."""
    return not name.startswith(".") and name not in ("__MACOSX", "Thumbs.db", "desktop.ini")

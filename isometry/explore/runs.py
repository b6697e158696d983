"""The pictures of a run: its own training, validation and test parts, embedded by its model or by another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isometry import config
from isometry.data import Data, read, split
from isometry.data.pixels import Unreadable
from isometry.embedder import Ready
from isometry.evaluation import Embeddings
from isometry.explore.kept import kept, key
from isometry.explore.shown import Items, Mates, Part
from isometry.run import CONFIG

Say = Callable[[str], None]
BLOCK = 2048


def parts_of(run: Path, data: Any = "", label: str = "") -> list[tuple[str, Data]]:
    """The parts that the run was trained and measured on; of other data, their own parts, or all as one.

    Raises:
        ValueError, OSError: for data that are not there or cannot be read.
    """
    chosen = config.read(run / CONFIG) if (run / CONFIG).is_file() else config.Config(data="")
    own = isinstance(data, str) and data in ("", chosen.data)
    if own and not chosen.data:
        raise ValueError(f"{run} carries no data of its own: name pictures with --data.")
    try:
        columns = (chosen.label, chosen.label_columns) if own else (label, "")
        items = read(chosen.data if own else data, label=columns[0], label_columns=columns[1])
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} If the run's data have moved, name them with --data.") from None
    if own:
        made = split(items, seed=chosen.seed)
        return [(name, getattr(made, name)) for name in ("train", "validation", "test")]
    named = [name for name in ("train", "validation", "test") if name in (items.split or ())]
    return [(name, items.part(name)) for name in named] or [("all", items)]


def embedded(model: Ready, mark: str, parts: list[tuple[str, Data]], folder: Path, say: Say, workers: int = -1):
    """Embeddings of each part by this model, computed once; `mark` changes with the model."""
    found = []
    for name, data in parts:
        path = folder / f"embeddings-{key(mark, data.fingerprint(), repr(model.transform))}.safetensors"

        def make(name: str = name, data: Data = data) -> tuple[dict[str, Tensor], dict[str, Any]]:
            z, index = [], []
            for rows in torch.arange(len(data)).split(BLOCK):
                say(f"embedding {name}: {int(rows[0]):,} of {len(data):,}")
                part, at = _readable(model, data.select(rows), workers)
                z.append(part)
                index.append(rows[at])
            return {"z": torch.cat(z), "index": torch.cat(index)}, {}

        tensors, _ = kept(path, make)
        found.append((name, Embeddings(tensors["z"].float(), data.select(tensors["index"]))))
    return found


def _readable(model: Ready, data: Data, workers: int) -> tuple[Tensor, Tensor]:
    try:
        return model.embed(data, workers=workers)
    except Unreadable:  # not one of this block
        return torch.empty(0, model.dim), torch.empty(0, dtype=torch.int64)


def items_of(found: list[tuple[str, Embeddings]]) -> Items:
    """All parts, one after the other.

    Raises:
        ValueError: when no picture could be read.
    """
    parts, roles, start = [], [], 0
    for name, (z, data) in found:
        if not len(z):
            continue
        query, gallery = Embeddings(z, data).roles()
        roles.append(None if gallery is None else Mates(query + start, gallery + start))
        parts.append((Part(name, start, start + len(z)), data))
        start += len(z)
    if not start:
        raise ValueError("None of the pictures could be read: is the data's folder where it was?")
    every = [data for _, data in parts]
    shots, groups = [data.sequence for data in every], [data.category for data in every]
    return Items(
        ids=_ids(torch.cat([data.ids for data in every])),
        labels=torch.cat([data.labels for data in every]),
        classes=every[0].classes,
        parts=tuple(part for part, _ in parts),
        picture=_Pictures(parts),
        names=tuple(path for data in every for path in data.paths or ()) if all(d.paths for d in every) else (),
        groups=_joined(groups),
        group_names=every[0].categories,
        roles=tuple(roles) if any(roles) else (),
        sequence=_joined(shots),
    )


def _joined(columns: list[Tensor | None]) -> Tensor | None:
    """One column of all parts, where all have it."""
    known = [column for column in columns if column is not None]
    return torch.cat(known) if len(known) == len(columns) else None


def _ids(ids: Tensor) -> Tensor:
    """Ids that name one picture each, and that a browser counts exactly; else their rows."""
    sound = len(torch.unique(ids)) == len(ids) and int(ids.min()) >= 0 and int(ids.max()) < 2**53
    return ids if sound else torch.arange(len(ids))


class _Pictures:
    """The picture of a row as a PIL image; None where it cannot be read any more."""

    def __init__(self, parts: list[tuple[Part, Data]]) -> None:
        self.parts = parts

    def __call__(self, row: int) -> Any:
        from PIL import Image

        for part, data in self.parts:
            if part.start <= row < part.stop:
                try:
                    pixels = data.images[row - part.start].permute(1, 2, 0).numpy()
                except (Unreadable, OSError):
                    return None
                return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
        return None

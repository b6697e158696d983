"""What is exported, and the pictures that it is compared on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isometry import config
from isometry.bundle import is_bundle, read
from isometry.config import Config
from isometry.data import Data, split
from isometry.data import read as read_data
from isometry.embedder import WEIGHTS, Ready, load
from isometry.run import CONFIG

PICTURES = 5000
"""Pictures that are compared, at most."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model with what is known of it, and pictures.

    Attributes:
        name, digest: what it is called; SHA-256 of a bundle's manifest, or of a run's weights.
        similarity, relate: what embeddings are compared by, and what labels say of pairs, as text.
        classes, thresholds: names of the classes that it was trained on, and thresholds; empty and None where unknown.
        data: pictures that the export is compared on.
        learn: pictures that codes learn from; None: `data`.
        notes: what a user should know of them.
    """

    ready: Ready
    name: str
    digest: str
    similarity: str
    relate: str
    classes: tuple[str, ...]
    thresholds: dict[str, Any] | None
    data: Data
    learn: Data | None
    notes: tuple[str, ...]


def source(path: str | Path, data: Any = "", *, label: str = "", label_columns: str = "", pictures: int) -> Source:
    """A run's folder, its weights, or a bundle; with its own test pictures, or with `data`.

    Raises:
        ValueError, OSError: for what is no model, and where there are no pictures.
    """
    if is_bundle(path):
        return _bundle(path, data, label, label_columns, pictures)
    ready, folder = load(path), Path(path) if Path(path).is_dir() else Path(path).parent
    known = (folder / CONFIG).is_file()
    chosen = config.read(folder / CONFIG) if known else Config()
    own = isinstance(data, str) and not data
    if own and not known:
        raise ValueError(f"An export is compared with the model on real pictures, and {path} names none: {NAME_SOME}")
    learn, classes = None, ()
    if own:
        try:
            items = read_data(chosen.data, label=chosen.label, label_columns=chosen.label_columns)
        except (OSError, ValueError) as error:
            why = " ".join(str(error).split()).rstrip(".")
            raise ValueError(f"The run's own pictures cannot be read ({why}): {NAME_SOME}") from None
        parts = split(items, seed=chosen.seed)
        items, learn = parts.test, some(parts.train, pictures)
        classes = tuple(parts.train.classes[int(c)] for c in parts.train.present())
    else:
        items = read_data(data, label=label, label_columns=label_columns)
    held = folder / WEIGHTS if Path(path).is_dir() else Path(path)
    return Source(
        ready=ready,
        name=folder.resolve().name,
        digest=hashlib.sha256(held.read_bytes()).hexdigest(),
        similarity=str(ready.note.get("similarity", chosen.similarity)),
        relate=chosen.relate if own else "",
        classes=classes,
        thresholds=None,
        data=some(items, pictures),
        learn=learn,
        notes=_notes(items, pictures),
    )


NAME_SOME = "name some with --data (a folder, a table, glyphs, …)."


def _bundle(path: str | Path, data: Any, label: str, label_columns: str, pictures: int) -> Source:
    held = read(path)
    if isinstance(data, str) and not data:
        raise ValueError(
            f"An export is compared with the model on real pictures, and a bundle carries none (a gallery holds "
            f"embeddings): {NAME_SOME}"
        )
    items = read_data(data, label=label, label_columns=label_columns)
    return Source(
        ready=held,
        name=held.name,
        digest=held.digest,
        similarity=held.similarity,
        relate="",
        classes=held.classes,
        thresholds=held.thresholds.as_json(),
        data=some(items, pictures),
        learn=None,
        notes=_notes(items, pictures),
    )


def some(data: Data, pictures: int) -> Data:
    """All, or whole classes in a random order for as long as there is room; of two large classes, and without classes, any."""
    if len(data) <= pictures or any(role is not None for role in (data.is_query, data.is_gallery, data.judged)):
        return data
    drawn = torch.Generator().manual_seed(0)
    present = data.present()
    if len(present) < 2:
        return data.select(torch.randperm(len(data), generator=drawn)[:pictures].sort().values)
    order = present[torch.randperm(len(present), generator=drawn)]
    counts = torch.bincount(data.labels[data.labels >= 0])[order]
    kept = order[: max(2, int((counts.cumsum(0) <= pictures).sum()))]
    rows = torch.isin(data.labels, kept).nonzero()[:, 0]
    return data.select(rows[torch.randperm(len(rows), generator=drawn)[:pictures].sort().values])


def _notes(items: Data, pictures: int) -> tuple[str, ...]:
    kept = len(some(items, pictures))
    if kept == len(items):
        return ()
    return (f"compared on {kept:,} of {len(items):,} pictures, drawn at random; --pictures asks for more",)

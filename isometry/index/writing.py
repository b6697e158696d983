"""A new segment of a gallery, written a few rows at a time."""

import json
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.index import segment as file
from isometry.index.files import Sink, mapped, settle, stated
from isometry.index.items import PART_NAMES, Items, refuse_twice
from isometry.index.manifest import Entry


class Writing:
    """A new segment. Nothing of it is kept in memory but 8 bytes a row, and names of classes."""

    def __init__(self, folder: Path) -> None:
        self.path, self.dim, self.rows = folder / f"s-{secrets.token_hex(6)}", 0, 0
        self.path.mkdir()
        self._classes: dict[str, int] = {}
        self._roots: dict[str, int] = {}
        self._ids: list[Tensor] = []
        self._ends = {file.PATHS: 0, file.PICTURES: 0}
        self._sinks = {name: Sink(self.path / name) for name in file.COLUMNS}

    def add(
        self, z: Float[Tensor, "n d"], items: Items, pictures: Sequence[bytes] = (), roots: Sequence[str] = ()
    ) -> None:
        """More rows.

        Args:
            pictures: small ones as files hold them; b"" where there is none.
            roots: the folder that each path starts from; "" where it is not known.

        Raises:
            ValueError: for rows of another dimension, or not one item and picture for each.
        """
        pictures, roots = pictures or [b""] * len(z), roots or [""] * len(z)
        if not len(z) == len(items) == len(pictures) == len(roots) or (self.rows and z.shape[1] != self.dim):
            have = f"{list(z.shape)} embeddings, {len(items)} items, {len(pictures)} pictures"
            raise ValueError(f"There is one item and one picture for each embedding, all of one dimension; got {have}.")
        sinks = self._sinks
        sinks[file.VECTORS].rows(z.float())
        sinks[file.IDS].rows(items.ids)
        sinks[file.LABELS].rows(_numbers(items.labels, self._classes))
        sinks[file.PLACES].rows(_numbers(roots, self._roots))
        sinks[file.PARTS].rows(torch.tensor([PART_NAMES.index(part) for part in items.parts], dtype=torch.uint8))
        self._texts(file.PATHS, file.PATH_ENDS, [path.encode(errors="surrogateescape") for path in items.paths])
        self._texts(file.PICTURES, file.PICTURE_ENDS, pictures)
        self._ids.append(items.ids.clone())
        self.rows, self.dim = self.rows + len(z), z.shape[1]

    def _texts(self, content: str, ends: str, texts: Sequence[bytes]) -> None:
        self._sinks[content].write(b"".join(texts))
        end = torch.tensor([len(text) for text in texts], dtype=torch.int64).cumsum(0) + self._ends[content]
        self._sinks[ends].rows(end)
        self._ends[content] = int(end[-1]) if len(end) else self._ends[content]

    def vectors(self) -> Float[Tensor, "n d"]:
        """The embeddings so far, memory-mapped."""
        self._sinks[file.VECTORS].flush()
        return mapped(self.path / file.VECTORS, self.rows, self.dim)

    def close(self) -> Entry:
        """Nothing more comes. A file `index` in the folder, which the kind of the base has written, belongs to it.

        Raises:
            ValueError: when an id is there twice.
        """
        ids = torch.cat([torch.empty(0, dtype=torch.int64), *self._ids])
        self._ids.clear()
        if not bool((ids[1:] > ids[:-1]).all()):
            refuse_twice(ids)
            self._sinks[file.ORDER] = Sink(self.path / file.ORDER)
            self._sinks[file.ORDER].rows(ids.argsort())
        for name, names in ((file.CLASSES, self._classes), (file.ROOTS, self._roots)):
            self._sinks[name] = Sink(self.path / name)
            self._sinks[name].write(json.dumps(list(names)).encode())
        files = [asdict(sink.close()) for sink in self._sinks.values()]
        files += [asdict(stated(self.path / file.SEARCHER))] if (self.path / file.SEARCHER).exists() else []
        meta = Sink(self.path / file.META)
        meta.write(json.dumps({"rows": self.rows, "dim": self.dim, "files": files}, indent=1).encode())
        whole = meta.close()
        settle(self.path)
        return Entry(name=self.path.name, rows=self.rows, sha256=whole.sha256)

    def abandon(self) -> None:
        """Takes it all back."""
        for sink in self._sinks.values():
            sink.abandon()
        shutil.rmtree(self.path, ignore_errors=True)


def _numbers(names: Sequence[str], known: dict[str, int]) -> Tensor:
    """The number of each name, −1 for none; new names are added to those known."""
    return torch.tensor([known.setdefault(x, len(known)) if x else -1 for x in names], dtype=torch.int32)

"""A part of a gallery that never changes: embeddings, ids, labels, paths and small pictures of some rows, in files."""

import copy
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.bundle import Refused
from isometry.index.files import Stated, checked, mapped
from isometry.index.items import PART_NAMES, Items
from isometry.index.kinds import Flat
from isometry.index.kinds.kind import Kind, Searcher
from isometry.index.manifest import Entry

META, CLASSES, ROOTS, SEARCHER = "segment.json", "classes.json", "roots.json", "index"
VECTORS, IDS, ORDER, LABELS, PARTS, PLACES = "vectors.f4", "ids.i8", "order.i8", "labels.i4", "parts.u1", "roots.i4"
PATHS, PATH_ENDS, PICTURES, PICTURE_ENDS = "paths.u1", "path_ends.i8", "pictures.u1", "picture_ends.i8"
COLUMNS = (VECTORS, IDS, LABELS, PARTS, PLACES, PATHS, PATH_ENDS, PICTURES, PICTURE_ENDS)
ROWS = 16384  # that are copied at once


class Rows(NamedTuple):
    """Some rows, whole."""

    z: Float[Tensor, "n d"]
    items: Items
    pictures: list[bytes]
    roots: list[str]


class Segment:
    """Rows of a gallery, memory-mapped.

    Args:
        kind: how they are searched; the file `index` is its.

    Raises:
        FileNotFoundError: when a file is not there (another process may have put another segment in its place).
        Refused: when a file has another size, or `segment.json` is not what the gallery says.
    """

    def __init__(self, folder: Path, entry: Entry, kind: Kind, compare: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.folder, self.entry, self.path = folder, entry, folder / entry.name
        self.kind, self.compare = kind, compare
        meta = self._meta()
        n, self.dim = meta["rows"], meta["dim"]
        self.files = [Stated(**one) for one in meta["files"]]
        for file in self.files:
            where, have = self.path / file.name, (self.path / file.name).stat().st_size
            if have != file.size:
                raise Refused(f"{where} has {have:,} bytes and should have {file.size:,}: it is truncated or damaged.")
        self.z, self.ids = mapped(self.path / VECTORS, n, self.dim), mapped(self.path / IDS, n)
        self.order = mapped(self.path / ORDER, n) if any(f.name == ORDER for f in self.files) else None
        self.labels, self.parts, self.places = (
            mapped(self.path / LABELS, n), mapped(self.path / PARTS, n), mapped(self.path / PLACES, n)
        )  # fmt: skip
        self.classes: tuple[str, ...] = tuple(json.loads((self.path / CLASSES).read_bytes()))
        self.roots: tuple[str, ...] = tuple(json.loads((self.path / ROOTS).read_bytes()))
        self._paths, self._pictures = Texts(self.path, PATHS, PATH_ENDS, n), Texts(self.path, PICTURES, PICTURE_ENDS, n)
        self._leave_out(entry)

    def _leave_out(self, entry: Entry) -> None:
        self.entry, n = entry, len(self.ids)
        self.alive: Bool[Tensor, " n"] | None = None
        if entry.dead is not None:
            dead = mapped(self.folder / entry.dead.name, entry.dead.size // 8)
            self.alive = torch.ones(n, dtype=torch.bool).index_fill_(0, dead, False)
        self.count = n if self.alive is None else int(self.alive.sum())

    def but(self, entry: Entry) -> "Segment":
        """The same rows, others of them deleted. What has been opened stays so: an index is not read again."""
        made = copy.copy(self)
        made._leave_out(entry)
        return made

    def _meta(self) -> dict:
        path = self.path / META
        try:
            checked(path, Stated(name=META, size=path.stat().st_size, sha256=self.entry.sha256))
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refused(f"{path} cannot be read ({error.strerror}).") from None

    def __len__(self) -> int:
        """Rows that are not deleted."""
        return self.count

    @functools.cached_property
    def searcher(self) -> Searcher:
        """As the kind searches them.

        Raises:
            FileNotFoundError, Refused: as for the segment.
        """
        if isinstance(self.kind, Flat):
            return self.exact
        try:
            return self.kind.read(self.path / SEARCHER, self.z, compare=self.compare)
        except ValueError as error:
            if not (self.path / SEARCHER).exists():
                raise FileNotFoundError(f"There is no {self.path / SEARCHER}: index again.") from None
            raise Refused(str(error)) from None

    @functools.cached_property
    def exact(self) -> Searcher:
        """All of them, looked at."""
        return Flat().build(self.z, compare=self.compare)

    def search(
        self, z: Float[Tensor, "q d"], k: int, keep: Int64[Tensor, " m"] | None, *, exact: bool
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Similarities and ids of the nearest that are not deleted, and among `keep` where it is given."""
        mask = self.alive
        if keep is not None:
            rows = self.rows_of(keep)
            mask = torch.zeros(len(self.ids), dtype=torch.bool).index_fill_(0, rows[rows >= 0], True)
        if not len(self) or (mask is not None and not bool(mask.any())):
            return torch.full((len(z), k), -torch.inf), torch.full((len(z), k), -1)
        scores, rows = (self.exact if exact else self.searcher).search(z, k, mask)
        return scores, torch.where(rows >= 0, self.ids[rows.clamp_min(0)], -1)

    def rows_of(self, ids: Int64[Tensor, " k"]) -> Int64[Tensor, " k"]:
        """The row of each id; −1 where it is not here, or deleted."""
        n = len(self.ids)
        if not n:
            return torch.full_like(ids, -1)
        at = torch.searchsorted(self.ids, ids, sorter=self.order).clamp_max(n - 1)
        at = at if self.order is None else self.order[at]
        here = self.ids[at] == ids
        return torch.where(here if self.alive is None else here & self.alive[at], at, -1)

    def rows(self) -> Int64[Tensor, " k"]:
        """All rows that are not deleted."""
        return torch.arange(len(self.ids)) if self.alive is None else self.alive.nonzero()[:, 0]

    def whole(self) -> Iterator[Rows]:
        """All that is not deleted, some at a time."""
        for rows in self.rows().split(ROWS):
            yield Rows(self.z[rows], self.items(rows), self.pictures(rows), self.places_of(rows))

    def items(self, rows: Int64[Tensor, " k"]) -> Items:
        """What is known of some rows."""
        names = [self.classes[c] if c >= 0 else "" for c in self.labels[rows].tolist()]
        paths = [text.decode(errors="surrogateescape") for text in self._paths.at(rows)]
        parts = [PART_NAMES[p] for p in self.parts[rows].tolist()]
        return Items(ids=self.ids[rows], labels=tuple(names), paths=tuple(paths), parts=tuple(parts))

    def pictures(self, rows: Int64[Tensor, " k"]) -> list[bytes]:
        """Small pictures, as files hold them; b"" where there is none."""
        return self._pictures.at(rows)

    def places_of(self, rows: Int64[Tensor, " k"]) -> list[str]:
        """The folder that each path starts from; "" where it is not known."""
        return [self.roots[r] if r >= 0 else "" for r in self.places[rows].tolist()]

    def check(self) -> None:
        """Reads all files.

        Raises:
            Refused: for the first that is not what was written.
        """
        for file in self.files:
            checked(self.path / file.name, file)
        if self.entry.dead is not None:
            checked(self.folder / self.entry.dead.name, self.entry.dead)


class Texts:
    """Pieces of bytes that lie one after the other in a file, and where each ends in another."""

    def __init__(self, path: Path, content: str, ends: str, n: int) -> None:
        self.ends = mapped(path / ends, n)
        self.content = mapped(path / content, int(self.ends[-1]) if n else 0).numpy()

    def at(self, rows: Int64[Tensor, " k"]) -> list[bytes]:
        """Some of them."""
        before = torch.where(rows > 0, self.ends[(rows - 1).clamp_min(0)], 0)
        return [self.content[a:b].tobytes() for a, b in zip(before.tolist(), self.ends[rows].tolist(), strict=True)]

"""Vectors in the gallery's own folder: segments that never change, and lists of what is deleted of each."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.bundle import Refused
from isometry.index.arranging import arranged, kind_of
from isometry.index.files import Sink
from isometry.index.folder import Folder
from isometry.index.items import Items
from isometry.index.kinds import Flat
from isometry.index.manifest import Entry, Manifest
from isometry.index.segment import Segment
from isometry.index.stores.store import Adding
from isometry.index.writing import Writing
from isometry.protocols.retrieval import geometry

TRIES = 50  # times that a reader looks again when a writer has just replaced what it was about to open
FEW = 10  # a search says so when more than one in so many was added or deleted since the base was made
T = TypeVar("T")


class Held(NamedTuple):
    """A generation, opened."""

    manifest: Manifest
    segments: tuple[Segment, ...]


class Embedded:
    """The vectors of a gallery's folder. The base is searched as its kind does; what was added later, exactly.

    Segments that are no more than twice as large as all that came after them are merged with it, so there are few: about
    log₂ of what was added. A base with an index of its own is left as it is until `compact`.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.compare = geometry(folder.manifest.similarity)[1]
        self._held = self._open(())

    @property
    def manifest(self) -> Manifest:
        """Of the generation that is searched."""
        return self._held.manifest

    def _open(self, before: tuple[Segment, ...]) -> Held:
        for _ in range(TRIES):
            now = self.folder.manifest
            have = {(segment.entry.name, segment.entry.sha256, repr(segment.kind)): segment for segment in before}
            kinds = [kind_of(now), *[Flat()] * len(now.segments)]
            try:
                opened = []
                for entry, kind in zip(now.segments, kinds, strict=False):
                    old = have.get((entry.name, entry.sha256, repr(kind)))
                    new = Segment(self.folder.path, entry, kind, self.compare) if old is None else old
                    opened.append(new if new.entry == entry else new.but(entry))
                return Held(now, tuple(opened))
            except FileNotFoundError as error:
                if not self.folder.refresh():  # nobody has replaced it: it is lost
                    raise Refused(f"{self.folder.path} lacks {error.filename}: restore it, or index again.") from None
        raise Refused(f"{self.folder.path} is rewritten faster than it can be read: try again.")

    def refresh(self) -> bool:
        self.folder.refresh()
        changed = self.folder.manifest != self._held.manifest
        if changed:
            self._held = self._open(self._held.segments)
        return changed

    def __len__(self) -> int:
        return sum(map(len, self._held.segments))

    def ids(self) -> Int64[Tensor, " n"]:
        return torch.cat([torch.empty(0, dtype=torch.int64), *(s.ids[s.rows()] for s in self._held.segments)])

    def classes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for segment in self._held.segments for name in segment.classes))

    def search(
        self, z: Float[Tensor, "q d"], k: int, keep: Int64[Tensor, " m"] | None = None, *, exact: bool = False
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        try:
            segments = self._held.segments
            found = [segment.search(z, k, keep, exact=exact) for segment in segments]
        except FileNotFoundError:  # an index that was not read before a compaction replaced it
            if not self.refresh():
                raise
            return self.search(z, k, keep, exact=exact)
        scores, ids = torch.full((len(z), k), -torch.inf), torch.full((len(z), k), -1)
        for more, named in found:
            scores, order = torch.cat([scores, more], 1).sort(dim=1, descending=True, stable=True)
            scores, ids = scores[:, :k], torch.cat([ids, named], 1).gather(1, order)[:, :k]
        return scores, ids

    def has(self, ids: Int64[Tensor, " n"]) -> list[bool]:
        rows = [segment.rows_of(ids) >= 0 for segment in self._held.segments]
        return torch.stack([torch.zeros(len(ids), dtype=torch.bool), *rows]).any(0).tolist()

    def items(self, ids: Int64[Tensor, " n"]) -> Items:
        def rows(segment: Segment, rows: Tensor) -> list[tuple[str, str, str]]:
            found = segment.items(rows)
            return list(zip(found.labels, found.paths, found.parts, strict=True))

        found = self._each(ids, rows)
        labels, paths, parts = zip(*found, strict=True) if found else ((), (), ())
        return Items(ids=ids, labels=labels, paths=paths, parts=parts)

    def vectors(self, ids: Int64[Tensor, " n"]) -> Float[Tensor, "n d"]:
        z = torch.empty(len(ids), self._held.segments[0].dim if self._held.segments else 0)
        for segment, places, rows in self._found(ids):
            z[places] = segment.z[rows]
        return z

    def pictures(self, ids: Int64[Tensor, " n"]) -> list[bytes]:
        return self._each(ids, Segment.pictures)

    def roots(self, ids: Int64[Tensor, " n"]) -> list[str]:
        return self._each(ids, Segment.places_of)

    def _each(self, ids: Int64[Tensor, " n"], look: Callable[[Segment, Tensor], Sequence[T]]) -> list[T]:
        """What `look` finds for each id, in order."""
        found: dict[int, T] = {}
        for segment, places, rows in self._found(ids):
            found.update(zip(places.tolist(), look(segment, rows), strict=True))
        return [found[i] for i in range(len(ids))]

    def _found(self, ids: Int64[Tensor, " n"]) -> list[tuple[Segment, Tensor, Tensor]]:
        """For each segment that has some of the ids: places in `ids`, and rows.

        Raises:
            KeyError: for an id that is nowhere.
        """
        missing, parts = torch.ones(len(ids), dtype=torch.bool), []
        for segment in self._held.segments:
            rows = segment.rows_of(ids)
            places = (rows >= 0).nonzero()[:, 0]
            if len(places):
                parts.append((segment, places, rows[places]))
                missing[places] = False
        if bool(missing.any()):
            raise KeyError(f"There is no picture {int(ids[missing][0])} in {self.folder.path}.")
        return parts

    def beside(self) -> str:
        now = self._held.manifest
        if isinstance(kind_of(now), Flat):
            return ""
        base, new = now.segments[0], sum(map(left, now.segments[1:]))
        gone = base.rows - left(base)
        if (new + gone) * FEW < base.rows:
            return ""
        return f", beside {new:,} added and {gone:,} deleted since: isometry compact folds them in"

    def check(self) -> None:
        for segment in self._held.segments:
            segment.check()

    @contextmanager
    def _writing(self) -> Iterator[Held]:
        """The newest generation, while nobody else changes it; what has come of it is held afterwards."""
        with self.folder.writing():
            self._held = self._open(self._held.segments)
            yield self._held
            self._held = self._open(self._held.segments)

    def fill(self, rows: Callable[[Adding], None]) -> int:
        with self._writing() as held:
            new = Writing(self.folder.path)
            try:
                rows(new)
                entry = new.close()
            except BaseException:
                new.abandon()
                raise
            if not entry.rows:
                return 0
            made = Segment(self.folder.path, entry, Flat(), self.compare)
            old = [self._without(segment, made.ids) for segment in held.segments]
            next_id = max(held.manifest.next_id, int(made.ids.max()) + 1)
            segments = self._merged(held.manifest, [*old, entry])
            self.folder.commit(dataclasses.replace(held.manifest, segments=segments, next_id=next_id))
        return entry.rows

    def delete(self, ids: Int64[Tensor, " n"]) -> int:
        with self._writing() as held:
            segments = tuple(self._without(segment, torch.unique(ids)) for segment in held.segments)
            count = sum(map(left, held.manifest.segments)) - sum(map(left, segments))
            if count:
                self.folder.commit(dataclasses.replace(held.manifest, segments=segments))
        return count

    def _without(self, segment: Segment, ids: Int64[Tensor, " n"]) -> Entry:
        """A segment with these deleted."""
        rows = segment.rows_of(ids)
        rows = rows[rows >= 0]
        if not len(rows):
            return segment.entry
        before = (~segment.alive).nonzero()[:, 0] if segment.alive is not None else rows[:0]
        file = Sink(self.folder.path / f"d-{self.folder.new()}.i8")
        file.rows(torch.cat([before, rows]).sort().values)
        return dataclasses.replace(segment.entry, dead=file.close())

    def _merged(self, now: Manifest, entries: list[Entry]) -> tuple[Entry, ...]:
        """The last segments in one, as long as the one before is no more than twice as large."""
        first = 0 if isinstance(kind_of(now), Flat) else 1
        at = len(entries) - 1
        while at > first and left(entries[at - 1]) <= 2 * sum(map(left, entries[at:])):
            at -= 1
        return (*entries[:at], *self._one(entries[at:])) if at < len(entries) - 1 else tuple(entries)

    def _one(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Segments copied into one, without what is deleted."""
        new = Writing(self.folder.path)
        try:
            self._copy(entries, new)
            return (new.close(),) if new.rows else ()
        except BaseException:
            new.abandon()
            raise

    def _copy(self, entries: Sequence[Entry], new: Writing) -> None:
        for entry in entries:
            for rows in Segment(self.folder.path, entry, Flat(), self.compare).whole():
                new.add(*rows)

    def compact(self, tell: Callable[[str], None]) -> None:
        with self._writing() as held:
            now, new = held.manifest, Writing(self.folder.path)
            try:
                self._copy(now.segments, new)
                kind, measured = (
                    arranged(new, now.asked, now.recall, self.compare, tell) if new.rows else ("Flat()", ())
                )
                segments = (new.close(),) if new.rows else ()
            except BaseException:
                new.abandon()
                raise
            self.folder.commit(dataclasses.replace(now, segments=segments, kind=kind, measured=measured))


def left(entry: Entry) -> int:
    """Rows that are not deleted."""
    return entry.rows - (entry.dead.size // 8 if entry.dead else 0)

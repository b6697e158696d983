"""A gallery on disk, as its user has it: pictures in, what is like them out."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.index.files import checked
from isometry.index.given import Vectors
from isometry.index.items import LAST, items_of, numbers, refuse_twice
from isometry.index.manifest import Manifest
from isometry.index.reading import Ids, Reading
from isometry.index.segment import Rows
from isometry.index.sources import rows_of, source
from isometry.index.stores.store import Adding


class Index(Reading):
    """Pictures to search, in a folder. `isometry.index.read("gallery/")` gives one.

    Any number of processes may read a gallery; one at a time may change it. A change is there whole or not at all, and others
    see it after `refresh()`.

    Attributes:
        name: what the pictures are called.
        similarity: what embeddings are compared by, as text. dim: dimensions of the model's embeddings.
        left_out: how many pictures of the data that were added last could not be read.
    """

    def add(
        self,
        images: Any,
        *,
        labels: Sequence[str] | None = None,
        ids: Ids | None = None,
        paths: Sequence[str] | None = None,
        parts: Sequence[str] | None = None,
        workers: int = 0,
    ) -> Int64[Tensor, " n"]:
        """Adds pictures, all or none. Those with ids that exist take the place of what was there.

        Args:
            images: as `search` takes them.
            ids: 64 bits, not negative; above all so far unless given.
            paths: what each is called; files' own unless given.
            parts: "train", "validation" or "test"; unknown unless given.

        Returns:
            Their ids.

        Raises:
            ValueError: for pictures that cannot be read, or not one label, id and path for each.
            InUse: when another writer has the gallery.
        """
        z, small = self._embedded(images, side=self.folder.manifest.side, workers=workers)
        files = all(isinstance(image, (str, os.PathLike)) for image in images)
        roots = [os.getcwd()] * len(z) if files and paths is None else [""] * len(z)
        paths = [os.fspath(image) for image in images] if files and paths is None else paths
        return self._added(z, ids, (labels, paths, parts), small, roots)

    def add_vectors(
        self,
        z: Float[Tensor, "n d"],
        *,
        labels: Sequence[str] | None = None,
        ids: Ids | None = None,
        paths: Sequence[str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> Int64[Tensor, " n"]:
        """Adds embeddings of the gallery's model, as `add` adds pictures.

        Raises:
            ValueError: for embeddings of another dimension or that are not finite, or not one label, id and path for each.
            InUse: when another writer has the gallery.
        """
        return self._added(z, ids, (labels, paths, parts), [b""] * len(z), [""] * len(z))

    def add_data(self, data: Any, *, label: str = "", workers: int = -1) -> Int64[Tensor, " n"]:
        """Adds all that `isometry.index.build` takes as data; pictures that cannot be read are left out.

        Returns:
            Their ids, above all so far. Embeddings with ids of their own keep these, and take the place of what was there.
        """
        items = source(data, label)

        def fill(new: Adding, first: int) -> Tensor:
            given = items.items.ids if isinstance(items, Vectors) and items.given else None
            ids, added = _ids(given, len(items), first), []
            for rows in rows_of(items, lambda: self.model, self.folder.manifest, ids, workers):
                new.add(*rows)
                added.append(rows.items.ids)
            return torch.cat(added)

        self.left_out = 0
        added = self._fill(fill)
        self.left_out = len(items) - len(added)
        return added

    def update(
        self, ids: Ids, images: Any, *, labels: Sequence[str] | None = None, paths: Sequence[str] | None = None
    ) -> None:
        """Puts other pictures in the place of those with these ids; labels stay unless given, and so do parts.

        Raises:
            KeyError: for an id that is not in the gallery.
            ValueError: as for `add`.
        """
        before = self.items(ids)
        labels = before.labels if labels is None else labels
        self.add(images, labels=labels, ids=ids, paths=paths, parts=before.parts)

    def delete(self, ids: Ids) -> int:
        """Removes what there is of these; how many that was.

        Raises:
            InUse: when another writer has the gallery.
        """
        with self._changing() as now:
            count = self.store.delete(numbers(ids))
            if count:
                self._told(now, now.next_id)
        return count

    def compact(self, tell: Callable[[str], None] = lambda text: None) -> None:
        """Makes a new base of all pictures, without what was deleted; how it is searched is chosen anew, unless it was asked
        for. Until it is finished the gallery is searched as before.

        Raises:
            InUse: when another writer has the gallery.
        """
        with self._changing():
            self.store.compact(tell)

    def check(self) -> None:
        """Reads all files.

        Raises:
            Refused: for the first that is not what was written.
        """
        self.store.check()
        model = self.folder.manifest.model
        checked(self.path / model.name, model)
        for name in self.folder.manifest.attached:
            self.attached(name)

    def beside(self) -> str:
        """What a search looks at besides the base, as text; "" where that is little."""
        return self.store.beside()

    def attach(self, name: str, content: bytes) -> None:
        """Keeps a file with the gallery, in place of one of the same name."""
        with self._changing():
            self.folder.attach(name, content)
        self.store.refresh()

    def _added(
        self, z: Tensor, ids: Ids | None, known: tuple[Sequence[str] | None, ...], small: list[bytes], roots: list[str]
    ) -> Int64[Tensor, " n"]:
        z = self._prepared(z)

        def fill(new: Adding, first: int) -> Tensor:
            number = _ids(ids, len(z), first)
            new.add(*Rows(z, items_of(number, *known), small, roots))
            return number

        return self._fill(fill)

    def _fill(self, fill: Callable[[Adding, int], Tensor]) -> Int64[Tensor, " n"]:
        """Adds what `fill` hands over, and gives its ids; it is told the first id that is free."""
        added: list[Tensor] = []
        with self._changing() as now:
            self.store.fill(lambda new: added.append(fill(new, now.next_id)))
            top = int(added[0].max()) + 1 if len(added[0]) else 0
            self._told(now, max(now.next_id, top))
        return added[0]

    @contextmanager
    def _changing(self) -> Iterator[Manifest]:
        """Keeps other writers out. What is to be changed is the gallery that was opened, and not another in its place."""
        with self.folder.writing() as now:
            if now.origin != self.origin:
                raise ValueError(
                    f"{self.path} holds another gallery than the one that was opened: refresh, and look again."
                )
            yield now

    def _told(self, before: Manifest, next_id: int) -> None:
        """Counts a change of vectors that lie elsewhere: the folder does not see it."""
        if before.store:
            self.folder.commit(dataclasses.replace(before, next_id=next_id))


def read(path: str | Path) -> Index:
    """The gallery in a folder.

    Raises:
        FileNotFoundError: when there is none.
        Refused: when it is truncated, damaged or newer.
    """
    return Index(path)


def _ids(ids: Ids | None, n: int, first: int) -> Int64[Tensor, " n"]:
    """Ids as they were given, else the first that are free.

    Raises:
        ValueError: when there is not one for each, or one is negative or there twice.
    """
    if ids is None:
        if first + n > LAST:
            raise ValueError(f"{n} pictures need ids, and the highest that there is has been given away: name them.")
        return torch.arange(first, first + n)
    number = numbers(ids)
    if len(number) != n:
        raise ValueError(f"There are {n} pictures and {len(number)} ids.")
    if n and int(number.min()) < 0:
        raise ValueError(f"Ids are not negative; got {int(number.min())}.")
    refuse_twice(number)
    return number

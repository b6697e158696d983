"""A published data set: how it lies on disk, how it is read, what it must hold, and where it is published."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isometry.component import nearest
from isometry.data.data import Data
from isometry.data.published.checksums import checksums
from isometry.data.published.counts import check_counts, counts
from isometry.data.published.layout import Missing, there


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is known of a published data set. A reader only reads; all that is checked is checked here.

    Attributes:
        title: what it is called; the name of the data read from it.
        read: from the folder that holds it to `Data`; files need not be looked for, nor counts checked.
        home: the archive and where it is published.
        marks: files and folders that lie in it; several tuples for several layouts of the same data.
        folders: what the archive unpacks to: the folder above is understood as well.
        annotations: files whose checksums are written down on first use, those that are there.
        verified: counts that are sure: others are refused. recalled: counts that are not: others only warn.
        unlike: files that tell another data set of the same layout.
        by_itself: whether a bare folder of this layout is read as this; not for a second reading of the same files.
        advice: what most often went wrong where a count differs.
        place: where a package of the system puts it: it is read from there when only its name is given.
    """

    title: str
    read: Callable[[Path], Data]
    home: str
    marks: tuple[tuple[str, ...], ...]
    folders: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    verified: Mapping[str, int] = field(default_factory=dict)
    recalled: Mapping[str, int] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()
    by_itself: bool = True
    advice: str = ""
    place: str = ""

    def root(self, given: Path) -> Path | None:
        """The folder that holds the data: `given` itself or one below it; None where neither has the layout."""
        for folder in (given, *(given / name for name in self.folders)):
            for marks in self.marks:
                if all((folder / mark).exists() for mark in marks):
                    return None if any((folder / name).exists() for name in self.unlike) else folder
        return None

    def open(self, name: str, given: Path, *, subset: bool = False) -> Data:
        """Reads what lies in `given`, and checks that it is this data set, whole.

        With `subset`, pictures that are not there are left out and counts are not checked; unless it is whole all the
        same, its name then says that it is a subset.

        Raises:
            FileNotFoundError: for a file that is missing, with where it was looked for and where it is published.
            ValueError: for counts that are not the published ones.
        """
        if not given.is_dir():
            beside = [other.name for other in given.parent.iterdir()] if given.parent.is_dir() else []
            raise FileNotFoundError(f"There is no folder {given}.{nearest(given.name, beside)} {self.source()}")
        root = self.root(given) or self.nearest_root(given)
        try:
            data = dataclasses.replace(self.read(root), name=self.title)
        except Missing as error:
            raise FileNotFoundError(f"{self.title}: {error} {self.source()}") from None
        return self.part(data) if subset else self.whole(name, data, root)

    def whole(self, name: str, data: Data, root: Path) -> Data:
        """The data with what was noted, if it is all there."""
        if not len(data):
            raise ValueError(f"{self.title}: no pictures are listed in {root}. {self.source()}")
        here = there(data)
        if gone := int((~here).sum()):
            first = ", ".join(data.images.where(i) for i in (~here).nonzero()[:3, 0].tolist())
            raise FileNotFoundError(
                f"{self.title}: {gone:,} of {len(data):,} pictures are missing: {first}{', …' * (gone > 3)}. "
                f"{self.source()} What is there is read as 'subset:{name}:{root}'."
            )
        fix = self.advice or f"Unpack it again ({self.home})"
        notes = check_counts(
            data, self.verified, self.recalled, f"{fix}, or read a subset on purpose: 'subset:{name}:{root}'."
        )
        files = [file for file in self.annotations if (root / file).is_file()]
        return dataclasses.replace(data, notes=(*data.notes, *notes, *checksums(name, root, files)))

    def part(self, data: Data) -> Data:
        """What is there, under a name that says that it is not all."""
        here = there(data)
        if not here.any():
            raise FileNotFoundError(f"{self.title}: none of its {len(data):,} pictures is there. {self.source()}")
        kept = data.select(here)
        published, found = {**self.recalled, **self.verified}, counts(kept)
        if published and here.all() and all(found.get(name, 0) == value for name, value in published.items()):
            return kept
        note = f"only a part of {self.title} was read, as asked: results compare with no published ones"
        note += f"; {int((~here).sum()):,} pictures that it lists are not there" * (not here.all())
        name = f"a subset of {self.title} ({len(kept):,} images)"
        return dataclasses.replace(kept, name=name, notes=(*data.notes, note))

    def nearest_root(self, given: Path) -> Path:
        """The folder that has most of what lies in the data set, for a message that helps."""
        folders = [given, *(given / name for name in self.folders if (given / name).is_dir())]
        return max(folders, key=lambda folder: sum((folder / m).exists() for marks in self.marks for m in marks))

    def source(self) -> str:
        """Where it is published."""
        return f"It is published as {self.home}."

"""The folder of a gallery: its manifest, its bundle, its writer's lock; what is left over of a crash is swept away."""

import dataclasses
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isometry import checkpoint
from isometry.bundle.archive import MANIFEST as BUNDLE
from isometry.index import lock, manifest
from isometry.index.files import checked, settle, stated
from isometry.index.manifest import MANIFEST, Manifest


class Folder:
    """A gallery's folder. `manifest` is what it was when it was last looked at.

    Raises:
        FileNotFoundError, Refused: when there is no gallery, or it is damaged or newer.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = manifest.read(self.path)

    @contextmanager
    def writing(self) -> Iterator[Manifest]:
        """Keeps other writers out, and gives the manifest as it is now. What fails leaves the gallery as it was.

        Raises:
            InUse, OSError: when another writer has the folder, or it cannot be written to.
        """
        with lock.writing(self.path) as outermost:
            if not outermost:
                yield self.manifest
                return
            self.manifest = manifest.read(self.path)
            try:
                yield self.manifest
            finally:  # by what the disk says: a writer may be stopped after its rename, before it knows
                with suppress(OSError, ValueError):
                    sweep(self.path, manifest.read(self.path))

    def new(self) -> str:
        """Twelve letters that no other file has in its name."""
        return secrets.token_hex(6)

    def commit(self, new: Manifest) -> None:
        """Makes `new` what the gallery is, a generation on. Only while `writing`."""
        new = dataclasses.replace(new, generation=self.manifest.generation + 1)
        manifest.write(self.path, new)
        self.manifest = new

    def refresh(self) -> bool:
        """Looks again; whether anything has changed."""
        before, self.manifest = self.manifest, manifest.read(self.path)
        return before != self.manifest

    def attach(self, name: str, content: bytes) -> None:
        """Keeps a file with the gallery, in place of one of the same name."""
        if Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"A file beside a gallery has a plain name; got {name!r}.")
        with self.writing() as now:
            path = self.path / f"a-{self.new()}-{name}"
            checkpoint.write(path, content)
            self.commit(dataclasses.replace(now, attached={**now.attached, name: stated(path)}))

    def attached(self, name: str) -> bytes | None:
        """What was attached under a name; None where nothing was.

        Raises:
            Refused: when it has been damaged.
        """
        found = self.manifest.attached.get(name)
        if found is None:
            return None
        checked(self.path / found.name, found)
        return (self.path / found.name).read_bytes()


OURS = re.compile(
    r"gallery\.json|\.lock|s-[0-9a-f]{12}|d-[0-9a-f]{12}\.i8|model-[0-9a-f]{12}\.isom|a-[0-9a-f]{12}-.+"
    r"|\.(gallery\.json|model-.*|a-.*)\.\d+\.[0-9a-f]{8}\.part"
)
"""Names of what a gallery consists of, and of what a writer that died leaves."""


def is_gallery(path: Path) -> bool:
    """Whether a folder holds a gallery, by its manifest."""
    return (path / MANIFEST).is_file() and not (path / BUNDLE).is_file()


def ours(name: str) -> bool:
    """Whether a gallery makes files of this name.

    >>> ours("gallery.json"), ours("s-0123456789ab"), ours("notes.txt"), ours("model.isom")
    (True, True, False, False)
    """
    return OURS.fullmatch(name) is not None


def sweep(path: Path, now: Manifest | None) -> None:
    """Removes what belongs to no generation: what a writer that died has left, and what has been replaced.

    Readers that have it open go on reading it.
    """
    kept = (now.names() if now else set()) | {lock.NAME}
    for one in path.iterdir():
        if one.name in kept or not ours(one.name):
            continue
        if one.is_dir():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink(missing_ok=True)
    settle(path)

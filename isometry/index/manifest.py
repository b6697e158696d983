"""`gallery.json`: what a gallery consists of. Replacing this one file is what makes a change, whole or not at all."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isometry import checkpoint
from isometry.bundle import Refused
from isometry.bundle.archive import MANIFEST as BUNDLE
from isometry.index.files import Stated, settle
from isometry.version import __version__

MANIFEST = "gallery.json"
FORMAT = 1
"""Version of galleries; a newer one is refused."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A segment: its folder, its rows, what `segment.json` in it hashes to, and which file lists its deleted rows."""

    name: str
    rows: int
    sha256: str
    dead: Stated | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a gallery consists of.

    Attributes:
        name: what its pictures are called. similarity: what embeddings are compared by.
        dim: dimensions of the embeddings of the model.
        model: the bundle. digest: SHA-256 of the bundle's manifest.
        next_id: above all ids so far.
        generation: counts changes.
        store: where embeddings lie: "" for segments in this folder, else the URI of a database; `collection` is its name
            there, and `width` the dimensions of what lies there.
        kind: how the first segment, the base, is searched, as text. measured: how well, as it was measured.
        asked: the kind that was asked for; "" where it is chosen by measuring. recall: what a choice has to reach.
        side: of the small pictures, in pixels.
        segments: in order; the first is the base. attached: other files, by name.
        origin: drawn when the gallery was built; one that is put in its place has another.
    """

    name: str
    similarity: str
    dim: int
    model: Stated
    digest: str
    next_id: int = 0
    generation: int = 0
    store: str = ""
    collection: str = ""
    width: int = 0
    kind: str = ""
    measured: tuple[Mapping[str, Any], ...] = ()
    asked: str = ""
    recall: float = 0.95
    side: int = 64
    segments: tuple[Entry, ...] = ()
    attached: Mapping[str, Stated] = field(default_factory=dict)
    origin: str = ""

    def names(self) -> set[str]:
        """All files and folders that belong to the gallery."""
        dead = {entry.dead.name for entry in self.segments if entry.dead}
        return {
            MANIFEST,
            self.model.name,
            *(e.name for e in self.segments),
            *dead,
            *(a.name for a in self.attached.values()),
        }


def write(folder: Path, manifest: Manifest) -> None:
    """Makes `manifest` what the gallery is: one rename. What it names is on the disk before."""
    settle(folder)
    held = dataclasses.asdict(manifest)
    whole = {"gallery": "isometry", "format": FORMAT, "version": __version__, "sha256": _hash(held), "holds": held}
    checkpoint.write(folder / MANIFEST, json.dumps(whole, indent=1))
    settle(folder)


def read(folder: Path) -> Manifest:
    """What a gallery consists of.

    Raises:
        FileNotFoundError: when there is no gallery.
        Refused: when `gallery.json` is damaged, of something else, or newer.
    """
    path = folder / MANIFEST
    try:
        whole = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        why = (
            f"it holds no {MANIFEST}"
            if folder.is_dir()
            else "it is a file"
            if folder.exists()
            else "there is no such folder"
        )
        raise FileNotFoundError(
            f"{folder} is no gallery ({why}): isometry index BUNDLE DATA -o GALLERY makes one."
        ) from None
    except (ValueError, RecursionError):
        raise Refused(f"{path} is damaged: it is no JSON. Restore it, or build the gallery again.") from None
    if (folder / BUNDLE).is_file():
        raise Refused(f"{folder} is a bundle and no gallery: isometry index {folder} DATA -o GALLERY makes one.")
    if not isinstance(whole, dict) or whole.get("gallery") != "isometry" or type(whole.get("format")) is not int:
        raise Refused(f"{path} is not that of a gallery of isometry.")
    if whole["format"] > FORMAT:
        raise Refused(
            f"{folder} has format {whole['format']}, and this isometry reads up to {FORMAT}: upgrade isometry."
        )
    if whole.get("sha256") != _hash(whole.get("holds")):
        raise Refused(
            f"{path} was changed or damaged (its SHA-256 is another): restore it, or build the gallery again."
        )
    try:
        return _from_json(whole["holds"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused(f"{path} is not of this format ({type(error).__name__}: {error}).") from None


def _from_json(held: dict[str, Any]) -> Manifest:
    segments = tuple(
        Entry(**{**entry, "dead": Stated(**entry["dead"]) if entry["dead"] else None}) for entry in held["segments"]
    )
    attached = {name: Stated(**one) for name, one in held["attached"].items()}
    apart = {"segments": segments, "attached": attached, "measured": tuple(held["measured"])}
    return Manifest(**{**held, **apart, "model": Stated(**held["model"])})


def _hash(held: Any) -> str:
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()

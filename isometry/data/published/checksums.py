"""Whether annotation files are what they were when a data set was first read: their SHA-256, in the user's cache."""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path


def book() -> Path:
    """Where checksums are written down: `isometry/checksums.json` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "isometry" / "checksums.json"


def checksums(name: str, root: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Writes down the checksums of these files of the data set `name`, and compares those that are written down.

    Warns of a file that is not what it was, and returns that as notes. A cache that cannot be written to is left alone.
    """
    known = written()
    own = dict(known.get(name, {}))
    notes = []
    for file in files:
        found = sha256(root / file)
        before = own.setdefault(file, {"sha256": found, "of": str(root)})
        if before.get("sha256") != found:
            notes.append(
                f"{root / file} is not the file that {name} was first read with (in {before.get('of')}): results may "
                f"not compare. If the change is meant, delete the entry in {book()}"
            )
            warnings.warn(notes[-1], stacklevel=2)
    if own != known.get(name, {}):
        write({**known, name: own})
    return tuple(notes)


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written() -> dict[str, dict[str, dict[str, str]]]:
    """What is written down; nothing where there is no such file, or it is damaged."""
    try:
        known = json.loads(book().read_text(encoding="utf-8"))
        return {name: dict(files) for name, files in known.items()}
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError):
        return {}


def write(known: dict[str, dict[str, dict[str, str]]]) -> None:
    """Replaces the book at once, so that nobody reads half of it."""
    try:
        book().parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=book().parent, suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        os.replace(part, book())
    except (OSError, RuntimeError):  # a home that may not be written to, or none
        return

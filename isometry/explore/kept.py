"""What takes long is computed once: beside what it was made from, or in a temporary folder of this user's."""

import getpass
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from isometry import checkpoint

FOLDER = "explore"


def folder_for(source: Path) -> Path:
    """Where things computed from `source` are kept: inside it where that can be written to, else a temporary folder.

    Raises:
        PermissionError: where the temporary folder is another user's.
    """
    beside = source / FOLDER
    if source.is_dir() and os.access(source, os.W_OK):
        beside.mkdir(exist_ok=True)
        return beside
    name = hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:16]
    shared = Path(tempfile.gettempdir()) / f"isometry-{getpass.getuser()}"
    shared.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (shared.is_symlink() or shared.stat().st_uid != os.getuid()):
        raise PermissionError(f"{shared} belongs to another user: set TMPDIR to a folder of your own.")
    (shared / name).mkdir(mode=0o700, exist_ok=True)
    return shared / name


def key(*parts: object) -> str:
    """A name that changes with any of the parts.

    >>> key("a", 1) == key("a", 1), key("a", 1) == key("a", 2)
    (True, False)
    """
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()[:24]


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def kept(
    path: Path, make: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the note in `path`, made and written if they are not there, or made anew if they are damaged."""
    if path.is_file():
        try:
            return checkpoint.load(path)
        except ValueError:
            path.unlink(missing_ok=True)
    tensors, note = make()
    checkpoint.save(path, tensors, note)
    return tensors, note

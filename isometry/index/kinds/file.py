"""The file of an index: what faiss wrote, then a note with a checksum, then the note's length and a mark.

The note is read, and the checksum compared, before faiss sees a byte: it trusts the sizes that a file states.
"""

import dataclasses
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = b"isomindx"
FORMAT = 1
LONGEST = 2**20  # bytes of a note, at most


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a file says of itself: the kind's text, how many vectors of how many dimensions, how they are compared."""

    kind: str
    n: int
    dim: int
    compare: str


def write(path: Path, note: Note, body: Callable[[str], None] | None = None) -> None:
    """Writes whole or not at all; `body` writes the first part into a file of the name it is given.

    Raises:
        OSError: with a message that names the file; what was there before is untouched.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        half.touch()
        if body:
            body(str(half))
        with open(half, "r+b") as file:
            told = {"format": FORMAT, "sha256": _digest(file), **dataclasses.asdict(note)}
            text = json.dumps(told).encode()
            file.seek(0, os.SEEK_END)
            file.write(text + len(text).to_bytes(8, "little") + MARK)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except (OSError, RuntimeError) as error:  # faiss says RuntimeError
        half.unlink(missing_ok=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space" in str(error)
        why = "the disk is full: free some room" if full else str(error).splitlines()[-1]
        raise OSError(f"{path} could not be written ({why}). What was there before is untouched.") from None


def checked(path: Path, note: Note) -> None:
    """Compares a file with what it ought to be.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is damaged, from a newer version, or of something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: build the index anew.")
    with open(path, "rb") as file:
        told, size = _told(path, file)
        if not isinstance(told.get("format"), int) or told["format"] > FORMAT:
            raise ValueError(
                f"{path} has format {told.get('format')!r}, and this isometry reads up to {FORMAT}: upgrade isometry."
            )
        for name, expected in dataclasses.asdict(note).items():
            if told.get(name) != expected:
                raise ValueError(
                    f"{path} is an index with {name} = {told.get(name)!r}; the gallery has {expected!r}: build it anew."
                )
        file.seek(0)
        if told.get("sha256") != _digest(file, size):
            raise ValueError(f"{path} is damaged (its checksum differs): build the index anew.")


def _told(path: Path, file: Any) -> tuple[dict[str, Any], int]:
    """The note, and how many bytes come before it."""
    end = file.seek(0, os.SEEK_END) - 8 - len(MARK)
    file.seek(max(end, 0))
    tail = file.read()
    length = int.from_bytes(tail[:8], "little")
    if tail[8:] != MARK or not 0 < length <= min(end, LONGEST):
        raise ValueError(f"{path} is damaged or no index: is the copy complete?")
    file.seek(end - length)
    try:
        told = json.loads(file.read(length))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ValueError(f"{path} is damaged or no index: is the copy complete?")
    return told, end - length


def _digest(file: Any, size: int | None = None) -> str:
    """SHA-256 of the first `size` bytes; of all unless given."""
    digest, left = hashlib.sha256(), size
    while left is None or left > 0:
        part = file.read(2**22 if left is None else min(2**22, left))
        if not part:
            break
        digest.update(part)
        left = None if left is None else left - len(part)
    return digest.hexdigest()

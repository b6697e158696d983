"""Where the files in an uncompressed tar lie, so that any of them can be read by itself.

A tar is a row of blocks of 512 bytes: a header (name, size in octal digits or in binary, a checksum, a kind), then the
file's bytes, filled up with zeros. Long names and large sizes come before it as files of their own kind: "L" of GNU, and
"x" of POSIX with lines "length key=value". Two blocks of zeros end it.
"""

import glob
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

from isometry.component import nearest
from isometry.data.folder import visible

BLOCK = 512
FILE, LONG_NAME, LONG_LINK, EXTENDED, SPARSE = b"0\x007", b"L", b"K", b"x", b"S"
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}

ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Member(NamedTuple):
    """A file in a tar: its bytes are those from `at` to `at + size`."""

    name: str
    at: int
    size: int


def members(path: Path, content: mmap.mmap | bytes) -> Iterator[Member]:
    """The files in a tar, in order; folders and links are left out.

    Args:
        path: of the tar, for messages. content: all its bytes.

    Raises:
        ValueError: for a file that is packed, is no tar, or is not whole.
    """
    if how := next((how for magic, how in PACKED.items() if content[: len(magic)] == magic), None):
        raise ValueError(
            f"{path} is packed with {how}: its pictures can be reached in a plain tar only. Unpack it first."
        )
    at, given = 0, {}
    while at + BLOCK <= len(content):
        header = content[at : at + BLOCK]
        if not any(header):
            return
        name, size, kind = parsed(header, path, at)
        size = int(given.get("size", size))
        start, at = at + BLOCK, at + BLOCK + -(-size // BLOCK) * BLOCK
        if start + size > len(content):
            raise ValueError(f"{path} is not whole: it ends inside {given.get('path', name)}. Fetch it again.")
        if kind in (LONG_NAME, EXTENDED):
            said = content[start : start + size]
            given |= {"path": text(said)} if kind == LONG_NAME else extended(said, path)
        elif kind != LONG_LINK:
            if kind == SPARSE or "GNU.sparse.major" in given:
                raise ValueError(f"{path} holds {name} as a sparse file, which is not read. Make the tar anew.")
            if kind in FILE:
                yield Member(str(given.get("path", name)), start, size)
            given = {}
    if at == 0 or at > len(content):
        raise ValueError(f"{path} is not whole: it has {len(content):,} bytes. Fetch it again.")


def parsed(header: bytes, path: Path, at: int) -> tuple[str, int, bytes]:
    """Name, size and kind in a header.

    Raises:
        ValueError: for a header whose checksum is another one.
    """
    try:
        told = int(header[148:156].strip(b"\0 ") or b"0", 8)
        binary = header[124] & 0x80
        size = int.from_bytes(header[125:136], "big") if binary else int(header[124:136].strip(b"\0 ") or b"0", 8)
    except ValueError:
        told, size = -1, 0
    if told != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise ValueError(f"{path} is no tar, or damaged: no file's header lies at byte {at:,}.")
    start = text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    name = text(header[:100])
    return f"{start}/{name}" if start else name, size, header[156:157]


def text(said: bytes) -> str:
    """Characters up to the first zero."""
    return said.split(b"\0", 1)[0].decode(errors="surrogateescape")


def extended(said: bytes, path: Path) -> dict[str, str]:
    """What an extended header gives: lines of "length key=value", the length being that of the whole line."""
    found, at = {}, 0
    try:
        while at < len(said.rstrip(b"\0")):
            length = int(said[at : said.index(b" ", at)])
            key, value = said[said.index(b" ", at) + 1 : at + length - 1].split(b"=", 1)
            found[key.decode()] = value.decode(errors="surrogateescape")
            at += max(length, 1)
        int(found.get("size", 0))
    except ValueError:
        raise ValueError(f"{path} is damaged: an extended header cannot be read.") from None
    return found


def mapped(file: BinaryIO) -> AbstractContextManager[mmap.mmap | bytes]:
    """The bytes of an open file, read where they are looked at."""
    empty = os.fstat(file.fileno()).st_size == 0
    return nullcontext(b"") if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def tars_of(source: str) -> tuple[list[Path], Path]:
    """The tars that a text names, and the folder that they share."""
    if re.match(r"[a-z0-9+.-]+://|pipe:", source):
        raise ValueError(f"{source} is not on this machine: tars are read from folders. Fetch them first.")
    given = Path(source).expanduser()
    if given.is_dir():
        every = sorted(path for path in given.rglob("*") if visible(path.name) and path.is_file())
        tars = [path for path in every if path.suffix.lower() == ".tar"]
        packed = [path for path in every if path.name.lower().endswith(ENDINGS)]
        if not tars and packed:
            raise ValueError(f"{packed[0]} is packed: pictures can be reached in a plain tar only. Unpack it first.")
        if not tars:
            raise FileNotFoundError(f"There are no tars in {given}.")
        return tars, given
    texts = [str(given)] if given.exists() else spread(str(given))
    tars = [Path(path) for text in texts for path in (sorted(glob.glob(text)) or [text])]
    if gone := [tar for tar in tars if not tar.is_file()]:
        beside = os.listdir(gone[0].parent) if gone[0].parent.is_dir() else []
        raise FileNotFoundError(
            f"{len(gone):,} of {len(tars):,} tars are missing; the first is {gone[0]}.{nearest(gone[0].name, beside)}"
        )
    return tars, Path(os.path.commonpath([tar.parent.absolute() for tar in tars]))


def spread(text: str) -> list[str]:
    """What a text with `{000..012}` and `{a,b}` stands for.

    >>> spread("{a,b}/{08..10}.tar")
    ['a/08.tar', 'a/09.tar', 'a/10.tar', 'b/08.tar', 'b/09.tar', 'b/10.tar']
    """
    if not (found := re.search(r"\{([^{}]*)\}", text)):
        return [text]
    if numbers := re.fullmatch(r"(\d+)\.\.(\d+)", found[1]):
        first, last = numbers.groups()
        choices = [f"{i:0{len(first)}d}" for i in range(int(first), int(last) + 1)]
        if not choices:
            raise ValueError(f"{text!r} counts down from {first} to {last}: write the smaller number first.")
    else:
        choices = found[1].split(",")
    return [text[: found.start()] + choice + rest for choice in choices for rest in spread(text[found.end() :])]

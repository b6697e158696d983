"""The container of a bundle: members of fixed names with their hashes, in one file or in a folder. Reading runs no code.

The file is a zip archive without compression. Nothing is ever unpacked to disk, every member has to have the size and the
SHA-256 that `manifest.json` states, and what is not a member must not be there. The same members always give the same
bytes. Hashes tell damage and careless changes; against forgery compare `Members.digest`, the hash of the manifest, with
that of the author.
"""

import hashlib
import io
import json
import os
import secrets
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from isometry import checkpoint
from isometry.version import __version__

FORMAT = 1
"""Version of the container and of its members; a newer one is refused."""
SUFFIX = ".isom"
MANIFEST, CARD, CONFIG, EVALUATION, THRESHOLDS = (
    "manifest.json", "README.md", "config.json", "evaluation.json", "thresholds.json",
)  # fmt: skip
WEIGHTS, VECTORS, ITEMS = "model.safetensors", "gallery.safetensors", "gallery.json"
NEEDED = (CARD, CONFIG, EVALUATION, THRESHOLDS, WEIGHTS)
KNOWN = (*NEEDED, VECTORS, ITEMS)
FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # what a zip archive can say at the earliest: the same for all
DAMAGED = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, struct.error, OverflowError, ValueError, OSError,
)  # fmt: skip
"""What reading a damaged archive raises."""
END = b"PK\x05\x06"  # how the last 22 bytes of an archive without a comment start


class Refused(ValueError):
    """Why a bundle is not loaded, in one line."""


class Members(NamedTuple):
    """What a bundle holds, by name; and the SHA-256 of its manifest, which stands for all of it."""

    content: dict[str, bytes]
    digest: str

    def json(self, name: str) -> Any:
        """A member that is JSON."""
        return _json(self.content[name], name)


def is_bundle(path: str | Path) -> bool:
    """Whether this is a bundle by its name: `x.isom`, `hf:owner/name`, or a folder with a manifest."""
    path = Path(path)
    if str(path).startswith("hf:"):
        return True
    return (path / MANIFEST).is_file() if path.is_dir() else path.suffix == SUFFIX


def read(path: Path) -> Members:
    """The members of a bundle, every one checked.

    In a folder the card may have been edited, as the Hub's pages allow, and other files may lie beside the members.

    Raises:
        FileNotFoundError: when there is none.
        Refused: when it is truncated, changed, no bundle, or of a newer format.
    """
    if path.is_dir():
        sizes = {name: (path / name).stat().st_size for name in (MANIFEST, *KNOWN) if (path / name).is_file()}
        return _checked(path, sizes, lambda name: (path / name).read_bytes(), edited=(CARD,))
    if not path.is_file():
        raise FileNotFoundError(f"There is no bundle {path}.")
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                _refuse_odd(path, file, archive.infolist())
                return _checked(path, {e.filename: e.file_size for e in archive.infolist()}, archive.read)
        except Refused:
            raise
        except DAMAGED as error:
            raise Refused(f"{path} is truncated, damaged or no bundle ({_first_line(error)}): get it again.") from None


def _refuse_odd(path: Path, file: Any, entries: list[zipfile.ZipInfo]) -> None:
    """Refuses what no bundle has: paths, compression, encryption, members twice, bytes before, behind or shared."""
    size = os.fstat(file.fileno()).st_size
    for entry in entries:
        if entry.filename not in (MANIFEST, *KNOWN) and (set(entry.filename) & set("/\\:") or ".." in entry.filename):
            raise Refused(f"{path} is refused: its member {entry.filename!r} is a path, and members have plain names.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
            raise Refused(f"{path} is refused: {entry.filename!r} is compressed or encrypted, and bundles are neither.")
    if sum(entry.file_size for entry in entries) > size:
        raise Refused(f"{path} is refused: its members claim more bytes than the {size:,} that the file has.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise Refused(f"{path} is refused: it holds a member twice.")
    file.seek(-22, os.SEEK_END)
    if not entries or file.read(4) != END or min(entry.header_offset for entry in entries) > 0:
        raise Refused(f"{path} is refused: it holds bytes before or behind its members. Get it again.")


def _checked(
    path: Path, sizes: Mapping[str, int], get: Callable[[str], bytes], *, edited: tuple[str, ...] = ()
) -> Members:
    """All members, after comparing each with the manifest; those named in `edited` need only be there."""
    if MANIFEST not in sizes:
        raise Refused(f"{path} holds no {MANIFEST}: it is no bundle. isometry bundle RUN -o thing.isom writes one.")
    manifest = get(MANIFEST)
    stated = _stated(path, manifest)
    for name in (*NEEDED, *stated):
        if name not in stated or name not in sizes:
            raise Refused(f"{path} lacks its member {name}: get it again.")
    for name in sizes.keys() - stated.keys() - {MANIFEST}:
        raise Refused(f"{path} is refused: its manifest does not name {name!r}, which was added.")
    content = {}
    for name, (size, digest) in stated.items():
        if name not in edited and sizes[name] != size:
            raise Refused(
                f"{path} is refused: {name} has {sizes[name]:,} bytes, its manifest says {size:,}. Get it again."
            )
        content[name] = get(name)
        if name not in edited and hashlib.sha256(content[name]).hexdigest() != digest:
            raise Refused(f"{path} is refused: {name} was changed or damaged (its SHA-256 is another). Get it again.")
    return Members(content, hashlib.sha256(manifest).hexdigest())


def _stated(path: Path, manifest: bytes) -> dict[str, tuple[int, str]]:
    """Size and hash of each member, as the manifest has them."""
    found = _json(manifest, MANIFEST)
    if not isinstance(found, dict) or found.get("bundle") != "isometry" or type(found.get("format")) is not int:
        raise Refused(f"{path} is no bundle of isometry: its {MANIFEST} is of something else.")
    if found["format"] > FORMAT:
        raise Refused(f"{path} has format {found['format']}, and this isometry reads up to {FORMAT}: upgrade isometry.")
    try:
        stated = {name: (int(one["size"]), str(one["sha256"])) for name, one in found["members"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Refused(f"{path} has a damaged {MANIFEST}: get it again.") from None
    for name in stated:
        if name not in KNOWN:
            raise Refused(f"{path} is refused: its manifest names {name!r}, which is no member of a bundle.")
    return stated


def write(path: Path, content: Mapping[str, bytes]) -> str:
    """Writes a bundle, whole or not at all: a file where the name ends in `.isom`, which may replace another; else a folder.

    Returns:
        The SHA-256 of its manifest.

    Raises:
        OSError: when it cannot be written; what was there before is untouched.
    """
    members = {name: {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in content.items()}
    stated = {"bundle": "isometry", "format": FORMAT, "version": __version__, "members": members}
    manifest = json.dumps(stated, indent=1, sort_keys=True).encode()
    whole = {MANIFEST: manifest, **{name: content[name] for name in KNOWN if name in content}}
    if path.suffix == SUFFIX:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, text in whole.items():
                entry = zipfile.ZipInfo(name, FIRST_DATE)
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, text)
        checkpoint.write(path, buffer.getvalue())
    else:
        _write_folder(path, whole)
    return hashlib.sha256(manifest).hexdigest()


def _write_folder(path: Path, whole: Mapping[str, bytes]) -> None:
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    half.mkdir()
    try:
        for name, text in whole.items():
            checkpoint.write(half / name, text)
        os.replace(half, path)  # over an empty folder, or none
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise


def _json(text: bytes, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} of the bundle is no JSON ({_first_line(error)}): get it again.") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")[:200]

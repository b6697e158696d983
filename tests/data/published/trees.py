"""Small trees in the layouts of published data sets, with what is wrong in the published ones."""

import io
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from PIL import Image

BOM = b"\xef\xbb\xbf"


@cache
def jpeg(width: int = 8, height: int = 6) -> bytes:
    """The bytes of a small picture."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 90)).save(file, "jpeg")
    return file.getvalue()


def put(root: Path, path: str, data: bytes | None = None) -> Path:
    """A file below `root`: a small picture unless told otherwise."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(jpeg() if data is None else data)
    return file


def text(root: Path, path: str, lines: Iterable[str], *, end: str = "\n", bom: bool = False) -> Path:
    """A text file below `root`, with the line ends of any system, and a byte-order mark if wanted."""
    return put(root, path, BOM * bom + "".join(line + end for line in lines).encode())


def junk(root: Path, folder: str) -> None:
    """What a Mac leaves in an archive."""
    put(root, f"{folder}/._1.jpg", b"\0\5\x16\7")
    put(root, f"{folder}/.DS_Store", b"\0")


def cub(root: Path, classes: Iterable[int] = (1, 2, 100, 101, 200), images: int = 2, **style: bool | str) -> Path:
    """CUB_200_2011 with some classes, and the classification split that is not to be used."""
    items = [(c, f"{c:03d}.Bird_{c}/Bird_{c}_{i:04d}.jpg") for c in classes for i in range(images)]
    for _, path in items:
        put(root, f"images/{path}")
    numbered = list(enumerate(items, 1))
    text(root, "images.txt", [f"{i} {path}" for i, (_, path) in numbered], **style)
    text(root, "image_class_labels.txt", [f"{i}  {c} " for i, (c, _) in numbered], **style)
    text(root, "train_test_split.txt", [f"{i} {i % 2}" for i, _ in numbered], **style)
    text(root, "bounding_boxes.txt", [f"{i} 1.0 2.0 4.0 3.4" for i, _ in numbered], **style)
    junk(root, "images")
    return root


def dumped(root, path, value):
    """Writes `value` as JSON; gives the path."""
    return put(root, path, json.dumps(value).encode())

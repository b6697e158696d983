"""Pictures as data URIs: single ones for the gallery, and one atlas of small squares for the map."""

import base64
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .record import Items

LARGE = 104  # pixels of the longer side in the gallery
ATLAS_BYTES = 1_600_000


class Picture(NamedTuple):
    uri: str
    width: int
    height: int


class Atlas(NamedTuple):
    """Square tiles of equal size, row by row, `columns` a row."""

    uri: str
    tile: int
    columns: int


def read(items: Items, i: int) -> Image.Image | None:
    """The thumbnail of item i in grey or RGB; None when there is none or it cannot be read."""
    if items.thumbnail is None:
        return None
    try:
        array = np.asarray(items.thumbnail(i))
    except (OSError, ValueError):
        return None
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise ValueError(
            f"thumbnail({i}) gave {array.dtype} {list(array.shape)}, expected uint8 [h w], [h w 1] or [h w 3]"
        )
    if 0 in array.shape:
        return None
    if array.ndim == 3 and (array.shape[2] == 1 or (array == array[:, :, :1]).all()):
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(array))


class Album:
    """Reads and encodes each picture of a set once, however often the page shows it."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.known: dict[int, Picture | None] = {}

    def __call__(self, i: int) -> Picture | None:
        if i not in self.known:
            image = read(self.items, i)
            self.known[i] = None if image is None else _single(image)
        return self.known[i]


def _single(image: Image.Image) -> Picture:
    if max(image.size) > LARGE:
        image.thumbnail((LARGE, LARGE), Image.Resampling.LANCZOS)
    return Picture(_uri(image), image.width, image.height)


def atlas(sources: Sequence[tuple[Items, int]], budget: int = ATLAS_BYTES) -> Atlas | None:
    """The pictures of these items, cut to centred squares, as one image of at most about `budget` bytes.

    Tiles shrink until it fits. None when no item has a picture.
    """
    images = [read(items, i) for items, i in sources]
    present = [image for image in images if image is not None]
    if not present:
        return None
    tile = min(48, max(min(image.size) for image in present))
    mode = "L" if all(image.mode == "L" for image in present) else "RGB"
    while True:
        sheet, columns = _sheet(images, tile, mode)
        uri = _uri(sheet)
        if len(uri) <= budget * 4 / 3 or tile <= 8:
            return Atlas(uri, tile, columns)
        tile = max(8, min(tile - 2, int(tile * math.sqrt(budget * 4 / 3 / len(uri)))))


def _sheet(images: Sequence[Image.Image | None], tile: int, mode: str) -> tuple[Image.Image, int]:
    columns = math.ceil(math.sqrt(len(images)))
    sheet = Image.new(mode, (columns * tile, math.ceil(len(images) / columns) * tile))
    for k, image in enumerate(images):
        if image is not None:
            sheet.paste(_square(image, tile), (k % columns * tile, k // columns * tile))
    return sheet, columns


def _square(image: Image.Image, tile: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    how = Image.Resampling.LANCZOS if side > tile else Image.Resampling.NEAREST
    return image.resize((tile, tile), how, box=(left, top, left + side, top + side))


def _uri(image: Image.Image) -> str:
    """PNG for drawings, JPEG for photographs: the lossless file unless it is much the larger one."""
    lossy = _encode(image, "JPEG", quality=82)
    if image.mode != "L" and image.getcolors(256) is None:
        return _data("jpeg", lossy)
    lossless = _encode(image, "PNG", compress_level=9)
    return _data("png", lossless) if len(lossless) <= 1.5 * len(lossy) else _data("jpeg", lossy)


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _data(kind: str, file: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"

"""One picture looked at: what its file says, whether it can be read, and its pixels."""

import io
import warnings
from functools import singledispatch
from typing import NamedTuple

import numpy as np
from torch import Tensor

from isometry.data import Arrays, Paths, Unreadable
from isometry.data.hub import InTable
from isometry.data.images import Images
from isometry.data.pixels import cropped, one_line, pil_to_uint8
from isometry.data.published.encoded import Encoded
from isometry.data.web import InTars

MOST = 100_000_000
"""Pixels above which a picture is not decoded."""
TURN = 0x0112  # the EXIF tag that says which way is up
EMPTY, UNREADABLE, TRUNCATED, HUGE = "empty", "unreadable", "truncated", "huge"


class Stored(NamedTuple):
    """A picture as it lies in its file: its bytes, and the box that is cut out of it."""

    content: bytes
    box: tuple[int, ...] | None = None


class Look(NamedTuple):
    """What one picture is.

    Attributes:
        pixels: uint8 `[c h w]`; None where it cannot be read.
        stored: its bytes, where it has some.
        width, height: as the file says, before turning and cutting.
        mode: the mode of its pixels, as Pillow calls it, or "arrays".
        frames: how many pictures the file holds.
        turned: the EXIF tag that says which way is up; 1 is as it is, 0 a tag that no picture can have.
        trouble, why: the kind of trouble with it, and what the decoder says; both empty where there is none.
    """

    pixels: Tensor | None
    stored: Stored | None
    width: int = 0
    height: int = 0
    mode: str = "arrays"
    frames: int = 1
    turned: int = 1
    trouble: str = ""
    why: str = ""


@singledispatch
def stored(images: Images, index: int) -> Stored | None:
    """The bytes of a picture; None for pictures that have none."""
    return None


@stored.register
def _(images: Paths, index: int) -> Stored | None:
    try:
        with open(images.where(index), "rb") as file:
            content = file.read()
    except OSError as error:
        raise Unreadable(images.where(index), error.strerror or one_line(error)) from None
    return Stored(content, None if images.boxes is None else tuple(images.boxes[index].tolist()))


@stored.register
def _(images: Encoded, index: int) -> Stored | None:
    return Stored(images.pictures[index])


@stored.register
def _(images: InTars, index: int) -> Stored | None:
    tar, at, size = images.places[index].tolist()
    with open(images.tars[tar], "rb") as file:
        file.seek(at)
        return Stored(file.read(size))


@stored.register
def _(images: InTable, index: int) -> Stored | None:
    row = int(images.rows[index])
    table = int(np.searchsorted(images.starts, row, side="right")) - 1
    cell = images.tables[table][row - int(images.starts[table])][images.column]
    return Stored(cell["bytes"]) if cell and cell["bytes"] is not None else None


def look(images: Images, index: int, most: int = MOST) -> Look:
    """Reads a picture once."""
    try:
        found = stored(images, index)
        if found is not None:
            return decoded(found, images.where(index), most)
        pixels = images[index]
    except Unreadable as error:
        return Look(None, None, trouble=UNREADABLE, why=error.why)
    return Look(pixels, None, pixels.shape[2], pixels.shape[1])


def decoded(found: Stored, name: str, most: int = MOST) -> Look:
    """What bytes hold: the header first, and the pixels where there are not too many."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not found.content:
        return Look(None, found, trouble=EMPTY, why="the file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(found.content))
        except Image.DecompressionBombError as error:
            return Look(None, found, trouble=HUGE, why=one_line(error))
        except UnidentifiedImageError:
            return Look(None, found, trouble=UNREADABLE, why="it is not a picture in a known format")
        except Exception as error:  # decoders fail in as many ways as files are damaged
            return Look(None, found, trouble=UNREADABLE, why=one_line(error))
        said = Look(None, found, *image.size, image.mode, getattr(image, "n_frames", 1))
        if image.width * image.height > most:
            return said._replace(trouble=HUGE, why=f"{image.width * image.height:,} pixels: it was not decoded")
        try:
            turned = int(image.getexif().get(TURN, 1))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            part = cropped(image, found.box, name) if found.box and any(found.box) else image
            pixels = pil_to_uint8(part)
        except Unreadable as error:
            return said._replace(trouble=UNREADABLE, why=error.why)
        except Exception as error:
            return said._replace(trouble=TRUNCATED, why=one_line(error))
    return said._replace(pixels=pixels, turned=turned if 1 <= turned <= 8 else 0)


def in_memory(images: Images) -> bool:
    """Whether pictures need no decoding."""
    return isinstance(images, Arrays)

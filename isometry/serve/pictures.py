"""Pictures from strangers: decoded as `isometry.data` decodes files, after everything that could do harm is refused.

The format is told by the first bytes, not by what a client calls it, and only that format's decoder is tried. Size is read
off the header before a pixel is decoded. Nothing is written to disk, and what stands behind the picture in the same bytes
(an archive, a script) is never looked at.
"""

import io
from typing import Any

import numpy as np

from isometry.data.pixels import one_line
from isometry.serve.limits import Limits, Refused

FORMATS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "WEBP": b"RIFF"}
"""Formats that are decoded, by their first bytes."""
TAKEN = "PNG, JPEG, WebP or GIF"
OTHERS = {
    b"%PDF": "a PDF document", b"PK\x03\x04": "a zip archive", b"BM": "a BMP", b"II*\x00": "a TIFF", b"MM\x00*": "a TIFF",
    b"\x1f\x8b": "a gzip archive", b"<": "text such as SVG, XML or HTML", b"{": "JSON", b"\x7fELF": "a program",
    b"MZ": "a program", b"\x00\x00\x00\x0cjP": "a JPEG 2000", b"8BPS": "a PSD",
}  # fmt: skip
"""What is met instead of a picture, by its first bytes."""
SCANS, SCANNED = 100, 20
"""Passes of a progressive JPEG, and those of one that has as many pixels as are let through. Programs write about ten; each
costs time over the whole picture and few bytes."""


def decoded(data: bytes, limits: Limits) -> Any:
    """The picture in these bytes as a PIL image, whose pixels are those that `isometry.data` reads from a file of them:
    upright by its EXIF tag, the first frame of several, colours as stored (a colour profile is not applied); 16 bits a
    channel keep the upper 8.

    Raises:
        Refused: 415 for what is no picture in a format that is taken, 413 for one of too many pixels, 422 for one that is
            damaged, empty or too long and thin.
    """
    from PIL import Image, ImageOps

    kind = format_of(data)
    if kind == "WEBP":
        _check(webp_size(data), limits)  # its decoder asks for memory when it opens
    try:
        image = Image.open(io.BytesIO(data), formats=(kind,))
        _check(image.size, limits)
        scans = min(SCANS, SCANNED * limits.pixels // (image.width * image.height))
        if kind == "JPEG" and data.count(b"\xff\xda") > scans:
            raise Refused(422, f"The picture is a JPEG of more than {scans} scans: save it again.")
        image.load()
        _check(image.size, limits)
        ImageOps.exif_transpose(image, in_place=True)
        return _upper(image) if image.mode.startswith("I;16") else image
    except Refused:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise Refused(413, f"The picture has more than {limits.pixels:,} pixels: make it smaller.") from None
    except Image.UnidentifiedImageError:
        raise Refused(422, f"The picture starts like a {kind} and is none: it is damaged.") from None
    except Exception as error:  # decoders fail in as many ways as files are damaged
        raise Refused(422, f"The picture, a {kind}, is damaged: {one_line(error)[:120]}.") from None


def format_of(data: bytes) -> str:
    """PNG, JPEG, GIF or WEBP, by the first bytes.

    >>> format_of(b"GIF89a")
    'GIF'

    Raises:
        Refused: for anything else, saying what it seems to be.
    """
    if not data:
        raise Refused(422, "The picture is empty: it has no bytes.")
    for kind, start in FORMATS.items():
        if data.startswith(start) and (kind != "WEBP" or data[8:12] == b"WEBP"):
            return kind
    if data[4:8] == b"ftyp":
        raise Refused(415, f"This is HEIC, AVIF or a video, and pictures are {TAKEN}.")
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    seems = next((f"This is {name}, and" for first, name in OTHERS.items() if start.startswith(first)), "This is none:")
    raise Refused(415, f"{seems} pictures are {TAKEN}.")


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that the header of a WebP states, of the whole canvas.

    Raises:
        Refused: where there is none.
    """
    if data[12:16] == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L" and len(data) >= 25:
        both = int.from_bytes(data[21:25], "little")
        return (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 " and len(data) >= 30:
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    raise Refused(422, "The picture, a WEBP, is damaged: it has no size.")


def _check(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if min(size) < 1:
        raise Refused(422, f"The picture has {width}×{height} pixels: there is nothing to see.")
    if width * height > limits.pixels:
        raise Refused(413, f"The picture has {width}×{height} pixels, more than {limits.pixels:,}: make it smaller.")
    if max(size) > limits.ratio * min(size):
        raise Refused(
            422, f"The picture has {width}×{height} pixels: one side is over {limits.ratio:g} times the other."
        )


def _upper(image: Any) -> Any:
    """Upper 8 of 16 bits, as `isometry.data` keeps them, at a fraction of its memory."""
    from PIL import Image

    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))

"""Pictures that are meant to do harm, or are none, each with what the server should say. All are made here."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

PIXEL = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def saved(image, kind, **options):
    """A picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *, depth=8, colour=2, before=(), pixels=b"", after=()):
    """A PNG whose header says what it likes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = b"".join(chunk(*one) for one in (*before, (b"IDAT", pixels), *after, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + header + body


def rgb():
    return Image.fromarray(PIXEL)


def zeros(megabytes):
    """Nothing at all, squeezed a thousandfold."""
    made = zlib.compressobj(9)
    return b"".join([*(made.compress(bytes(1_000_000)) for _ in range(megabytes)), made.flush()])


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as held:
        held.writestr("../../etc/passwd", "root")
    return file.getvalue()


def webp(width, height):
    """A WebP whose extended header says a size, and that has nothing behind it."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = (
        b"WEBP"
        + b"VP8X"
        + struct.pack("<I", 10)
        + bytes([2, 0, 0, 0])
        + sides
        + b"ANIM"
        + struct.pack("<I", 6)
        + bytes(6)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width, height):
    """A GIF of a stated size whose first frame has the largest there is."""
    screen = struct.pack("<HH", width, height) + b"\xf0\0\0" + bytes(48)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0\x02\x01\0\0;"


def turned(way):
    """A JPEG whose EXIF tag says how to turn it, 1 to 8."""
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0" % way
    return saved(rgb(), "JPEG", exif=tag)


def scans(times):
    """A progressive JPEG whose last scan is told again and again."""
    whole = saved(rgb(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * times + b"\xff\xd9"


def frames(count):
    """A GIF of many pictures."""
    first = saved(Image.fromarray(PIXEL).quantize(16), "GIF")
    start = first.rindex(b",", 0, len(first) - 500)
    return first[:-1] + first[start:-1] * count + b";"


WHOLE = saved(rgb(), "PNG")
JPEG = saved(rgb(), "JPEG")

REFUSED = {
    "no bytes": (b"", 422),
    "a byte": (b"\x89", 415),
    "only the start of a PNG": (b"\x89PNG\r\n\x1a\n", 422),
    "only the start of a JPEG": (b"\xff\xd8\xff", 422),
    "only the start of a GIF": (b"GIF89a", 422),
    "only the start of a WebP": (b"RIFF\x00\x00\x00\x00WEBP", 422),
    "half a PNG": (WHOLE[: len(WHOLE) // 2], 422),
    "half a JPEG": (JPEG[: len(JPEG) // 2], 422),
    "half a WebP": (saved(rgb(), "WEBP")[:500], 422),
    "half a GIF": (saved(rgb(), "GIF")[:1000], 422),
    "text": (b"hello, this is a picture", 415),
    "zeros": (bytes(1000), 415),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', 415),
    "XML with entities": (b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>', 415),
    "HTML": (b"<html><script>alert(1)</script></html>", 415),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj", 415),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file", 415),
    "zip": (archive(), 415),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(50), 415),
    "TIFF": (saved(rgb(), "TIFF"), 415),
    "BMP": (saved(rgb(), "BMP"), 415),
    "ICO": (saved(rgb(), "ICO"), 415),
    "TGA": (saved(rgb(), "TGA"), 415),
    "PPM": (saved(rgb(), "PPM"), 415),
    "HEIC": (b"\x00\x00\x00\x18ftypheic" + bytes(100), 415),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(100), 415),
    "pickle": (b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", 415),
    "PNG of 2 billion pixels": (png(50_000, 50_000, pixels=zeros(1)), 413),
    "PNG of the largest size": (png(2**31 - 1, 2**31 - 1, pixels=b"x"), 413),
    "PNG of no height": (png(10, 0, pixels=b"x"), 422),
    "PNG of a single row": (png(1_000_000, 1, pixels=zeros(3)), 422),
    "PNG of a single column": (png(1, 1_000_000, pixels=zeros(4)), 422),
    "PNG of few pixels for many": (png(4000, 4000, pixels=zlib.compress(b"")), 422),
    "PNG without pixels": (png(10, 10), 422),
    "PNG of an unknown colour": (png(10, 10, colour=5, pixels=zeros(1)), 422),
    "PNG with a text bomb": (png(10, 10, before=[(b"zTXt", b"a\0\0" + zeros(100))], pixels=zeros(1)), 422),
    "PNG with a profile bomb": (png(10, 10, before=[(b"iCCP", b"a\0\0" + zeros(100))], pixels=zeros(1)), 422),
    "PNG with many text bombs": (png(10, 10, before=[(b"zTXt", b"%d\0\0" % i + zeros(1)) for i in range(99)]), 422),
    "PNG with a chunk of 2 GB": (WHOLE[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + bytes(100), 422),
    "PNG with a wrong sum": (WHOLE[:45] + bytes([WHOLE[45] ^ 255]) + WHOLE[46:], 422),
    "WebP of 268 million pixels": (webp(16_383, 16_383), 413),
    "WebP of the largest size": (webp(2**24, 2**24), 413),
    "WebP without a picture": (webp(10, 10), 422),
    "GIF of 4 billion pixels": (gif(65_535, 65_535), 413),
    "GIF whose frame is larger than it": (gif(1, 1), 413),
    "JPEG of 4 billion pixels": (JPEG.replace(struct.pack(">HH", 40, 50), b"\xff\xff\xff\xff", 1), 413),
    "JPEG of a thousand scans": (scans(1000), 422),
}  # fmt: skip
"""Bytes, and the status that they should get."""

PICTURES = {
    "PNG": WHOLE,
    "JPEG": JPEG,
    "WebP": saved(rgb(), "WEBP"),
    "WebP without loss": saved(rgb(), "WEBP", lossless=True),
    "WebP with transparency": saved(rgb().convert("RGBA"), "WEBP"),
    "GIF": saved(rgb(), "GIF"),
    "GIF of many frames": frames(3000),
    "animated PNG": saved(rgb(), "PNG", save_all=True, append_images=[rgb().rotate(9)]),
    "animated WebP": saved(rgb(), "WEBP", save_all=True, append_images=[rgb().rotate(9)]),
    "CMYK JPEG": saved(rgb().convert("CMYK"), "JPEG"),
    "progressive JPEG": saved(rgb(), "JPEG", progressive=True),
    "grey PNG": saved(rgb().convert("L"), "PNG"),
    "PNG of one bit": saved(rgb().convert("1"), "PNG"),
    "PNG of 16 bits": saved(Image.fromarray(PIXEL[..., 0].astype(np.uint16) * 257 + 3), "PNG"),
    "PNG with a palette": saved(rgb().quantize(7), "PNG"),
    "PNG with a palette, partly transparent": saved(rgb().quantize(250), "PNG", transparency=bytes(range(250))),
    "PNG with transparency": saved(Image.fromarray(np.dstack([PIXEL, PIXEL[..., 0]])), "PNG"),
    "grey PNG with transparency": saved(rgb().convert("LA"), "PNG"),
    "PNG with a transparent colour": saved(rgb(), "PNG", transparency=(1, 2, 3)),
    "PNG with a zip behind it": WHOLE + archive(),
    "GIF with a script behind it": saved(rgb(), "GIF") + b"<script>alert(1)</script>",
    "JPEG with PHP in a comment": saved(rgb(), "JPEG", comment=b"<?php system($_GET['c']); ?>"),
    **{f"JPEG, turned {way}": turned(way) for way in range(1, 9)},
}  # fmt: skip
"""Pictures that are unusual, and are pictures."""

"""The preparation of pictures without torch, to the same values.

Resizing is torchvision's antialiased bilinear in its integer arithmetic (the one of Pillow-SIMD, with 16-bit weights): bit
for bit on processors on which torchvision resizes 8-bit pictures as such, and within one level of 255 elsewhere.
"""

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done to pictures: `prepare(pictures)` is `[n channels height width]`, float32 in 0 … 1.

    Attributes: channels: 1 (grey) or 3. height, width: of what the network takes. shorter: what the shorter side is
    brought to before the middle is cut out; 0: pictures are left as they are. Mean and deviation are in the network.
    """

    channels: int
    height: int
    width: int
    shorter: int = 0

    def __call__(self, pictures: Iterable[Any]) -> Array:
        done = [self.one(picture) for picture in pictures]
        return np.stack(done).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)

    def one(self, picture: Any) -> Array:
        """One picture, uint8 `[height width channels]`.

        Raises:
            ValueError, OSError: for what is no picture, or not of the size that is taken as it is.
        """
        x = with_channels(pixels(picture), self.channels)
        h, w = x.shape[:2]
        if self.shorter:
            short, size = min(h, w), self.shorter
            tall, wide = (size, int(size * w / h)) if h <= w else (int(size * h / w), size)
            tall, wide = (h, w) if short == size else (tall, wide)
            top, left = round((tall - self.height) / 2), round((wide - self.width) / 2)
            x = _resized(x, wide, left, self.width).swapaxes(0, 1)
            x = _resized(x, tall, top, self.height).swapaxes(0, 1)
        if x.shape[:2] != (self.height, self.width):
            raise ValueError(
                f"The model takes pictures of {self.height} × {self.width} pixels as they are; got {h} × {w}."
            )
        return x


def pixels(picture: Any) -> Array:
    """A picture as uint8 `[h w c]`, c 1 or 3: files upright by their EXIF tag, 16 bits cut to 8, transparent parts white.

    Raises:
        FileNotFoundError, ValueError: for a file that there is not, or that is no whole picture; and what is no picture.
    """
    if isinstance(picture, (str, os.PathLike)):
        from PIL import Image, ImageOps

        try:
            with Image.open(picture) as image:
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return _of_pil(image)
        except FileNotFoundError:
            raise FileNotFoundError(f"{picture} cannot be read: there is no such file.") from None
        except Exception as error:  # decoders fail in as many ways as files are damaged
            raise ValueError(f"{picture} cannot be read: {' '.join(str(error).split()).rstrip('.')}.") from None
    return _of_pil(picture) if hasattr(picture, "convert") else _of_array(np.asarray(picture))


def _of_pil(image: Any) -> Array:
    from PIL import Image

    if image.mode.startswith("I"):
        return (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)[:, :, None]
    if image.mode == "F":
        return _of_array(np.asarray(image))
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("P", "LA", "La", "PA", "RGBa", "RGBA") or "transparency" in image.info:
        solid = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", solid.size, "white"), solid).convert("RGB")
    x = np.array(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    return x[:, :, None] if x.ndim == 2 else x


def _of_array(x: Array) -> Array:
    x = x[:, :, None] if x.ndim == 2 else x
    ends = (
        [x.shape[i] in (1, 3) or (x.shape[i] == 4 and x.shape[2 - i] not in (1, 3)) for i in (2, 0)]
        if x.ndim == 3
        else []
    )
    if not any(ends):
        raise ValueError(f"A picture is [h w], [h w c] or [c h w] with 1, 3 or 4 channels; got {list(x.shape)}.")
    x = x if ends[0] else x.transpose(1, 2, 0)
    if x.dtype == bool:
        x = x.astype(np.uint8) * 255
    elif x.dtype != np.uint8:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
        floats = np.issubdtype(x.dtype, np.floating)
        if not (-1e-3 <= low <= high <= 1.001 if floats else 0 <= low <= high <= 255):
            raise ValueError(f"Pictures hold 0 … 255 or 0.0 … 1.0; got {x.dtype} from {low:.3g} to {high:.3g}.")
        x = np.rint(x.clip(0, 1) * np.array(255, x.dtype)).astype(np.uint8) if floats else x.astype(np.uint8)
    if x.shape[2] < 4:
        return x
    alpha = x[:, :, 3:].astype(np.float32) / np.float32(255)
    return np.rint(x[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def with_channels(x: Array, channels: int) -> Array:
    """`[h w c]` as grey (by the luma of ITU-R 601) or RGB."""
    if x.shape[2] == channels:
        return x
    if channels == 3:
        return np.repeat(x, 3, 2)
    r, g, b = np.moveaxis(x.astype(np.float32), 2, 0)
    grey = r * np.float32(0.299) + g * np.float32(0.587) + b * np.float32(0.114)
    return np.rint(grey).astype(np.uint8)[:, :, None]


def _resized(x: Array, size: int, start: int, count: int) -> Array:
    """Columns `start` … `start + count` of x `[h w c]` brought to a width of `size`: antialiased bilinear, rounded to uint8."""
    if x.shape[1] == size:
        return x[:, start : start + count]
    first, weight, bits = _weights(x.shape[1], size)
    first, weight = first[start : start + count], weight[start : start + count]
    total = np.full((x.shape[0], len(first), x.shape[2]), 1 << (bits - 1), np.int32)
    for tap in range(weight.shape[1]):
        total += x[:, np.minimum(first + tap, x.shape[1] - 1)] * weight[:, tap, None]
    return np.clip(total >> bits, 0, 255).astype(np.uint8)


@functools.lru_cache(64)
def _weights(before: int, after: int) -> tuple[Array, Array, int]:
    """Where each of `after` pixels starts to look, the weights of what it sees, and of how many bits these are.

    A triangle as wide as two of the coarser pixels, its weights as 16-bit integers of the largest common exponent.
    """
    scale = before / after
    support = max(scale, 1.0)
    centre = scale * (np.arange(after) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    number = np.minimum((centre + support + 0.5).astype(np.int64), before) - first
    tap = np.arange(number.max())
    weight = np.maximum(1 - np.abs((tap + first[:, None] - centre[:, None] + 0.5) / support), 0)
    weight = weight * (tap < number[:, None])
    weight /= weight.sum(1, keepdims=True)
    bits = 0
    while bits < 22 and int(0.5 + weight.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return first, (0.5 + weight * (1 << bits)).astype(np.int32), bits

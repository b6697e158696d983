"""Pixels of any origin as uint8 `[c h w]` with one or three channels."""

import os
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

Image = UInt8[Tensor, "c h w"]


class Unreadable(ValueError):
    """A picture that cannot be read: `path` and `why`."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"{self.path} cannot be read: {self.why}."


def decode(path: str, box: tuple[int, ...] | None = None) -> Image:
    """Reads a picture file: upright by its EXIF tag, the first frame of several, 8 bits a channel, transparency on
    white.

    Raises:
        Unreadable: for anything that is not a whole picture.
    """
    from PIL import Image as Picture
    from PIL import ImageOps, UnidentifiedImageError

    try:
        if os.path.getsize(path) == 0:
            raise Unreadable(path, "the file is empty")
        with Picture.open(path) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return pil_to_uint8(cropped(image, box, path) if box and any(box) else image)
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable(path, "there is no such file") from None
    except UnidentifiedImageError:
        raise Unreadable(path, "it is not a picture in a known format") from None
    except Exception as error:  # decoders fail in as many ways as files are damaged
        raise Unreadable(path, one_line(error)) from None


def one_line(error: BaseException) -> str:
    """What an exception says, on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def cropped(image: Any, box: tuple[int, ...], path: str) -> Any:
    """The part of `image` inside (left, top, right, bottom), which may reach beyond its border but not miss it."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height)
    if left >= right or top >= bottom:
        raise Unreadable(path, f"its box {box} lies outside its {image.width}×{image.height} pixels")
    return image.crop((left, top, right, bottom))


def pil_to_uint8(image: Any) -> Image:
    """A PIL image of any mode as uint8 `[1 or 3, h, w]`; 16 bits keep the upper 8, transparent parts turn white."""
    from PIL import Image as Picture

    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        return torch.from_numpy((deep.clip(0, 65535) >> 8).astype(np.uint8))[None]
    if image.mode == "F":
        return to_uint8(np.asarray(image))
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "P" or image.mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in image.info:
        solid = image.convert("RGBA")
        image = Picture.alpha_composite(Picture.new("RGBA", solid.size, "white"), solid).convert("RGB")
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)  # a view: torchvision resizes it faster


def to_uint8(picture: Any) -> Image:
    """One picture as uint8 `[1 or 3, h, w]`: a PIL image, or an array or tensor with values 0 … 255 or 0.0 … 1.0."""
    if hasattr(picture, "mode") and hasattr(picture, "convert"):
        return pil_to_uint8(picture)
    pixels = picture if isinstance(picture, Tensor) else tensor_of(picture)
    if pixels.ndim not in (2, 3):
        raise ValueError(f"A picture is [h w], [h w c] or [c h w]; got {list(pixels.shape)}.")
    if pixels.ndim == 3 and _channels_last(tuple(pixels.shape), isinstance(picture, Tensor)):
        pixels = pixels.permute(2, 0, 1)
    return eight_bits(pixels if pixels.ndim == 3 else pixels[None]).contiguous()


def stack_to_uint8(pictures: Any) -> UInt8[Tensor, "n c h w"]:
    """Many pictures of one size: `[n h w]`, `[n h w c]` or `[n c h w]`, 0 … 255 or 0.0 … 1.0.

    Where both ends could be channels, a numpy array is read as channels last and a tensor as channels first.
    """
    pixels = pictures if isinstance(pictures, Tensor) else tensor_of(pictures)
    if pixels.ndim not in (3, 4):
        raise ValueError(f"Pictures are [n h w], [n h w c] or [n c h w]; got {list(pixels.shape)}.")
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif _channels_last(tuple(pixels.shape[1:]), isinstance(pictures, Tensor)):
        pixels = pixels.permute(0, 3, 1, 2)
    return eight_bits(pixels.cpu()).contiguous()


def tensor_of(array: Any) -> Tensor:
    """The array as a tensor, on the same memory where that may be written to."""
    array = np.asarray(array)
    return torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else np.array(array))


def _channels_last(shape: tuple[int, ...], tensor: bool) -> bool:
    for channels in ((1, 3), (4,)):
        first, last = shape[0] in channels, shape[2] in channels
        if first or last:
            return last and not (first and tensor)
    raise ValueError(f"A picture has 1, 3 or 4 channels, first or last; got the shape {list(shape)}.")


def eight_bits(pixels: Tensor) -> Tensor:
    """The same values as uint8; a fourth channel is transparency, and what shows through is white."""
    if pixels.dtype == torch.bool:
        pixels = pixels.to(torch.uint8) * 255
    elif pixels.is_floating_point():
        low, high = (float(x) for x in pixels.detach().aminmax()) if pixels.numel() else (0.0, 0.0)
        if not -1e-3 <= low <= high <= 1.001:  # resizing overshoots a little
            found = f"floats from {low:.3g} to {high:.3g}"
            raise ValueError(f"Pictures hold 0 … 255 or 0.0 … 1.0; got {found}. Give them before they are normalised.")
        pixels = (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    elif pixels.dtype != torch.uint8:
        if pixels.numel() and not 0 <= int(pixels.min()) <= int(pixels.max()) <= 255:
            found = f"{str(pixels.dtype).removeprefix('torch.')} from {int(pixels.min())} to {int(pixels.max())}"
            raise ValueError(f"Pictures hold 0 … 255 or 0.0 … 1.0; got {found}. Scale them to 8 bits.")
        pixels = pixels.to(torch.uint8)
    if pixels.shape[-3] != 4:
        return pixels
    colour, alpha = pixels[..., :3, :, :].float(), pixels[..., 3:, :, :].float() / 255
    return (colour * alpha + 255 * (1 - alpha)).round().to(torch.uint8)


def with_channels(image: Tensor, channels: int | None) -> Tensor:
    """`[… c h w]` as grey (1, by the luma of ITU-R 601) or RGB (3); None leaves it as it is."""
    if channels is None or image.shape[-3] == channels:
        return image
    if channels == 3:
        return image.expand(*image.shape[:-3], 3, *image.shape[-2:])
    if channels != 1:
        raise ValueError(f"Pictures can be had with 1 or 3 channels; {channels} were asked for.")
    weights = torch.tensor([0.299, 0.587, 0.114], device=image.device)
    grey = torch.einsum("...chw,c->...hw", image.float(), weights).round().to(image.dtype)
    return grey.unsqueeze(-3)

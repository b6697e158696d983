"""Copies made of a few of the data's own pictures, to say how many copies would be found in these data."""

import io

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from isometry.data.pixels import pil_to_uint8

COPIES = ("JPEG of quality 40", "70 % of the size", "5 % cut off", "mirrored")
"""What is done, in the order of `copies`."""
QUALITY, SMALLER, CUT = 40, 0.7, 0.05


def copies(picture: UInt8[Tensor, "c h w"], seed: int = 0) -> list[Tensor]:
    """The picture re-encoded, resized, with the share of both sides cut off that `COPIES` says, and mirrored."""
    from PIL import Image

    image = as_image(picture)
    width, height = image.size
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    small = image.resize((max(1, round(SMALLER * width)), max(1, round(SMALLER * height))), Image.Resampling.BICUBIC)
    right, down = np.random.default_rng(seed).uniform(0, CUT, 2)
    box = round(right * width), round(down * height), round((right + 1 - CUT) * width), round((down + 1 - CUT) * height)
    cut = image.crop(box) if min(image.size) > 4 else image
    made = (Image.open(file), small, cut, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return [pil_to_uint8(copy) for copy in made]


def as_image(picture: UInt8[Tensor, "c h w"]):
    """A PIL image, grey or RGB."""
    from PIL import Image

    pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def drawn(n: int, count: int = 64) -> list[int]:
    """Positions of the pictures that copies are made of, drawn evenly with a fixed seed."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:count].sort().values.tolist()

"""What is kept of a picture to tell its copies: a small grey picture and smaller colours, 1,152 bytes.

Copies are told from these alone, so that no picture is read twice.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

SIDE = 32
"""Pixels a side that the grey picture is squeezed to, whatever its shape."""
TINT = 8
"""Pixels a side of its two colour differences."""
LENGTH = SIDE * SIDE + 2 * TINT * TINT
FLAT = 1.5
"""Grey levels of standard deviation below which a picture shows nothing."""


class Box(NamedTuple):
    """A part of a picture, its sides running from 0 to 1."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


def crops() -> tuple[Box, ...]:
    """The whole picture, and the crops that copies are looked for in: 95 % and 90 % of both sides, in nine places each."""
    return Box(), *(
        Box(left, top, left + share, top + share)
        for share in (0.95, 0.9)
        for left, top in itertools.product((0.0, (1 - share) / 2, 1 - share), repeat=2)
    )


def signature(picture: UInt8[Tensor, "c h w"]) -> UInt8[np.ndarray, " b"]:
    """The picture squeezed: grey on 32 × 32 places, and both colour differences (ITU-R 601) on 8 × 8.

    >>> signature(torch.full((3, 40, 60), 255, dtype=torch.uint8))[[0, -1]].tolist()
    [255, 128]
    """
    from PIL import Image

    pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    if pixels.shape[2] == 1:
        grey = Image.fromarray(pixels[:, :, 0]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return np.concatenate([np.asarray(grey).ravel(), np.full(2 * TINT * TINT, 128, np.uint8)])
    image = Image.fromarray(pixels)
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    tint = np.asarray(image.resize((4 * TINT, 4 * TINT), Image.Resampling.BILINEAR).convert("YCbCr"))[:, :, 1:]
    means = tint.reshape(TINT, 4, TINT, 4, 2).mean((1, 3)).round().astype(np.uint8)
    return np.concatenate([np.asarray(grey).ravel(), means.transpose(2, 0, 1).ravel()])


def grey(signatures: UInt8[Tensor, "n b"]) -> Float[Tensor, "n s s"]:
    """The grey pictures."""
    return levels(signatures).float()


def levels(signatures: UInt8[Tensor, "n b"]) -> UInt8[Tensor, "n s s"]:
    """The grey pictures in bytes, without a copy of them."""
    return signatures[:, : SIDE * SIDE].unflatten(1, (SIDE, SIDE))


def tints(signatures: UInt8[Tensor, "n b"]) -> Float[Tensor, "n 2 t t"]:
    """The colour differences, 0 where there is no colour."""
    return signatures[:, SIDE * SIDE :].reshape(-1, 2, TINT, TINT).float() - 128


def contrast(signatures: UInt8[Tensor, "n b"]) -> Float[Tensor, " n"]:
    """The standard deviation of the grey picture, in levels of 255; that of the colours where it is larger."""
    colour = tints(signatures).flatten(2).std(2).amax(1)
    return torch.maximum(grey(signatures).flatten(1).std(1), colour)


def resampling(start: float, end: float, rows: int = SIDE, across: int = SIDE) -> Float[Tensor, "rows across"]:
    """Weights that squeeze the stretch from `start` to `end` of `across` places onto `rows` places, by area.

    >>> resampling(0.0, 0.5, rows=2, across=4)
    tensor([[1., 0., 0., 0.],
            [0., 1., 0., 0.]])
    """
    edges = start + (end - start) * torch.arange(rows + 1, dtype=torch.float64) / rows
    at = torch.arange(across, dtype=torch.float64) / across
    covered = torch.minimum(edges[1:, None], at + 1 / across) - torch.maximum(edges[:-1, None], at)
    covered = covered.clamp_min(0)
    return (covered / covered.sum(1, keepdim=True)).float()


def viewed(pictures: Float[Tensor, "n s s"], box: Box) -> Float[Tensor, "n s s"]:
    """The part in the box of each picture, at full size."""
    return resampling(box.top, box.bottom) @ pictures @ resampling(box.left, box.right).T


def stacked(rows: Sequence[np.ndarray]) -> UInt8[Tensor, "n b"]:
    """Signatures in one tensor; none give `[0 b]`."""
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, LENGTH, dtype=torch.uint8)

"""Pictures as the model sees them, and where they lie in the pictures that were given."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from isometry.data import loader
from isometry.data.arrays import read_arrays
from isometry.data.fetch import takes_batches
from isometry.data.pixels import with_channels
from isometry.embedder import Ready

Box = tuple[float, float, float, float]
Pictures = Sequence[Any] | Tensor | np.ndarray
"""What may be compared: paths, PIL images, a tensor or an array of pictures."""
TOLERANCE = 0.02
"""Largest error, in shares of a side, with which a straight map has to say where a prepared picture lies."""


class Prepared(NamedTuple):
    """A picture as the model sees it, as it was given, and the box `(left, top, right, bottom)` of it that is seen.

    The box is in pixels of the picture as given; None where the preparation is no cropping and stretching along the axes.
    """

    seen: Float[Tensor, "c h w"]
    given: UInt8[Tensor, "k y x"]
    box: Box | None


def prepared(model: Ready, images: Any) -> list[Prepared]:
    """Each picture, whatever its size: a list of paths, PIL images or arrays, or a tensor `[n c h w]`.

    Raises:
        Unreadable: for what is no picture.
    """
    data, channels = read_arrays(images, [-1] * len(images)), int(model.model.trunk.in_channels)  # type: ignore[arg-type]
    every = []
    for i in range(len(data)):
        one = data.select(torch.tensor([i]))
        batch = next(iter(loader(one, model.transform, batch_size=1, workers=0, channels=channels, strict=True)))
        seen = batch.images[0]
        given = data.images[i]
        every.append(Prepared(seen / 255 if seen.dtype == torch.uint8 else seen, given, box(model.transform, given)))
    return every


def together(net: nn.Module, pictures: list[Prepared]) -> Float[Tensor, "n c h w"]:
    """Prepared pictures of one size, where and in the precision that a model has."""
    return torch.stack([one.seen for one in pictures]).to(next(net.parameters()))


def box(transform: Any, given: UInt8[Tensor, "c h w"]) -> Box | None:
    """Which part of a picture a preparation shows, found by sending a picture of coordinates through it."""
    h, w = given.shape[-2:]
    rows = ((torch.arange(h) + 0.5) / h)[:, None].expand(h, w)
    columns = ((torch.arange(w) + 0.5) / w).expand(h, w)
    try:
        y, x = (_through(transform, with_channels(ramp[None], 3)) for ramp in (rows, columns))
    except (ValueError, RuntimeError, TypeError):
        return None
    top, bottom, wrong_y = _edges(y)
    left, right, wrong_x = _edges(x.T)
    if max(wrong_y, wrong_x) > TOLERANCE:
        return None
    return left * w, top * h, right * w, bottom * h


def _through(transform: Any, ramp: Float[Tensor, "3 h w"]) -> Float[Tensor, "y x"]:
    made = transform(ramp[None])[0] if takes_batches(transform) else transform(ramp)
    return made.float().mean(0)


def _edges(ramp: Float[Tensor, "y x"]) -> tuple[float, float, float]:
    """Where the first and the last edge of the rows lie, by a straight line; and how far the line is off at worst."""
    n = len(ramp)
    middle = slice(n // 8, n - n // 8) if n >= 8 else slice(0, n)  # at the border, smoothing bends the ramp
    at = (torch.arange(n) + 0.5)[middle]
    value = ramp.mean(1)[middle]
    centred = at - at.mean()
    slope = float((centred * value).sum() / centred.square().sum().clamp_min(1e-12)) if n > 1 else 1.0
    start = float(value.mean()) - slope * float(at.mean())
    line = start + slope * at
    wrong = float((ramp[middle] - line[:, None]).abs().max())
    return start, start + slope * n, wrong


def placed(heat: Float[Tensor, "h w"], given: UInt8[Tensor, "c m n"], box: Box | None) -> Float[Tensor, "m n"] | None:
    """A heat map over the picture that was given: 0 outside of the box, and the same sum but for what is cut by pixels."""
    if box is None:
        return None
    left, top, right, bottom = box
    (h, w), (m, n) = heat.shape, given.shape[-2:]
    x = 2 * (torch.arange(n) + 0.5 - left) / (right - left) - 1
    y = 2 * (torch.arange(m) + 0.5 - top) / (bottom - top) - 1
    grid = torch.stack([x.expand(m, n), y[:, None].expand(m, n)], -1)
    found = functional.grid_sample(
        heat.float()[None, None], grid[None], padding_mode="border", align_corners=False, mode="bilinear"
    )[0, 0]
    inside = ((x.abs() <= 1) & (y.abs() <= 1)[:, None]).to(found)
    return found * inside * (h * w / abs((right - left) * (bottom - top)))

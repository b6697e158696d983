"""Faces turned, scaled and moved so that eyes, nose and mouth lie where face networks expect them.

The similarity w = a z + b (complex a, b) that carries the five points z of a face closest to their places w, by least
squares: a = Σ conj(z_i − z̄)(w_i − w̄) / Σ |z_i − z̄|², b = w̄ − a z̄ (Umeyama, PAMI 1991, in the plane and without
mirroring). Between pixels the picture is interpolated linearly and outside it is black, as the published code has it.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from isometry.data.images import Images, Paths
from isometry.data.pixels import Image

SIDE = 112
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the left eye, right eye, nose and corners of the mouth lie in 112 × 112 pixels (x, y), as ArcFace publishes."""


class Aligned(Images):
    """The faces of picture files, aligned by five points `[n 5 2]` each: uint8 `[c 112 112]`."""

    def __init__(self, images: Paths, points: Float[np.ndarray, "n 5 2"]) -> None:
        self.images, self.points, self.channels = images, points, 3

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image:
        return aligned(self.images[index], self.points[index])

    def take(self, index: np.ndarray) -> "Aligned":
        return Aligned(self.images.take(index), self.points[index])

    def where(self, index: int) -> str:
        return self.images.where(index)

    def write_to(self, digest: Any) -> None:
        self.images.write_to(digest)
        digest.update(np.ascontiguousarray(self.points).tobytes())


def aligned(image: Image, points: Float[np.ndarray, "5 2"]) -> UInt8[Tensor, "c 112 112"]:
    """The face of one picture."""
    a, b = similarity(points)
    pixels = torch.arange(SIDE, dtype=torch.float64)
    z = (torch.complex(pixels.expand(SIDE, SIDE), pixels[:, None].expand(SIDE, SIDE)) - b) / a
    height, width = image.shape[1:]
    grid = torch.stack([(2 * z.real + 1) / width - 1, (2 * z.imag + 1) / height - 1], -1)  # −1 and 1 are the borders
    drawn = functional.grid_sample(image[None].float(), grid[None].float(), "bilinear", "zeros", align_corners=False)
    return drawn[0].round().clamp(0, 255).to(torch.uint8)


def similarity(points: Float[np.ndarray, "5 2"]) -> tuple[complex, complex]:
    """a and b of w = a z + b, where points are x + iy.

    >>> a, b = similarity(PLACES / 2)
    >>> abs(a - 2) < 1e-9, abs(b) < 1e-9  # twice as large, and nothing else
    (True, True)
    """
    z, w = (side[:, 0] + 1j * side[:, 1] for side in (np.asarray(points, dtype=np.float64), PLACES))
    centred = z - z.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    a = complex(np.sum(centred.conj() * (w - w.mean())) / spread) if spread > 0 else 1 + 0j
    return a, complex(w.mean() - a * z.mean())

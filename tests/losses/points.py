"""Points to try losses on."""

import math

import torch

F64 = torch.float64


def random(n=12, d=4, classes=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=F64), torch.arange(n) % classes


def on_circle(*degrees):
    angle = torch.deg2rad(torch.tensor(degrees, dtype=F64))
    return torch.stack([angle.cos(), angle.sin()], 1)


def at_distances(*distances):
    """Unit vectors at these distances from the first, which is (1, 0)."""
    return on_circle(0, *(math.degrees(2 * math.asin(d / 2)) for d in distances))

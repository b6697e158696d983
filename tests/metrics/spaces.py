"""Spaces to measure statistics on."""

import torch
from torch import Tensor

from isometry.metrics.statistic import Space
from isometry.ops.ranking import inner, minus_distance
from isometry.ops.safe import normalize


def space(z: Tensor, y: Tensor | None = None, **given) -> Space:
    """Every item searches all others, by cosine."""
    n = len(z)
    rows = torch.arange(n)
    y = torch.zeros(n, dtype=torch.int64) if y is None else y
    return Space(z, y, **{"ids": rows, "query": rows, "gallery": rows, "embed": normalize, "compare": inner, **given})


def by_distance(z: Tensor, y: Tensor | None = None, **given) -> Space:
    """Every item searches all others, by Euclidean distance of embeddings as they are."""
    return space(z, y, embed=lambda x: x, compare=minus_distance, **given)


def classes(count: int, each: int, dim: int, noise: float) -> tuple[Tensor, Tensor]:
    """Directions of classes with noise, and their labels, in no order."""
    y = torch.arange(count).repeat_interleave(each)[torch.randperm(count * each)]
    return torch.randn(count, dim)[y] + noise * torch.randn(count * each, dim), y


def rotation(dim: int) -> Tensor:
    """A random rotation or reflection."""
    return torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64))[0].float()

"""Places on the map: t-SNE of a sample, as the report has it; all others among their neighbours in the sample."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare
from isometry.report.projection import fit, layout

SAMPLE = 4000
NEAR = 6
SPREAD = 0.5


def places(
    z: Float[Tensor, "n d"], labels: Int[Tensor, " n"], compare: Compare, *, size: int = SAMPLE
) -> tuple[Float[Tensor, "n 2"], str]:
    """A place in [0, 1]² for each embedding, and how it was found, in words.

    Up to `size` embeddings are laid out by t-SNE. Of more, `size` are, drawn from the classes in turn, and each other one
    lies at the mean of its nearest in the sample, weighted exp(−(gap to the nearest) / (typical gap)), and moved at random
    by a share of how far these lie apart on the map, so that no two cover each other.

    >>> places(torch.eye(4), torch.arange(4), lambda q, g: q @ g.T)[0].shape
    torch.Size([4, 2])
    """
    n = len(z)
    chosen = drawn(labels, size)
    xy, how = layout(z[chosen].float(), "as they are compared")
    xy = fit(xy)
    if len(chosen) == n:
        return xy, f"All {n:,} pictures: {how}."
    placed = torch.empty(n, 2)
    placed[chosen] = xy
    others = torch.ones(n, dtype=torch.bool)
    others[chosen] = False
    noise = torch.Generator().manual_seed(0)
    for rows in others.nonzero()[:, 0].split(8192):
        placed[rows] = _among(z[rows].float(), z[chosen].float(), xy, compare, noise)
    words = f"{len(chosen):,} of {n:,} pictures: {how}; the others lie among their {NEAR} nearest of these."
    return placed.clamp(0, 1), words


def drawn(labels: Int[Tensor, " n"], size: int) -> Int[Tensor, " p"]:
    """At most `size` rows, ascending: one at random of each class, then a second of each, and so on.

    A picture without a class is a class of its own.

    >>> sorted(torch.tensor([5, 5, 5, 5, 7, 7])[drawn(torch.tensor([5, 5, 5, 5, 7, 7]), 4)].tolist())
    [5, 5, 7, 7]
    """
    n = len(labels)
    if n <= size:
        return torch.arange(n)
    noise = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(n, generator=noise)
    _, dense = torch.where(labels < 0, labels.max() + 1 + torch.arange(n), labels)[shuffled].unique(return_inverse=True)
    order = dense.argsort(stable=True)
    count = torch.bincount(dense)
    turn = torch.arange(n) - (count.cumsum(0) - count)[dense[order]]
    return shuffled[order[turn.argsort(stable=True)[:size]]].sort().values


def _among(z: Tensor, anchors: Tensor, xy: Tensor, compare: Compare, noise: torch.Generator) -> Float[Tensor, "b 2"]:
    """Rows at the weighted mean of the places of their nearest anchors; of those far from the first on the map, none."""
    sim, found = nearest(z, anchors, min(NEAR, len(anchors)), similarity=compare)
    gap = sim[:, :1] - sim
    weight = torch.exp(-gap / gap.mean(1, keepdim=True).clamp_min(1e-9))
    spots = xy[found]
    away = (spots - spots[:, :1]).norm(dim=2)
    weight = weight * (away <= 3 * away.median(1, keepdim=True).values.clamp_min(1e-3)).float()
    mean = (spots * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
    apart = away.median(1).values.clamp(5e-4, 0.01)
    return mean + SPREAD * apart[:, None] * torch.randn(len(z), 2, generator=noise)

"""Pairs of items, drawn alike at every call, and how much a map stretched them."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import minus_distance

SAME = 1e-5  # inputs nearer than this part of the median distance count as the same
WIDE = 256  # wider vectors are searched by a random projection to so many dimensions
CHUNK = 2**18  # numbers at once: what fits the cache


def partners(
    y: Int[Tensor, " n"], near: Float[Tensor, "n p"], seed: int
) -> tuple[Int[Tensor, " m"], Int[Tensor, "m 3"]]:
    """The items with another of their class, and three partners of each: one of its class, its nearest in `near`, any.

    The first and the last are drawn, each item being once a partner of either kind. Of vectors of more than 256 dimensions
    the nearest is that of a random projection to 256: near, though not always the very nearest.
    """
    n, draw = len(y), torch.Generator().manual_seed(seed)
    y = torch.unique(y.cpu(), return_inverse=True)[1]
    size = torch.bincount(y, minlength=1)
    mixed = torch.randperm(n, generator=draw)
    order = mixed[y[mixed].argsort(stable=True)]
    start = torch.repeat_interleave(size.cumsum(0) - size, size)
    place = (torch.arange(n) - start + 1) % size[y[order]] + start
    alike, other = torch.empty(2, n, dtype=torch.int64)
    alike[order] = order[place]
    mixed = torch.randperm(n, generator=draw)
    other[mixed] = mixed.roll(-1)
    near, ids = _narrow(near, draw), torch.arange(n, device=near.device)
    closest = nearest(near, near, 1, ids_q=ids, ids_g=ids, similarity=minus_distance)[1][:, 0].cpu()
    rows = (size[y] > 1).nonzero()[:, 0]
    return rows, torch.stack([alike, closest, other], 1)[rows]


def _narrow(x: Float[Tensor, "n p"], draw: torch.Generator) -> Float[Tensor, "n q"]:
    if x.shape[1] <= WIDE:
        return x
    return x @ torch.randn(x.shape[1], WIDE, generator=draw).to(x)


def stretches(
    x: Shaped[Tensor, "n *q"], u: Float[Tensor, "n d"], rows: Int[Tensor, " m"], to: Int[Tensor, "m 3"]
) -> Float[Tensor, "m 3"]:
    """‖u_i − u_j‖ / ‖x_i − x_j‖ of each item and its partners; float64, on the CPU; NaN for inputs that coincide.

    Bytes count as numbers in 0 … 1. Inputs that are the same but for rounding count as coinciding: their ratio is that of
    two rounding errors.
    """
    i, j = rows.repeat_interleave(to.shape[1]), to.flatten()
    far = distances(x, i, j) / (255 if x.dtype == torch.uint8 else 1)
    return torch.where(far > SAME * far.median(), distances(u, i, j) / far, torch.nan).view(to.shape)


def distances(x: Shaped[Tensor, "n *q"], i: Int[Tensor, " s"], j: Int[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Euclidean distances of pairs of rows, some pairs at once; float64, on the CPU."""
    step = max(1, CHUNK // max(1, x[0].numel()))
    pairs = zip(i.to(x.device).split(step), j.to(x.device).split(step), strict=True)
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    parts = [torch.linalg.vector_norm((x[a].to(kind) - x[b].to(kind)).flatten(1), dim=1) for a, b in pairs]
    return torch.cat(parts).double().cpu()

"""Squared distances behind a search: of single pairs, and to the farthest item."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.neighbours import nearest, rows_in
from isometry.ops.ranking import Compare, inner, minus_distance, tiles

PIECE = 2**18  # numbers gathered at once, at most: what a cache holds


def pair_similarity(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    row: Int[Tensor, " p"],
    col: Int[Tensor, " p"],
    similarity: Compare,
    memory: str | int = "512 MB",
) -> Float[Tensor, " p"]:
    """The similarity of each named pair, float64.

    >>> z = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    >>> pair_similarity(z, z, torch.tensor([0, 0]), torch.tensor([0, 1]), inner)
    tensor([1.0000, 0.6000], dtype=torch.float64)
    """
    out = torch.empty(len(row), dtype=torch.float64, device=q.device)
    step = max(1, min(PIECE, in_bytes(memory) // 32) // max(1, q.shape[1]))
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        one, other = q[row[part]].double(), g[col[part]].double()
        if similarity is inner:
            out[part] = torch.linalg.vecdot(one, other)
        elif similarity is minus_distance:
            out[part] = -torch.linalg.vector_norm(one - other, dim=1)
        else:
            out[part] = similarity(one[:, None], other[:, None]).flatten()
    return out


def squared_distance(sim: Float[Tensor, "..."], similarity: Compare) -> Float[Tensor, "..."]:
    """What a similarity says of the squared distance: 2 − 2s for the inner product of rows of length one, else s².

    Raises:
        ValueError: for a similarity that is no distance: an inner product above 1, or anything else above 0.
    """
    most = 1.0 if similarity is inner else 0.0
    if sim.numel() and float(sim.max()) > most + 1e-3:
        raise ValueError(
            f"This re-ranking works on distances, and a similarity of {float(sim.max()):.3g} is none: it takes rows of "
            "length one (cosine), or minus a distance (euclidean)."
        )
    return (2 - 2 * sim).clamp_min(0) if similarity is inner else sim.clamp_max(0).square()


def farthest(x: Float[Tensor, "n d"], similarity: Compare, memory: str | int = "512 MB") -> Float[Tensor, " n"]:
    """The squared distance from each item to the one farthest from it, float64; a pass over all pairs, in tiles."""
    rows = torch.arange(len(x), device=x.device)
    if similarity is inner:
        at = nearest(-x, x, 1, memory=memory)[1][:, 0]
    elif similarity is minus_distance:
        centred = x - x.mean(0)
        squared = centred.square().sum(1, keepdim=True)
        lifted = torch.cat([-2 * centred, torch.ones_like(squared)], 1)  # ‖b‖² − 2aᵀb rises with the distance from a
        at = nearest(lifted, torch.cat([centred, squared], 1), 1, memory=memory)[1][:, 0]
    else:
        least = torch.cat(list(_least(x, similarity, memory)))
        return squared_distance(least, similarity)
    return squared_distance(pair_similarity(x, x, rows, at, similarity, memory), similarity)


def _least(x: Tensor, similarity: Compare, memory: str | int) -> Iterator[Tensor]:
    """The smallest similarity of each row, a chunk at a time."""
    width = 8192
    for chunk in x.split(rows_in(memory, 40 * min(width, len(x)))):
        yield torch.stack([sim.amin(1) for _, sim in tiles(chunk, x, similarity, width)]).amin(0).double()

"""The farthest item of the same class, and the nearest of another, for items that are sorted by class."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import within
from isometry.ops.memory import in_bytes
from isometry.ops.safe import squared_distance

WIDTH = 8192  # columns of a tile


@torch.no_grad()
def farthest_alike(x: Float[Tensor, "n d"], size: Int[Tensor, " c"], memory: str | int) -> Float[Tensor, " n"]:
    """The largest distance of each item to another of its class, 0 where there is none; float64."""

    def largest(squares: Tensor, other: Tensor) -> Tensor:
        return torch.where(other, squares, 0).amax(1).sqrt()

    return within.over_others(x, size, squared_distance, largest, memory)


@torch.no_grad()
def nearest_unlike(x: Float[Tensor, "n d"], size: Int[Tensor, " c"], memory: str | int) -> Float[Tensor, " n"]:
    """The smallest distance of each item to one of another class; infinite where there is none.

    All pairs are compared in float32, in tiles: O(n² d) time, as long as one exact search. The distance of the pair
    that was found is then taken in float64 from the difference, so it is 0 for duplicates.
    """
    owner = torch.repeat_interleave(torch.arange(len(size), device=x.device), size)
    end = size.cumsum(0)
    x = x - x.mean(0)
    height = x.square().sum(1)
    width = min(WIDTH, len(x))
    step = max(1, min(2048, in_bytes(memory) // (16 * width)))
    made = []
    for rows in torch.arange(len(x), device=x.device).split(step):
        low, high = int(end[owner[rows[0]]] - size[owner[rows[0]]]), int(end[owner[rows[-1]]])
        best, place = x.new_full((len(rows),), torch.inf), torch.zeros_like(rows)
        for left in range(0, len(x), width):
            cols = slice(left, left + width)
            tile = torch.addmm(height[None, cols], x[rows], x[cols].T, alpha=-2)
            if left < high and left + width > low:
                tile.masked_fill_(owner[rows, None] == owner[None, cols], torch.inf)
            near, at = tile.min(1)
            closer = near < best
            best[closer], place[closer] = near[closer], at[closer] + left
        apart = torch.linalg.vector_norm(x[rows].double() - x[place].double(), dim=1)
        made.append(apart.masked_fill(best.isinf(), torch.inf))
    return torch.cat(made)

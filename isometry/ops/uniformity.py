"""The mean of a Gaussian kernel over all pairs, in tiles that are folded into one number."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.memory import in_bytes

SIDE = 2048  # items of a tile, at most


@torch.no_grad()
def log_mean_kernel(x: Float[Tensor, "n d"], t: float, *, memory: str | int = "512 MB") -> float:
    """log mean_{i≠j} exp(−t ‖x_i − x_j‖²), over all pairs; products in float32, sums of tiles in float64.

    O(n² d) time for each pair once; memory is one tile.

    >>> round(log_mean_kernel(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), 2.0), 6)
    -8.0
    """
    side = max(1, min(SIDE, int((in_bytes(memory) / 12) ** 0.5)))
    peak, total = -math.inf, 0.0  # the sum so far is total · exp(peak)
    x = x - x.mean(0)
    height = -t * x.square().sum(1)
    for top in range(0, len(x), side):
        rows = slice(top, top + side)
        for left in range(top, len(x), side):
            cols = slice(left, left + side)
            tile = (
                torch.addmm(height[None, cols], x[rows], x[cols].T, alpha=2 * t).add_(height[rows, None]).clamp_(max=0)
            )
            if top == left:
                tile.fill_diagonal_(-torch.inf)
            highest = float(tile.max())
            if highest > peak:
                peak, total = highest, total * math.exp(peak - highest)
            if peak > -math.inf:
                total += (1 if top == left else 2) * float(tile.sub_(peak).exp_().sum(dtype=torch.float64))
    return peak + math.log(total / (len(x) * (len(x) - 1)))

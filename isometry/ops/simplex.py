"""The probability simplex (Held, Wolfe and Crowder, Mathematical Programming 1974)."""

import torch
from jaxtyping import Float
from torch import Tensor


def onto_simplex(x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
    """The nearest point with non-negative entries that sum to 1: [x − t]₊, where t makes the sum 1.

    >>> onto_simplex(torch.tensor([0.9, 0.5, -1.0]))
    tensor([0.7000, 0.3000, 0.0000])
    """
    falling = x.sort(dim=-1, descending=True).values
    place = torch.arange(1, x.shape[-1] + 1, device=x.device)
    level = (falling.cumsum(-1) - 1) / place
    kept = (falling > level).sum(-1, keepdim=True)
    return (x - level.gather(-1, kept - 1)).clamp_min(0)

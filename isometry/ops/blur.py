"""Gaussian smoothing of pictures and maps of any size."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def blurred(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """The mean of each pixel's neighbourhood, with weights e^{−r²/2σ²}; what lies outside the picture has no weight.

    >>> blurred(torch.ones(1, 1, 4, 6), 2.0).unique()
    tensor([1.])
    """
    return _gathered(x, sigma) / _gathered(torch.ones_like(x[:1, :1]), sigma)


def spread(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Each pixel's value divided among its neighbours with such weights: the sum over the picture stays as it is.

    >>> one = torch.zeros(1, 1, 4, 6)
    >>> one[0, 0, 0, 0] = 1
    >>> round(float(spread(one, 2.0).sum()), 4)
    1.0
    """
    return _gathered(x / _gathered(torch.ones_like(x[:1, :1]), sigma), sigma)


def _gathered(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Σ_r x e^{−r²/2σ²}, along one axis and then the other; nothing comes in from outside."""
    if sigma <= 0:
        return x
    reach = max(1, math.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    weight = torch.exp(-at.square() / (2 * sigma * sigma))
    weight = weight / weight.sum()
    rows = x.flatten(0, 1)[:, None]
    rows = functional.conv2d(rows, weight.view(1, 1, -1, 1), padding=(reach, 0))
    rows = functional.conv2d(rows, weight.view(1, 1, 1, -1), padding=(0, reach))
    return rows.view_as(x)

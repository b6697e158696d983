"""Sums, maxima and log-sum-exps over the pairs of a row that have weight. Empty is neutral: 0 with zero gradient."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Weights = Float[Tensor, "n m"] | Bool[Tensor, "n m"]
OUT = -1e30
"""Stands for a similarity that is not there: finite, so that rows with none have gradients of 0 and not NaN."""


def some(weight: Weights) -> Bool[Tensor, " n"]:
    """Rows that have any pair."""
    return weight.any(1) if weight.dtype == torch.bool else (weight > 0).any(1)


def count(weight: Weights) -> Float[Tensor, " n"]:
    """How many pairs a row has (their weights' sum)."""
    return weight.sum(1).to(torch.get_default_dtype() if weight.dtype == torch.bool else weight.dtype)


def total(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted sum over a row's pairs. What has no weight must be finite all the same."""
    return torch.linalg.vecdot(x, weight.to(x.dtype))


def average(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Weighted mean over a row's pairs; 0 for a row without any."""
    many = count(weight).to(x.dtype)
    return total(x, weight) / torch.where(many > 0, many, 1)


def only(x: Float[Tensor, "n m"], weight: Weights, fill: float = OUT) -> Float[Tensor, "n m"]:
    """x where there is weight, `fill` elsewhere."""
    return x.masked_fill(~weight if weight.dtype == torch.bool else weight <= 0, fill)


def log_sum_exp(x: Float[Tensor, "n m"], weight: Weights, plus_one: bool = False) -> Float[Tensor, " n"]:
    """log Σ_j w_ij e^{x_ij}, or log(1 + Σ_j w_ij e^{x_ij}); 0 for a row without pairs.

    >>> log_sum_exp(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
    tensor([0.6931])
    """
    if weight.dtype != torch.bool:
        x = x + torch.where(weight > 0, weight, 1).log()
    if x.shape[1] == 0:
        return x.sum(1)
    inside = torch.logsumexp(only(x, weight), 1)
    if plus_one:
        return F.softplus(inside, threshold=50)
    return torch.where(some(weight), inside, 0)


def largest(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Largest over a row's pairs; −1e30 for a row without any."""
    return only(x, weight).amax(1) if x.shape[1] else x.sum(1) + OUT


def smallest(x: Float[Tensor, "n m"], weight: Weights) -> Float[Tensor, " n"]:
    """Smallest over a row's pairs; 1e30 for a row without any."""
    return only(x, weight, -OUT).amin(1) if x.shape[1] else x.sum(1) - OUT

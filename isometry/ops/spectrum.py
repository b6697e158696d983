"""Singular values of many rows, and what they say of the directions that rows use."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.within import chunks

ROUNDING = 2.0**-23  # of float32, beside the largest: what lies below is no singular value


@torch.no_grad()
def singular_values(x: Float[Tensor, "n d"], *, centred: bool = False) -> Float[Tensor, " r"]:
    """The min(n, d) singular values, falling; float64, on the CPU. What float32 cannot tell from 0 is 0.

    From the products of columns (of rows, where there are fewer), in float64: O(n d²) time and O(d²) memory.
    """
    middle = x.mean(0, dtype=torch.float64) if centred else x.new_zeros(x.shape[1], dtype=torch.float64)
    if len(x) < x.shape[1]:
        rows = x.double() - middle
        gram = rows @ rows.T
    else:
        gram = x.new_zeros(x.shape[1], x.shape[1], dtype=torch.float64)
        for rows in chunks(x):
            part = x[rows].double() - middle
            gram.addmm_(part.T, part)
    values = torch.linalg.eigvalsh(gram.cpu()).flip(0).clamp_min(0).sqrt()
    scale = torch.linalg.vector_norm(x, dtype=torch.float64).cpu()  # a collapsed space, centred, is all rounding
    return torch.where(values > ROUNDING * torch.maximum(values[0], scale / max(1, len(values)) ** 0.5), values, 0)


def spectral_decay(values: Float[Tensor, " r"]) -> float:
    """KL(U ‖ S) = (1/r) Σ log(1 / (r s_i)) of the values divided by their sum and the uniform U; infinite where one is 0.

    >>> round(spectral_decay(torch.tensor([3.0, 1.0], dtype=torch.float64)), 5)
    0.14384
    """
    share = values / values.sum()
    return max(0.0, float(-(share * len(values)).log().mean()))


def effective_rank(values: Float[Tensor, " r"]) -> float:
    """exp(−Σ s_i log s_i) of the values divided by their sum: r where all are equal, 1 where one is not 0."""
    share = values[values > 0] / values.sum()
    return float((-(share * share.log()).sum()).exp())

"""Codes of bits: what a search compares when embeddings are stored as their signs."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.similarity import similarity


def signs(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """1 where a component is not below 0, −1 elsewhere."""
    return torch.where(z >= 0, 1.0, -1.0).to(z.dtype)


@similarity(bounds=(-math.inf, 0.0), embed=signs, distance=False, symmetric=True)
def hamming(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Minus the number of components whose signs differ.

    It has no gradient: it is for evaluation, `isometry.evaluate(z, y, "MAPAtR()", similarity=hamming)`. Train the codes
    with another similarity and `Quantisation`.
    """
    return (z @ r.T - z.shape[1]) / 2

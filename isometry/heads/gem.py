"""Generalised-mean pooling (Radenović, Tolias and Chum, TPAMI 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.heads.pool import Pool

SMALL = 1e-6  # features below it count as it, as in the official code: the root has no gradient at 0


class GeM(Pool):
    """Pools by a mean that leans towards the largest features: (mean xᵖ)^(1/p), of features clipped at 10⁻⁶.

    p = 1 is the mean (of what is positive), p → ∞ the maximum. For features that can be negative (transformers without
    a last ReLU) take `Average`: everything below zero is lost here.

    Args:
        p: where the exponent starts. learned: whether training moves it.

    >>> import torch
    >>> GeM(p=2)(torch.tensor([[[[1.0, 7.0]]]]))
    tensor([[5.]], grad_fn=<PowBackward1>)

    Raises:
        ValueError: for an exponent that is not positive.
    """

    p: float = 3.0
    learned: bool = True

    def __post_init__(self) -> None:
        if not self.p > 0:
            raise ValueError(f"The exponent of GeM is positive, and p={self.p} is not.")
        self.exponent = nn.Parameter(torch.tensor(self.p), requires_grad=self.learned)

    def over_places(self, features: Float[Tensor, "b p c"]) -> Float[Tensor, "b c"]:
        return features.clamp_min(SMALL).pow(self.exponent).mean(1).pow(1 / self.exponent)

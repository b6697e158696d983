"""Angles from cosines, whose gradients stay finite at 0 and π."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.safe import sqrt


def sine(cosine: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """√(1 − cos²), the sine of an angle in [0, π]; its gradient is 0 at both ends instead of infinite."""
    return sqrt((1 - cosine) * (1 + cosine))


def angle(cosine: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """The angle in [0, π]; its gradient is 0 at both ends instead of infinite."""
    return torch.atan2(sine(cosine), cosine)

"""Several tests at once (Holm, Scandinavian Journal of Statistics 1979)."""

import torch
from jaxtyping import Float
from torch import Tensor


def holm(p: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """p values after Holm's correction: rejecting those below α keeps the chance of any false rejection below α.

    Sorted, the i-th smallest of m is multiplied by m + 1 − i, and none may fall below the one before it; at most 1. It
    holds whatever the dependence between the tests. NaN, a test that was not made, stays and is not counted.

    >>> holm(torch.tensor([0.01, 0.04, 0.03]))
    tensor([0.0300, 0.0600, 0.0600])
    """
    made = (~p.isnan()).nonzero()[:, 0]
    ordered, order = p[made].sort()
    steps = (ordered * torch.arange(len(made), 0, -1)).clamp_max(1)
    result = p.clone()
    result[made[order]] = torch.cummax(steps, 0).values if len(made) else steps
    return result

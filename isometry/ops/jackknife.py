"""Intervals from leaving groups out (Kott, "The delete-a-group jackknife", Journal of Official Statistics 2001).

For figures of pairs, which a bootstrap of their items distorts: a class drawn twice would be its own impostor. Leaving
out one group of classes after the other takes away whole pairs only. Groups of many classes, unlike single ones, serve
quantiles too (Shao and Wu, Annals of Statistics 1989).
"""

from jaxtyping import Float
from torch import Tensor

from isometry.ops.seeds import quantile


def jackknife(value: float, without: Float[Tensor, " g"], confidence: float) -> tuple[float, float]:
    """The interval about `value`, by Student's t with g − 1 degrees of freedom; NaN with fewer than two groups.

    Args:
        without: the figure where one of the g groups is left out, for each group. NaN makes the interval NaN.

    >>> import torch
    >>> low, high = jackknife(2.0, torch.tensor([2.5, 2.0, 1.5]), 0.95)  # of values 1, 2, 3: 2 ± 4.30 · 1/√3
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    count = len(without)
    if count < 2:
        return float("nan"), float("nan")
    error = ((count - 1) * without.double().var(correction=0)) ** 0.5
    reach = quantile(count - 1, (1 + confidence) / 2) * float(error)
    return value - reach, value + reach

"""Labels that come round again: hours, angles, days of the year."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric


class Circular(LabelMetric):
    """Labels on a circle, so that 23 h and 1 h are near: D is the shorter way round, in the labels' unit.

    D(y, y') = min(|y − y'| mod P, P − |y − y'| mod P) with period P: 24 for hours (the default), 360 for degrees, 7 for
    days of the week, 365.25 for days of the year. Several columns, such as joint angles, are put together as √Σ D². `radius`
    has the labels' unit: one hour by default. D is a metric; points on a circle of length P lie at chord ≤ D ≤ π/2 chord.

    Ages, years and durations do not come round: `CloseTargets` is theirs.

    >>> hours = torch.tensor([23.0, 1.0, 12.0])
    >>> Circular(period=24).distances(hours, hours)
    tensor([[ 0.,  2., 11.],
            [ 2.,  0., 11.],
            [11., 11.,  0.]])

    Raises:
        ValueError: for a period that is not above 0.
    """

    period: float = 24.0

    def __post_init__(self) -> None:
        if not 0 < self.period < math.inf:
            raise ValueError(f"Circular.period is above 0, such as 24 for hours; got {self.period}.")

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        total = None
        for first, second in zip(rows.unbind(-1), cols.unbind(-1), strict=True):
            around = (first[..., :, None] - second[..., None, :]).abs().remainder(self.period)
            arc = torch.minimum(around, self.period - around)
            total = arc if total is None else torch.hypot(total, arc)
        return rows.new_zeros(*rows.shape[:-1], cols.shape[-2]) if total is None else total

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        angle = labels.double().remainder(self.period) * (2 * math.pi / self.period)
        points = torch.cat([angle.cos(), angle.sin()], 1) * (self.period / (2 * math.pi))
        farthest = 2 * float(labels.abs().max()) if labels.numel() else 0.0  # a difference, which `gap` rounds
        error = torch.finfo(labels.dtype).eps * (self.period + farthest) * labels.shape[1] ** 0.5
        return Bound(points, 1.0, math.pi / 2, error=error)

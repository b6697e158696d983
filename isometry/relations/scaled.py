"""Real-valued labels in different units."""

import math

import torch  # noqa: F401  (the example)
from jaxtyping import Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric
from isometry.ops.straight import straight


class Scaled(LabelMetric):
    """Real-valued targets in different units, each divided by its own scale: D is then the Euclidean distance.

    D(y, y') = √Σ_t ((y_t − y'_t) / scale_t)², without a unit. A scale is the difference in that column that counts as much as
    one scale in any other: `Scaled(scales=(10, 0.5))` for ages in years and heights in metres. D is a metric.

    >>> Scaled(scales=(10, 0.5)).distances(torch.tensor([[30.0, 1.5]]), torch.tensor([[60.0, 3.5]]))
    tensor([[5.]])

    Raises:
        ValueError: for scales that are not above 0, or not as many as label columns.
    """

    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scales or not all(isinstance(s, (int, float)) and 0 < s < math.inf for s in self.scales):
            raise ValueError(f"Scaled.scales is a number above 0 for each label column; got {self.scales!r}.")

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        if flat.shape[1] != len(self.scales):
            raise ValueError(
                f"Scaled has {len(self.scales)} scales for {flat.shape[1]} label columns: give one for each column."
            )
        return flat

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        return straight(self._divided(rows), self._divided(cols))

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound:
        return Bound(self._divided(labels), 1.0, 1.0)

    def _divided(self, labels: Float[Tensor, "*b n t"]) -> Float[Tensor, "*b n t"]:
        return labels / labels.new_tensor(self.scales)

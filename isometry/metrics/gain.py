"""What finding an item is worth, for metrics that discount gains by rank."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import Component


class Gain(Component):
    """The gain of an affinity (0 for 0), or of a label distance where `of_gap` says so."""

    of_gap: ClassVar[bool] = False
    proportional: ClassVar[bool] = False
    """Whether the gain is the affinity times a constant, so that sums of affinities do as well."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """The gain."""


class AffinityGain(Gain):
    """An item is worth its affinity: as much as it is alike (Järvelin and Kekäläinen, 2002).

    >>> AffinityGain()(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """

    proportional: ClassVar[bool] = True

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return x


class ExponentialGain(Gain):
    """Fine agreement is worth far more than coarse: 2^(grades · affinity) − 1 (Burges et al., ICML 2005).

    With `grades=L` for label trees of L levels the exponent is the number of levels in common, as in HAPPIER's
    evaluation: 1, 3, 7 … for 1, 2, 3 levels.

    >>> ExponentialGain(grades=2)(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0., 1., 3.])
    """

    grades: float = 1.0
    """The exponent of what is wholly alike."""

    def __post_init__(self) -> None:
        if self.grades <= 0:
            raise ValueError(f"ExponentialGain(grades={self.grades:g}) gains nothing: grades is above 0.")

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.exp2(self.grades * x) - 1


class DistanceGain(Gain):
    """An item is worth 1 / (1 + D), D its label distance from the query (Kim et al., CVPR 2019).

    There it is written 2^r with r = −log2(D + 1). Every item is worth something, also one without a match.

    >>> DistanceGain()(torch.tensor([0.0, 1.0, 3.0]))
    tensor([1.0000, 0.5000, 0.2500])
    """

    of_gap: ClassVar[bool] = True

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return 1 / (1 + x)

"""What stands for "is above" in a rank: a step function of the difference of two similarities."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import Component, fields
from isometry.ops import soft_ranks


class Step(Component):
    """What stands for 1[x > 0], and its slope. Its fields are numbers."""

    _names: ClassVar[tuple[str, ...]]
    _above: ClassVar[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

        def curves(numbers: list[float]) -> tuple[soft_ranks.Curve, soft_ranks.Curve]:
            step = cls(**dict(zip(cls._names, numbers, strict=True)))
            return step, step.slope

        cls._names = tuple(fields(cls))
        cls._above = soft_ranks.register(cls.__name__, curves)

    @abstractmethod
    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """The step."""

    @abstractmethod
    def slope(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Its derivative."""

    def above(
        self, scores: Float[Tensor, "n p"], asked: Tensor, others: Float[Tensor, "n m"], weight: Tensor
    ) -> Float[Tensor, "n p"]:
        """Σ_j w_ij step(others_ij − scores_ip) for the scores that are asked for: how many others lie above each."""
        return self._above(scores, asked, others, weight, [float(getattr(self, name)) for name in self._names])


class Sigmoid(Step):
    """σ(x / temperature): a smooth step that tends to the hard one as the temperature falls."""

    temperature: float = 0.01

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return (x / self.temperature).sigmoid_()

    def slope(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        y = self(x)
        return torch.addcmul(y, y, y, value=-1).div_(self.temperature)


class Heaviside(Step):
    """1 above 0, else 0: the metric itself, which has no gradient. Use it to measure, or where a paper stops a gradient.

    What differs by no more than rounding, 16 units in the last place of 1, is equal: copies do not rank one another.
    """

    def forward(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return (x > soft_ranks.tie(x)).to(x.dtype)

    def slope(self, x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.zeros_like(x)

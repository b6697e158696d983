"""Optimizers of the training loop, those of torch, with the knobs that published recipes set.

Rates and weight decay are not theirs: each group of parameters brings its own (`isometry.model.parameter_groups`).
"""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch.optim import Optimizer as Torch

from isometry.component import Component
from isometry.expression import parse

Groups = list[dict[str, Any]]

__all__ = ["SGD", "Adam", "AdamW", "RMSprop"]


class Optimizer(Component):
    """Moves parameters against their gradients."""

    @abstractmethod
    def over(self, groups: Groups, *, fused: bool = True) -> Torch:
        """Torch's optimizer of these groups; `fused` makes a step in one kernel, where there is one (CPU and CUDA)."""


class _Moments(Optimizer):
    """Steps by the mean gradient over its root mean square, both over the last steps."""

    torch_class: ClassVar[type[torch.optim.Adam]]

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _shares(self, self.beta1, self.beta2)

    def over(self, groups: Groups, *, fused: bool = True) -> Torch:
        return self.torch_class(groups, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=fused)


class AdamW(_Moments):
    """Steps by the mean gradient over its root mean square; weights decay apart from it (Loshchilov and Hutter, 2019).

    >>> AdamW().over([{"params": [torch.zeros(2)], "lr": 0.1}]).defaults["betas"]
    (0.9, 0.999)

    Raises:
        ValueError: for betas outside 0 … 1, or an epsilon that is not positive.
    """

    torch_class = torch.optim.AdamW


class Adam(_Moments):
    """Steps by the mean gradient over its root mean square; decay is part of the gradient (Kingma and Ba, 2015).

    >>> Adam().over([{"params": [torch.zeros(2)], "lr": 0.1}]).defaults["eps"]
    1e-08

    Raises:
        ValueError: for betas outside 0 … 1, or an epsilon that is not positive.
    """

    torch_class = torch.optim.Adam


class SGD(Optimizer):
    """Steps by the gradient, and with momentum by a running sum of gradients.

    >>> SGD(momentum=0.9).over([{"params": [torch.zeros(2)], "lr": 0.1}]).defaults["momentum"]
    0.9

    Raises:
        ValueError: for a momentum outside 0 … 1, or Nesterov's without one.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _shares(self, self.momentum)
        if self.nesterov and not self.momentum:
            raise ValueError(f"{self!r} needs a momentum: write SGD(momentum=0.9, nesterov=True).")

    def over(self, groups: Groups, *, fused: bool = True) -> Torch:
        return torch.optim.SGD(groups, lr=1e-3, momentum=self.momentum, nesterov=self.nesterov, fused=fused)


class RMSprop(Optimizer):
    """Steps by the gradient over its root mean square (Hinton, 2012). Musgrave et al. (ECCV 2020) train with momentum 0.9.

    >>> RMSprop(momentum=0.9).over([{"params": [torch.zeros(2)], "lr": 0.1}]).defaults["alpha"]
    0.99

    Raises:
        ValueError: for a momentum or alpha outside 0 … 1, or an epsilon that is not positive.
    """

    momentum: float = 0.0
    alpha: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _shares(self, self.momentum, self.alpha)

    def over(self, groups: Groups, *, fused: bool = True) -> Torch:
        return torch.optim.RMSprop(groups, alpha=self.alpha, momentum=self.momentum, eps=self.epsilon)


def read_optimizer(text: str) -> Optimizer:
    """The optimizer in an expression.

    >>> read_optimizer("SGD(momentum=0.9)")
    SGD(momentum=0.9)

    Raises:
        ValueError: for anything else.
    """
    found = parse(text)
    if not isinstance(found, Optimizer):
        raise ValueError(f"{text!r} is no optimizer: write one of {', '.join(f'{name}()' for name in __all__)}.")
    return found


def _shares(optimizer: Any, *values: float) -> None:
    if not all(0 <= value < 1 for value in values) or getattr(optimizer, "epsilon", 1.0) <= 0:
        raise ValueError(
            f"{optimizer!r}: betas, alpha and momentum are at least 0 and below 1, and epsilon is above 0."
        )

"""Schedules: the share of the learning rate that is left as training goes on, after the warm-up."""

import re
from abc import abstractmethod

import torch

from isometry.component import Component
from isometry.expression import parse

__all__ = ["Constant", "Cosine", "Steps"]


class Schedule(Component):
    """Maps steps to shares of the rate."""

    @abstractmethod
    def share(self, step: int, total: int, epoch: int) -> float:
        """The share at a step, of `total` after the warm-up, with `epoch` steps an epoch."""


class Cosine(Schedule):
    """Falls to 0 by a half cosine (Loshchilov and Hutter, ICLR 2017).

    >>> [round(Cosine().share(step, 4, 1), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def share(self, step: int, total: int, epoch: int) -> float:
        done = torch.tensor(step / max(1, total), dtype=torch.float64)
        return float(0.5 * (1 + torch.cos(torch.pi * done)))


class Constant(Schedule):
    """Stays.

    >>> Constant().share(3, 4, 1)
    1.0
    """

    def share(self, step: int, total: int, epoch: int) -> float:
        return 1.0


class Steps(Schedule):
    """Is multiplied by `factor` after every so many steps or epochs, written as a budget is.

    >>> [Steps(every="2 epochs", factor=0.5).share(step, 100, 10) for step in (0, 19, 20, 40)]
    [1.0, 1.0, 0.5, 0.25]

    Raises:
        ValueError: for `every` that is neither steps nor epochs, or a factor outside 0 … 1.
    """

    every: str = "10 epochs"
    factor: float = 0.1

    def __post_init__(self) -> None:
        steps_in(self.every, 1)
        if not 0 < self.factor <= 1:
            raise ValueError(f"{self!r}: the factor is above 0 and at most 1.")

    def share(self, step: int, total: int, epoch: int) -> float:
        return self.factor ** (step // steps_in(self.every, epoch))


def read_schedule(text: str) -> Schedule:
    """The schedule in an expression.

    >>> read_schedule("Steps(every='30 epochs')")
    Steps(every='30 epochs')

    Raises:
        ValueError: for anything else.
    """
    found = parse(text)
    if not isinstance(found, Schedule):
        raise ValueError(f"{text!r} is no schedule: write one of {', '.join(f'{name}()' for name in __all__)}.")
    return found


def steps_in(budget: str, epoch: int) -> int:
    """How many steps a budget is, with `epoch` steps an epoch.

    >>> steps_in("10 epochs", 30), steps_in("400 steps", 30)
    (300, 400)
    """
    match = re.fullmatch(r"\s*(\d+)\s*(steps?|epochs?)\s*", budget)
    if not match or int(match[1]) < 1:
        raise ValueError(f"A budget is written '400 steps' or '10 epochs'; got {budget!r}.")
    return int(match[1]) * (epoch if match[2].startswith("epoch") else 1)

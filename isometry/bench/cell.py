"""One training of a study: what decides its result, the key that this gives it, and what it left behind."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRAINING = 1
"""Version of what a cell does, not of the package: raised when the same cell would give other numbers."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What may differ between the methods of a study, with the values that a trial chose written into it.

    Attributes:
        loss, sampler, head: expressions. head_lr is the rate of the head (of head and trunk, where `trunk_lr` is 0),
        loss_lr that of the loss's own parameters.
    """

    loss: str
    sampler: str
    head: str
    head_lr: float
    trunk_lr: float = 0.0
    loss_lr: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: a setting on one fold with one seed. Two cells of equal key would give equal numbers.

    Attributes:
        held: hash of all that the study holds constant, data and weights among it.
        fold: which classes validate. seed: of initial weights, batches and augmentation: equal for all methods.
        tested: whether the test part is embedded as well. A search never is.
    """

    held: str
    setting: Setting
    fold: int
    seed: int
    tested: bool = False

    @property
    def key(self) -> str:
        """Names the result: a hash of all that decides it."""
        text = json.dumps({**dataclasses.asdict(self), "version": TRAINING}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a training gave.

    Attributes:
        state: "done", "diverged" (the loss was not finite), "collapsed" (all embeddings alike) or "failed" (an error).
        validation: metric's text to its value on the validation classes, at the chosen step; empty unless done.
        curve: rows {"step", "seconds", "validation"}: MAP@R on validation classes as training went on.
        step: the chosen one. seconds: of processor time in training (waiting left out). wall: of the clock.
        parameters: trained numbers of model and loss. message: what went wrong, a line.
        environment: versions, threads and device, as text.
    """

    state: str
    validation: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    step: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    parameters: int = 0
    message: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

"""One training of a study: what decides its result, the key that this gives it, and what it left behind."""

import dataclasses
import functools
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isometry.expression import names

TRAINING = 1
"""Version of what a cell does, not of the package: raised when the same cell would give other numbers, and when the
validation metric that steers a search would."""


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
        own = own_code(self.setting.loss, self.setting.sampler, self.setting.head)
        parts = {**dataclasses.asdict(self), "version": TRAINING, **({"code": own} if own else {})}
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@functools.cache
def own_code(*texts: str) -> str:
    """A hash of the files that define what these expressions name and this package does not, and of the revisions of what
    it does; empty where there is neither.

    So a loss that was changed is trained anew, under the same text.
    """
    known = names()
    named = sorted({word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text) if word in known})
    others = [known[word] for word in named if not known[word].__module__.startswith("isometry.")]
    files = {inspect.getsourcefile(thing) for thing in others}
    revised = [f"{word} {known[word].revision}" for word in named if getattr(known[word], "revision", 0)]
    digest = hashlib.sha256(" ".join(revised).encode())
    for file in sorted(filter(None, files)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16] if others or revised else ""


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
        geometry: name to value of `isometry.diagnostics`, training classes beside the test part; empty unless the recipe asks.
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
    geometry: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

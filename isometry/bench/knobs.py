"""The fields of a loss, and of the components inside it, by dotted names: read, and written to."""

import functools
import typing
from typing import Any

import torch

from isometry.bench.expressions import WIDTH
from isometry.component import Component, checked, fields, show
from isometry.expression import parse
from isometry.term import Sum

Value = float | int | bool | str
NEVER = ("seed", "lr_multiple", "base_temperature")
GUARDS = ("epsilon", "momentum", "centres")
"""Fields that are searched only where a recipe names them (several centres need a similarity over them)."""


class Knob:
    """One field of a component inside a loss.

    Attributes:
        name: dotted, as seen from the loss. value: its present one; default: that as a recipe writes it. guard: whether
            it is searched only where it is named.
    """

    def __init__(self, loss: Any, owner: Component, prefix: str, field: Any) -> None:
        self.loss, self.owner, self.field, self.name = loss, owner, field, prefix + field.name
        self.value = getattr(owner, field.name)
        self.guard = field.name in GUARDS

    @property
    def default(self) -> Value:
        return self.value if isinstance(self.value, (bool, int, float, str)) else show(self.value)

    def put(self, value: Value) -> None:
        """Writes it into the loss. Text stands for a component, unless the field is text.

        Raises:
            ValueError: for a value of another type.
        """
        if isinstance(value, str) and str not in (self.field.type, *typing.get_args(self.field.type)):
            value = parse(value)
        setattr(self.owner, self.field.name, checked(type(self.owner), self.field, value))

    def check(self, value: Value) -> None:
        """Builds the loss with this value, and puts the old one back.

        Raises:
            ValueError: when the loss, or the field, refuses it.
        """
        try:
            self.put(value)
            builds(repr(self.loss))
        finally:
            setattr(self.owner, self.field.name, self.value)


class Factor(Knob):
    """How much of a term there is in a sum: "KoLeo.factor" of `Contrastive() + 0.1*KoLeo()`."""

    def __init__(self, loss: Sum, index: int, prefix: str) -> None:
        self.loss, self.index, self.name = loss, index, f"{prefix}factor"
        self.value, self.guard = loss.weights[index], False

    def put(self, value: Value) -> None:
        self.loss.weights[self.index] = float(value)

    def check(self, value: Value) -> None:
        if isinstance(value, str):
            raise ValueError(f"{self.name} is a number; got {value!r}.")


@functools.lru_cache(maxsize=4096)
def builds(loss: str) -> None:
    """Builds a loss once, to see whether it can be."""
    with torch.random.fork_rng(devices=[]):
        parse(loss, num_classes=2, dim=WIDTH)


def knobs_of(loss: Any) -> dict[str, Knob]:
    """Every field that could be searched, by name: those of the loss itself first, then those of components in it."""
    if not isinstance(loss, Sum):
        return {knob.name: knob for knob in _inside(loss, loss, "")}
    found: dict[str, Knob] = {}
    for k, term in enumerate(loss.terms):
        name = type(term).__name__
        prefix = f"{name}." if f"{name}.factor" not in found else f"{name}{k + 1}."
        found[f"{prefix}factor"] = Factor(loss, k, prefix)
        found |= {knob.name: knob for knob in _inside(loss, term, prefix)}
    found.pop(next(iter(found)))  # of a sum, the first term sets the scale
    return found


def _inside(loss: Any, owner: Any, prefix: str) -> list[Knob]:
    own = [f for n, f in fields(type(owner)).items() if "from_data" not in f.metadata and n not in NEVER]
    own.sort(key=lambda field: field.name in SHARED)
    found = [Knob(loss, owner, prefix, field) for field in own]
    for knob in tuple(found):
        if isinstance(knob.value, Component):
            found += _inside(loss, knob.value, f"{knob.name}.")
    return found


SHARED = ("relate", "similarity", "reference", "miner")
"""Fields that every loss has: they come after its own."""

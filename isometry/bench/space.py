"""What a search may change: derived from the types and defaults of a loss's fields, or written in the recipe.

A float above 0 is searched evenly by its logarithm, within a factor of ten of its default. Margins and thresholds, told
by their names, lie on the scale of a cosine: evenly from 0 to 1. Whole numbers by their logarithm, within a factor of
four; truth values as they are. What the data decide is left out, and so are seeds and `lr_multiple` (rates are searched
anyway). Where a recipe names no knobs, the first three of the loss's own are searched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from isometry.bench.cell import Setting
from isometry.bench.expressions import dim_of
from isometry.bench.knobs import Knob, Value, knobs_of
from isometry.component import nearest
from isometry.expression import parse
from isometry.term import Term

if TYPE_CHECKING:
    from isometry.bench.recipe import Recipe
    from isometry.bench.recipe_parts import MethodEntry

MOST = 3
"""How many knobs of a loss are searched where the recipe names none."""
RATES = ("head_lr", "trunk_lr", "loss_lr")
LEVELS = ("margin", "positive", "negative", "base", "threshold")
"""Last words of the names of fields that are cosines, or differences of them."""


@dataclass(frozen=True, kw_only=True)
class Real:
    """Any number from low to high; evenly by its logarithm where `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole number from low to high, both included; evenly by its logarithm where `log`."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of these."""

    values: tuple[Value, ...]


Range = Real | Whole | Choice


def space_of(recipe: "Recipe", entry: "MethodEntry") -> dict[str, Range]:
    """What is searched for a method: its knobs by (dotted) name, then the learning rates.

    Raises:
        ValueError: for a knob that the loss does not have, or a range that does not fit it.
    """
    loss = built(recipe, entry)
    if recipe.search.rates:
        return {"head_lr": Choice(values=recipe.search.rates)}
    known = knobs_of(loss)
    names = entry.knobs or tuple(entry.space) or usual(known)
    for name in (*names, *entry.space):
        if name not in known:
            raise ValueError(
                f"There is no knob {name!r}.{nearest(name, known)} There are {', '.join(known) or 'none'}."
            )
    for name in entry.space:
        if name not in names:
            raise ValueError(f"There is a space for {name!r}, which knobs does not name: add it there.")
    space = {n: written(known[n], entry.space[n]) if n in entry.space else derived(known[n]) for n in names}
    return {**space, **{name: Real(low=low, high=high, log=True) for name, (low, high) in rates(recipe, loss).items()}}


def setting_of(recipe: "Recipe", entry: "MethodEntry", values: Mapping[str, Value]) -> Setting:
    """The setting of a trial: the loss with these values written into it, and the rates.

    Numbers that differ from the default are kept to four digits, so that a loss can be read. What is left out keeps its
    default.
    """
    loss = built(recipe, entry)
    known = knobs_of(loss)
    for name in values.keys() - known.keys() - set(RATES):
        raise ValueError(f"{entry.name!r} has no knob {name!r}.{nearest(name, known)}")
    for name in values.keys() & known.keys():
        if values[name] != known[name].default:
            known[name].put(short(values[name]))
    rate = {name: float(short(values.get(name, getattr(recipe.train, name)))) for name in RATES}  # type: ignore[arg-type]
    return Setting(
        loss=repr(loss),
        sampler=entry.sampler or recipe.train.sampler,
        head=entry.head or recipe.model.head,
        head_lr=rate["head_lr"],
        trunk_lr=0.0 if recipe.model.frozen else rate["trunk_lr"],
        loss_lr=rate["loss_lr"] if learns(loss) else 0.0,
    )


def defaults_of(recipe: "Recipe", entry: "MethodEntry") -> dict[str, Value]:
    """The values of trial 0: those that the method is published with, and the recipe's own rates."""
    known = knobs_of(built(recipe, entry))
    rate = {name: getattr(recipe.train, name) or recipe.train.head_lr for name in RATES}
    return {name: rate[name] if name in RATES else known[name].default for name in space_of(recipe, entry)}


def built(recipe: "Recipe", entry: "MethodEntry") -> Any:
    """The loss of a method, for two classes: to be looked at, not to be trained.

    Raises:
        ValueError: for what is no loss.
    """
    dim = dim_of(entry.head or recipe.model.head)
    with torch.random.fork_rng(devices=[]):
        loss = parse(entry.loss, num_classes=2, dim=dim)
    if not isinstance(loss, Term):
        raise ValueError(f"{entry.loss!r} is no loss. See `isometry list losses`.")
    return loss


def usual(known: Mapping[str, Knob]) -> tuple[str, ...]:
    """The knobs searched where none are named: the loss's own numbers and truth values, else those inside it."""
    plain = [name for name, knob in known.items() if isinstance(knob.value, (bool, int, float)) and not knob.guard]
    depth = min((name.count(".") for name in plain), default=0)
    return tuple(name for name in plain if name.count(".") == depth)[:MOST]


def derived(knob: Knob) -> Range:
    """The range of a knob, from its default."""
    value = knob.value
    if isinstance(value, bool):
        return Choice(values=(value, not value))
    if isinstance(value, int):
        return Whole(low=max(1, value // 4), high=4 * max(1, value), log=True)
    if not isinstance(value, float):
        raise ValueError(f"{knob.name} is {knob.default}, no number: give it a space of {{choices = […]}}.")
    if knob.name.rpartition(".")[2].rpartition("_")[2] in LEVELS and 0 <= value <= 1:
        return Real(low=0.0, high=1.0)
    if value > 0:
        return Real(low=value / 10, high=value * 10, log=True)
    return Real(low=2 * value, high=0.0) if value else Real(low=0.0, high=1.0)


def written(knob: Knob, given: Any) -> Range:
    """The range that a recipe writes. It holds the default, which is the first trial, and nothing that the loss refuses.

    Raises:
        ValueError: when it does not.
    """
    name, value = knob.name, knob.default
    if isinstance(given, dict):
        choices = given.get("choices")
        if set(given) != {"choices"} or not isinstance(choices, (tuple, list)) or not choices:
            raise ValueError(f"The space of {name} is {{choices = […]}}; got {given!r}.")
        found, ends = Choice(values=tuple(choices)), tuple(choices)
        if value not in ends:
            raise ValueError(f"{name} is {value!r} at first, which is not among its choices: add it, or set another.")
    else:
        low, high = ends = tuple(given[:2])
        log = len(given) == 3
        if not low < high or (log and (given[2] != "log" or low <= 0)):
            raise ValueError(f'The space of {name} is [low, high] or [low, high, "log"]; got {list(given)}.')
        if isinstance(value, (bool, str)):
            raise ValueError(f"{name} is {value!r}, no number: its space is {{choices = […]}}.")
        if not low <= value <= high:
            raise ValueError(f"{name} is {value} at first, outside {list(given)}: widen that, or set another.")
        whole = isinstance(value, int) and low == int(low) and high == int(high)
        found = Whole(low=int(low), high=int(high), log=log) if whole else Real(low=low, high=high, log=log)
        ends = (int(low), int(high)) if isinstance(value, int) else (float(low), float(high))
    for end in ends:
        knob.check(end)
    return found


def rates(recipe: "Recipe", loss: nn.Module) -> dict[str, tuple[float, float]]:
    """Which learning rates are searched: the trunk's where it is trained, the loss's where it has parameters."""
    found: dict[str, tuple[float, float]] = {}
    if recipe.search.head_lr:
        found["head_lr"] = recipe.search.head_lr
    if recipe.search.trunk_lr and not recipe.model.frozen:
        found["trunk_lr"] = recipe.search.trunk_lr
    if recipe.search.loss_lr and learns(loss):
        found["loss_lr"] = recipe.search.loss_lr
    return found


def learns(loss: nn.Module) -> bool:
    """Whether a loss has parameters of its own, such as proxies."""
    return any(p.requires_grad for p in loss.parameters())


def short(value: Value) -> Value:
    """A float with four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value

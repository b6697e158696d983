"""The sections of a recipe. Every key has a type; a key that is not here is refused with the nearest name."""

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isometry.bench.expressions import batch_size, has_field, with_fields
from isometry.expression import names
from isometry.schedules import steps_in
from isometry.supervision import metric_of, relation

Rates = tuple[float, float]
RAW, UNTRAINED, PRETRAINED, RANDOM = "raw pixels", "untrained trunk", "pretrained trunk", "random linear"
CONTROLS = (RAW, UNTRAINED, PRETRAINED, RANDOM, "PCA", "whitening")
"""Embeddings that nothing is learned for from the labels; a study measures them beside its methods."""


class Section(BaseModel):
    """A table of the recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataSection(Section):
    """What is read. `source` as in `isometry.data.read`; a folder that is relative is joined to the root of the data."""

    source: str
    label: str = "label"


class Folds(Section):
    """Class-disjoint parts of the training classes, each of which validates once.

    Attributes:
        count: how many. searched, tested: how many of them the search, and the final trainings, go through (0: all).
        windows: the classes in sorted order, cut into equal runs (Musgrave et al.); else by the hash of their names.
    """

    count: int = Field(default=4, ge=2)
    searched: int = Field(default=0, ge=0)
    tested: int = Field(default=0, ge=0)
    windows: bool = False

    @model_validator(mode="after")
    def _within(self) -> "Folds":
        for name in ("searched", "tested"):
            if getattr(self, name) > self.count:
                raise ValueError(f"{name} = {getattr(self, name)} folds of {self.count}: give {self.count} or fewer.")
        return self


class Model(Section):
    """The network. `frozen`: the trunk is not trained; its features are made once."""

    trunk: str = "ConvNet()"
    pool: str = "Average()"
    head: str = "Linear()"
    frozen: bool = False


class Train(Section):
    """How every method is trained. Expressions and units as in `isometry.config.Config`.

    Attributes:
        head_lr, trunk_lr, loss_lr: the rates of each method's first trial (trunk_lr, loss_lr 0: as the head's).
        validations: how often a training is validated; patience: how many without a better MAP@R until it stops (0: all).
        threads: of a worker. They change the last bits of a sum, so they are held constant.
    """

    augment: str = "Same()"
    transform: str = "Same()"
    sampler: str = "ClassesTimesInstances(classes=32, instances=4)"
    budget: str = "300 steps"
    optimizer: str = "AdamW()"
    schedule: str = "Cosine()"
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup: float = Field(default=0.05, ge=0, le=1)
    clip: float = Field(default=0.0, ge=0)
    ema: float = Field(default=0.0, ge=0, lt=1)
    validations: int = Field(default=10, ge=1)
    patience: int = Field(default=0, ge=0)
    precision: str = Field(default="no", pattern="^(no|bf16|fp16)$")
    threads: int = Field(default=1, ge=1)
    head_lr: float = Field(default=1e-3, gt=0)
    trunk_lr: float = Field(default=0.0, ge=0)
    loss_lr: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _budget(self) -> "Train":
        steps_in(self.budget, 1)
        return self


class Search(Section):
    """How each method's knobs and rates are chosen, on validation classes.

    Attributes:
        trials: of each method, the same number for all. round: trials that are drawn at once; what a trial is depends on
            earlier rounds alone, so the number of workers changes nothing. seed: of trainings and of the draws.
        head_lr, trunk_lr, loss_lr: between which rates (`[]`: not searched).
        rates: in place of a search, the head's rate of each trial, the same for all methods; knobs stay as they are written.
    """

    trials: int = Field(default=10, ge=1)
    round: int = Field(default=4, ge=1)
    seed: int = 0
    head_lr: Rates | tuple[()] = (1e-4, 1e-2)
    trunk_lr: Rates | tuple[()] = ()
    loss_lr: Rates | tuple[()] = (1e-5, 1e-2)
    rates: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _one_a_trial(self) -> "Search":
        if self.rates and (len(self.rates) != self.trials or min(self.rates) <= 0):
            raise ValueError(f"rates = {list(self.rates)} are positive, one for each of {self.trials} trials.")
        return self


class Final(Section):
    """The trainings that are tested, with the chosen setting. `seeds`: how many, equal ones for all methods."""

    seeds: int = Field(default=5, ge=1)


class MethodEntry(Section):
    """One method: its loss, and whatever else it declares to differ.

    Attributes:
        name: the loss's text where left out. loss: an expression. sampler: with as many items a batch as the study's.
        head: with as many dimensions as the study's. knobs: names that are searched, dotted into nested components
            ("reference.centres"); see `isometry.bench.space` for what is searched where they are left out.
        space: knob to `[low, high]`, `[low, high, "log"]` or `{choices = […]}`.
        year, cite, note: for the page. stream: shifts the seeds, for studies of a method against itself: by 1000, say.
    """

    name: str = ""
    loss: str
    sampler: str = ""
    head: str = ""
    knobs: tuple[str, ...] = ()
    space: dict[str, tuple[float, float] | tuple[float, float, str] | dict[str, Any]] = {}
    year: int = 0
    cite: str = ""
    stream: int = Field(default=0, ge=0)
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        plain = isinstance(given, dict) and isinstance(given.get("loss"), str) and not given.get("name")
        return {**given, "name": given["loss"].strip().removesuffix("()")} if plain else given


class Card(Section):
    """A published claim to be measured: `method` against `twin`, the same without what the paper adds."""

    system: str
    claim: str
    source: str
    method: str
    twin: str


CONTRASTIVE = {"name": "tuned contrastive", "loss": "Contrastive()", "knobs": ("positive", "negative"), "year": 2006}
SOFTMAX = {"name": "tuned normalised softmax", "loss": "NormSoftmax()", "knobs": ("temperature",), "year": 2019}


def with_mandatory(given: dict[str, Any]) -> dict[str, Any]:
    """What a recipe is made of, with the two mandatory methods and the reference filled in.

    They are of classes: where labels are at a distance no method is added, and the reference is the first unless named.
    """
    methods = given.get("methods", ())
    if not isinstance(methods, tuple) or not all(isinstance(m, (dict, MethodEntry)) for m in methods):
        return given
    named = [m if isinstance(m, dict) else m.model_dump() for m in methods]
    if isinstance(given.get("relate", ""), str) and is_graded(given.get("relate", "")):
        first = next((m.get("name") or str(m.get("loss", "")).strip().removesuffix("()") for m in named), "")
        return {**given, "reference": given.get("reference") or first}
    losses = [str(m.get("loss", "")) for m in named]
    added = [m for m in (CONTRASTIVE, SOFTMAX) if not any(_is(text, m["loss"][:-2]) for text in losses)]
    named += [{**m, "sampler": _plain(given)} if m is SOFTMAX else m for m in added]
    first = next(m for m in named if _is(str(m.get("loss", "")), "Contrastive"))
    reference = given.get("reference") or first.get("name") or str(first["loss"]).strip().removesuffix("()")
    return {**given, "methods": (*methods, *named[len(methods) :]), "reference": reference}


def is_graded(relate: str) -> bool:
    """Whether labels are at a distance from each other, by this relation, and no classes."""
    return metric_of(relation(relate)) is not None


def is_mandatory(loss: str) -> bool:
    """Whether a loss is one that no study does without."""
    return _is(loss, "Contrastive") or _is(loss, "NormSoftmax")


def _is(text: str, name: str) -> bool:
    return re.fullmatch(rf"\s*{name}(\([^()]*\))?\s*", text) is not None


def _plain(given: dict[str, Any]) -> str:
    """The plain sampler of a recipe's plain values; "" where they are wrong."""
    try:
        train = Train.model_validate(given.get("train", {}))
        return plain(train.sampler)
    except ValueError:
        return ""  # what is wrong with the section is said where it is checked


def plain(sampler: str) -> str:
    """Batches as large as this sampler's, of images drawn evenly: what losses with proxies learn from."""
    return f"Plain(batch_size={batch_size(sampler)})"


def not_fetched(trunk: str) -> str:
    """The trunk without published weights that would be fetched, or that lie in a file."""
    bare = trunk.strip()
    if re.fullmatch(r"[\w.\-]+", bare) and bare not in names():
        bare = f"Timm(name={bare!r})"
    return with_fields(bare, {"pretrained": False, "weights": None}) if has_field(bare, "weights") else bare


def placed_in(source: str, root: str | Path | None, who: str) -> str:
    """The source with its folder, where that is relative, below `root`.

    Raises:
        FileNotFoundError: when there is nothing.
    """
    from isometry.data.published import named, placed
    from isometry.data.read import DRAWN

    prefix, _, path = source.rpartition(":") if named(source) else ("", "", source)
    if source in DRAWN or placed(source) or prefix.lower() in ("hf", "web"):
        return source
    folder = Path(path).expanduser()
    if root is None and (path == "." or not folder.exists()):
        inside = "names the one that holds them." if path == "." else f"names the folder that holds {path}."
        raise FileNotFoundError(f"{who} reads {source!r}, and there is no such folder here: --data-root {inside}")
    folder = folder if root is None else Path(root).expanduser() / folder
    if not folder.exists():
        raise FileNotFoundError(f"{who} reads {source!r}, and there is no {folder}: is --data-root {root} right?")
    return f"{prefix}:{folder}" if prefix else str(folder)

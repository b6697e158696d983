"""What a run is made of: one frozen, flat set of settings, written to `config.toml` and read back from it."""

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isometry.component import nearest
from isometry.schedules import steps_in


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a training run. Components are expressions; method knobs live inside them.

    Attributes:
        data, label: the source, and the label column (or columns, separated by commas) of a table.
        label_columns: columns of numbers that are one continuous label: "x0:x27", or "lat,lon" (none: as `label` says).
        relate: what labels say of pairs: "joints()", "CloseTargets(radius=2)", "label_tree" …; given to every loss and
            sampler that has no other, and to all that is measured (none: theirs).
        similarity: what embeddings are compared by in validation, test and report: "cosine", "euclidean" ….
        loss, trunk, pool, head, augment, transform, sampler: expressions; `transform` is for evaluation and use.
        budget: "400 steps" or "10 epochs".
        frozen: leaves the trunk as it is: only pool, head and loss learn.
        optimizer, schedule: expressions; how the rate goes on after `warmup`, the share of the budget in which it rises.
        lr, trunk_lr, head_lr, loss_lr: the rate, and those of parts (0: as `lr`), each times a component's own multiple.
        clip: largest norm of the gradient (0: any).
        ema: decay of the moving average of the weights, which is what is evaluated and kept (0: none).
        validate: steps between validations (0: ten in a run); patience: validations without a better MAP@R until it
            stops (0: never).
        geometry: pictures of training and of validation classes that each validation looks at, to compare how known and
            new classes lie (0: none).
        accumulate: batches a step; chunk: images that the trunk sees at once (0: all), with the loss's gradient that of
            the whole batch.
        precision: "no", "bf16" or "fp16". workers: processes that decode (−1: as many as there are cores).
    """

    data: str = "glyphs"
    label: str = "label"
    label_columns: str = ""
    relate: str = ""
    similarity: str = "cosine"
    loss: str = "MultiSimilarity()"
    trunk: str = "ConvNet()"
    pool: str = "Average()"
    head: str = "Linear()"
    frozen: bool = False
    augment: str = "Same()"
    transform: str = "Same()"
    sampler: str = "ClassesTimesInstances(classes=32, instances=4)"
    budget: str = "400 steps"
    metrics: str = "Recall(k=1), Recall(k=10), Precision(k=10), RPrecision(), MAPAtR(), MRR()"
    optimizer: str = "AdamW()"
    schedule: str = "Cosine()"
    lr: float = 1e-3
    trunk_lr: float = 0.0
    head_lr: float = 0.0
    loss_lr: float = 0.0
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 0.0
    ema: float = 0.0
    validate: int = 0
    patience: int = 0
    geometry: int = 1024
    accumulate: int = 1
    chunk: int = 0
    precision: str = "no"
    workers: int = -1
    seed: int = 0
    strict: bool = False
    tracker: str = "tensorboard"

    def __post_init__(self) -> None:
        steps_in(self.budget, 1)
        for name in ("lr", "trunk_lr", "head_lr", "loss_lr", "weight_decay", "warmup", "clip", "ema"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is a number that is not negative; got {getattr(self, name)}.")
        if self.accumulate < 1 or min(self.chunk, self.validate, self.patience, self.geometry) < 0:
            raise ValueError("accumulate is at least 1; chunk, validate, patience and geometry are at least 0.")
        if self.precision not in ("no", "bf16", "fp16"):
            raise ValueError(f"precision is 'no', 'bf16' or 'fp16'; got {self.precision!r}.")

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        values = dataclasses.asdict(self)
        return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())

    def replace(self, **changed: Any) -> "Config":
        """A copy with some settings changed; unknown ones are refused with the nearest name."""
        return build({**dataclasses.asdict(self), **changed}, "these settings")


def read(path: Path) -> Config:
    """The settings in a `config.toml`.

    Raises:
        FileNotFoundError, ValueError: when it is not there, is no TOML, or has a setting that does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path.name} in {path.parent}: is it the folder of a run?")
    try:
        return build(tomllib.loads(path.read_text()), str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}.") from None


def build(values: dict[str, Any], source: str) -> Config:
    """Settings from plain values, checked by name and type."""
    known = {f.name: f for f in dataclasses.fields(Config)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"There is no setting {name!r} in {source}.{nearest(name, known)}")
        kind = known[name].type
        admitted = (int, float) if kind is float else (kind,)
        if not isinstance(value, admitted) or (isinstance(value, bool) and kind is not bool):  # type: ignore[arg-type]
            raise ValueError(f"The setting {name} of {source} is {kind.__name__}, and {value!r} is not.")  # type: ignore[union-attr]
    settings: dict[str, Any] = {n: float(v) if known[n].type is float else v for n, v in values.items()}
    return Config(**settings)

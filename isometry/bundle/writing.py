"""A bundle made from a run."""

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from isometry import config
from isometry.bundle import archive
from isometry.bundle.card import Facts, card
from isometry.bundle.gallery import gallery_of
from isometry.bundle.thresholds import Thresholds, calibrate
from isometry.config import Config
from isometry.data import Splits, read, split
from isometry.embedder import WEIGHTS, Ready, load
from isometry.evaluation import embed
from isometry.fingerprint import EVALUATION
from isometry.fingerprint import content as content_of
from isometry.label_metric import metric_of
from isometry.model import without_folders
from isometry.run import CONFIG, Run
from isometry.run import read as read_run
from isometry.supervision import is_continuous, relation
from isometry.version import __version__

PACKAGES = ("torch", "torchvision", "timm", "safetensors")


class Written(NamedTuple):
    """What was written. `digest` is the SHA-256 of the manifest; `left_out` counts gallery pictures that could not be read."""

    path: Path
    digest: str
    thresholds: Thresholds
    gallery: int = 0
    left_out: int = 0


def write(
    run: str | Path,
    out: str | Path,
    *,
    index: Any = "",
    name: str = "",
    purpose: str = "",
    data: Any = "",
    label: str = "",
    half: bool = False,
    thresholds: bool = True,
    workers: int = -1,
) -> Written:
    """Writes all that a user of a run's model needs: one file (`thing.isom`), or a folder laid out for the Hub.

    The same run gives the same bytes. A file may take the place of another; a folder must be new or empty. What fails leaves
    nothing, and what was there before as it was.

    Args:
        run: the run's folder. out: a name that ends in `.isom`, or a folder.
        index: pictures to carry along, for `Bundle.search`; anything that `isometry.data.read` reads.
        name, purpose: for the card: what the model is called (default: as the run's folder), and what it is for.
        data: the run's own data, where they are not where they were.
        label: the label column of `index`.
        half: keep the gallery in float16.
        thresholds: read the run's data for thresholds and the names of classes; without, the bundle has neither.

    Raises:
        ValueError, OSError: for what is no finished run, cannot be read or written, or data that are not those of the run.
    """
    made, out = read_run(run), _target(Path(out))
    chosen = config.read(made.folder / CONFIG)
    ready = load(made.folder).to("cuda" if torch.cuda.is_available() else "cpu")
    parts = _parts(chosen, data) if thresholds else None
    continuous = _continuous(parts, chosen)
    ready.note.setdefault("similarity", chosen.similarity)
    found = _thresholds(made, ready, parts, continuous, workers)
    gallery, left_out = None, 0
    if not isinstance(index, str) or index:
        items = read(index, label=label)
        gallery = gallery_of(embed(ready, items, workers=workers), half=half)
        left_out = len(items) - len(gallery)
    named = made.metrics.get("protocol", {}).get("data") or Path(chosen.data).name
    facts = Facts(
        name=name or made.folder.resolve().name,
        purpose=purpose,
        ready=ready,
        similarity=found.similarity,
        metrics=made.metrics,
        settings={**dataclasses.asdict(chosen), "data": named, "trunk": without_folders(chosen.trunk)},
        data=named,
        classes=() if parts is None else tuple(parts.train.classes[int(c)] for c in parts.train.present()),
        continuous=continuous,
        thresholds=found,
        gallery=None if gallery is None else (len(gallery), gallery.name),
        versions=versions(made),
    )
    content = members(facts, made) | ({} if gallery is None else gallery.members())
    return Written(out, archive.write(out, content), found, 0 if gallery is None else len(gallery), left_out)


def members(facts: Facts, run: Run) -> dict[str, bytes]:
    """What every bundle holds."""
    about = {
        "library_name": "isometry",
        "name": facts.name,
        "model": facts.ready.model.texts,
        "dim": facts.ready.dim,
        "transform": repr(facts.ready.transform),
        "similarity": facts.similarity,
        "relate": facts.settings["relate"],
        "classes": facts.classes,
        "training": facts.settings,
        "versions": facts.versions,
    }
    return {
        archive.CARD: card(facts).encode(errors="replace"),
        archive.CONFIG: _json(about),
        archive.EVALUATION: _json({k: v for k, v in run.metrics.items() if k not in ("settings", "unreadable")}),
        archive.THRESHOLDS: _json(facts.thresholds.as_json()),
        archive.WEIGHTS: (run.folder / WEIGHTS).read_bytes(),
    }


def _target(out: Path) -> Path:
    """Where it goes, if it can go there.

    Raises:
        ValueError, OSError: when it cannot.
    """
    if out.suffix[1:].isalpha() and out.suffix != archive.SUFFIX and not out.is_dir():
        raise ValueError(f"A bundle is a file that ends in {archive.SUFFIX}, or a folder; got {out}.")
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {out.resolve().parent} to write {out.name} to.")
    if out.suffix == archive.SUFFIX and out.is_dir():
        raise FileExistsError(f"{out} is a folder: name another file.")
    if out.suffix != archive.SUFFIX and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not an empty folder: name another.")
    return out


def _parts(chosen: Config, data: Any) -> Splits:
    """The parts of the run's data, as it divided them.

    Raises:
        ValueError: when the data cannot be read.
    """
    own = isinstance(data, str) and not data
    try:
        items = read(chosen.data if own else data, label=chosen.label, label_columns=chosen.label_columns)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"Thresholds need the run's data, and they cannot be read ({why}): say where they lie now with --data, "
            "or leave thresholds out with --no-thresholds."
        ) from None
    return split(items, seed=chosen.seed)


def _continuous(parts: Splits | None, chosen: Config) -> bool:
    """Whether labels lie at a distance, as far as that can be told without the data."""
    relate = relation(chosen.relate)
    if parts is not None:
        return is_continuous(parts.test, relate)
    return bool(chosen.label_columns) or metric_of(relate) is not None


def _thresholds(run: Run, ready: Ready, parts: Splits | None, continuous: bool, workers: int) -> Thresholds:
    """Calibrated thresholds, or why there are none.

    Raises:
        ValueError: when the data are not those that the run was measured on.
    """
    similarity = str(ready.note["similarity"])
    if parts is None:
        return Thresholds(similarity=similarity, notes=("no thresholds: they were not asked for",))
    if continuous:
        why = "no thresholds: labels lie at a distance from each other, so no pair is simply the same or different"
        return Thresholds(similarity=similarity, notes=(why,))
    held, test = (embed(ready, part, workers=workers) for part in (parts.validation, parts.test))
    protocol = run.metrics.get("protocol", {})
    if protocol.get("version") == EVALUATION and protocol["content"] != content_of(test.data):
        raise ValueError(
            f"{test.data.name} is not what the run was measured on: labels, files or their sizes have changed. Name the "
            "data of then with --data, or leave thresholds out with --no-thresholds."
        )
    return calibrate(held, test, similarity=similarity)


def versions(run: Run) -> dict[str, str]:
    """Of what it was trained and bundled with."""
    trained = {"isometry, in training": str(run.metrics["version"])} if "version" in run.metrics else {}
    return {**trained, "isometry, bundled by": __version__, **{name: version(name) for name in PACKAGES}}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()

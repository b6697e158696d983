"""What `isometry explore` is given, opened: a run, a gallery or a bundle, and a second model beside it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isometry.bundle import Bundle, is_bundle
from isometry.embedder import WEIGHTS, Ready, load
from isometry.explore import galleries, runs
from isometry.explore.kept import digest, folder_for, kept, key
from isometry.explore.layout import places
from isometry.explore.runs import Say
from isometry.explore.shown import Items, Shown, Space
from isometry.explore.truth import verdicts
from isometry.protocols.retrieval import geometry

LIMIT = 2_000_000
MAPS = 2
"""Counts changes of how maps and verdicts are made, so that kept ones are made anew."""


def opened(
    source: str | Path, other: str | Path = "", *, data: Any = "", label: str = "", workers: int = -1, say: Say = print
) -> Shown:
    """The pictures of a run, a gallery or a bundle, with the embeddings of its model and, if named, of another.

    What takes long (embeddings, maps, verdicts) is kept in `explore/` of the run or gallery, and made anew when the model or
    the data have changed.

    Args:
        source: the folder of a run, a gallery, or a bundle (with its own pictures to search, or with `data`).
        other: another run or bundle, which embeds the same pictures; for a gallery, another gallery.
        data: other pictures than the run's own, or its own where they have moved. label: the label column of a table.
        say: called with a line on what is being done.

    Raises:
        ValueError, OSError: for what is no run, gallery or bundle, or cannot be read.
    """
    path = Path(source)
    if not (galleries.is_gallery(path) or is_bundle(source) or path.suffix == ".safetensors"):
        _refuse_other(path)
    folder = folder_for(path)
    if galleries.is_gallery(path) or (is_bundle(path) and not data):
        items, views = galleries.read(path, other)
    else:
        items, views = _run(source, other, data, label, folder, workers, say)
    if len(items) > LIMIT:
        raise ValueError(f"{path} has {len(items):,} pictures, and a page shows up to {LIMIT:,}: index a part of them.")
    spaces = tuple(_space(*view, items, folder, say) for view in views)
    return Shown(name=path.resolve().name, items=items, spaces=spaces, folder=folder)


def _refuse_other(path: Path) -> None:
    """Nothing is written into a folder that is no run: it may be somebody's pictures."""
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or file {path}: a run, a gallery or a bundle is explored.")
    if not (path / WEIGHTS).is_file():
        raise ValueError(f"{path} is no run ({WEIGHTS}), no gallery and no bundle: pictures are named with --data.")


def _run(source: str | Path, other: str | Path, data: Any, label: str, folder: Path, workers: int, say: Say):
    parts = runs.parts_of(Path(source), data, label)
    views, items = [], None
    for path in [source, *([other] if other else [])]:
        model = _ready(path)
        found = runs.embedded(model, _mark(path, model), parts, folder, say, workers)
        items = items or runs.items_of(found)
        z = torch.cat([one.z for _, one in found])
        similarity = str(model.note.get("similarity", "cosine"))
        views.append((_called(path), model, z, similarity))
    assert items is not None
    if len(views) == 2 and len(views[0][2]) != len(views[1][2]):
        raise ValueError(
            "The two models could not read the same pictures: have files changed? Delete the folder explore/."
        )
    return items, views


def _ready(path: str | Path) -> Ready:
    """The model of a run, a bundle or a gallery."""
    if galleries.is_gallery(Path(path)):
        return galleries.model_of(Path(path))
    return load(path).to("cuda" if torch.cuda.is_available() else "cpu")


def _called(path: str | Path) -> str:
    return str(path).removeprefix("hf:") if str(path).startswith("hf:") else Path(path).resolve().stem


def _mark(path: str | Path, model: Ready) -> str:
    """What changes with the weights."""
    if isinstance(model, Bundle):
        return model.digest
    return digest(Path(path) / WEIGHTS if Path(path).is_dir() else Path(path))


def _space(name: str, model: Ready, z: Tensor, similarity: str, items: Items, folder: Path, say: Say) -> Space:
    """A model's view, its map and verdicts kept."""
    if not bool(z.isfinite().all()):
        raise ValueError(f"Embeddings of {name} are not finite numbers: did its training diverge?")
    embed, compare = geometry(similarity)
    ready = embed(z.float())
    path = folder / f"map-{key(MAPS, similarity, *_sums(z, items))}.safetensors"

    def make() -> tuple[dict[str, Tensor], dict[str, Any]]:
        say(f"laying out the map of {name}: {len(z):,} pictures")
        xy, how = places(ready, items.labels, compare)
        say(f"looking for errors of {name}")
        return {"xy": xy, "right": verdicts(ready, items, compare)}, {"how": how}

    tensors, note = kept(path, make)
    return Space(
        name=name, model=model, z=ready, ready=embed, compare=compare, similarity=similarity, xy=tensors["xy"],
        how=note["how"], right=tensors["right"],
    )  # fmt: skip


def _sums(z: Tensor, items: Items) -> list[str]:
    """What tells these embeddings, labels and parts from others."""
    import hashlib

    held = hashlib.sha256(z.float().contiguous().numpy().data)
    held.update(items.labels.contiguous().numpy().data)
    return [held.hexdigest(), repr(items.parts), repr(len(items.roles))]

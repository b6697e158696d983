"""A gallery made: data embedded a batch at a time, straight into files."""

import dataclasses
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from isometry.bundle import Bundle, archive, is_bundle
from isometry.bundle import read as read_bundle
from isometry.bundle import write as write_bundle
from isometry.bundle.hub import fetched
from isometry.data import Data
from isometry.index import lock, manifest
from isometry.index.arranging import arranged, read_kind
from isometry.index.files import stated
from isometry.index.folder import is_gallery, ours, sweep
from isometry.index.given import Vectors
from isometry.index.index import Index
from isometry.index.manifest import Manifest
from isometry.index.sources import ids_of, rows_of, source
from isometry.index.stores.milvus import Milvus, drop
from isometry.index.writing import Writing
from isometry.protocols.retrieval import geometry

LARGEST = 1024  # side of a small picture, in pixels


class Built(NamedTuple):
    """What was made.

    Attributes:
        path: the gallery. count: how many pictures it holds. left_out: how many could not be read.
        kind: how they are searched. measured: recall, speed and memory, where they were measured.
    """

    path: Path
    count: int
    kind: str
    measured: tuple[Mapping[str, Any], ...]
    left_out: int = 0

    def read(self) -> Index:
        """The gallery."""
        return Index(self.path)


def build(
    bundle: str | Path,
    data: Any,
    out: str | Path,
    *,
    kind: str = "",
    store: str = "",
    label: str = "",
    thumbnails: int = 64,
    workers: int = -1,
    recall: float = 0.95,
    replace: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Built:
    """Makes a gallery of data: embeds all pictures, and arranges them for search.

    Memory does not grow with the embeddings: they go from the model to the disk.

    Args:
        bundle: a file, a folder, "hf:owner/name", or the folder of a run.
        data: anything that `isometry.data.read` reads; or embeddings, from `isometry.index.vectors` or a file that
            `isometry embed` has written.
        out: the gallery's folder, new or empty.
        kind: how it is searched: "Flat()", "HNSW(links=32)", …; chosen by measured recall, speed and memory unless given.
        store: where vectors lie; the folder itself unless given.
        label: the label column of a table.
        thumbnails: side of the small pictures that it keeps, in pixels, at most 1024; 0 for none.
        recall: share of the ten nearest that a search must find where it does not look at all pictures.
        replace: put this gallery in the place of one that is there; until it is finished the old one can be searched.
        tell: is called with what was measured, as text.

    Raises:
        ValueError, OSError: for what cannot be read or written; what was there before is as it was.
    """
    out = Path(out)
    _refuse(out, replace)
    if kind:
        read_kind(kind)
    if not 0 <= thumbnails <= LARGEST or not 0 < recall <= 1:
        raise ValueError(f"thumbnails is 0 to {LARGEST} and recall above 0, at most 1; got {thumbnails} and {recall}.")
    items = source(data, label)
    fresh = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        place = store if not store or "://" in store else str(Path(store).resolve())
        return _built(bundle, items, out, kind, place, thumbnails, workers, recall, replace, tell)
    except BaseException:
        if fresh and not is_gallery(out):
            shutil.rmtree(out, ignore_errors=True)
        raise


def _built(
    bundle: str | Path, items: Data | Vectors, out: Path, kind: str, store: str, thumbnails: int, workers: int, recall: float,
    replace: bool, tell: Callable[[str], None],
) -> Built:  # fmt: skip
    """The gallery, while no one else writes to its folder."""
    with lock.writing(out):
        _refuse(out, replace)
        old = manifest.read(out) if is_gallery(out) else None
        sweep(out, old)
        try:
            path, model = _copied(bundle, out)
            new = Manifest(
                name=items.name, similarity=model.similarity, dim=model.dim, model=stated(path), digest=model.digest,
                store=store, asked=kind, recall=recall, side=thumbnails, generation=old.generation + 1 if old else 1,
                origin=secrets.token_hex(6),
            )  # fmt: skip
            model.to("cuda" if torch.cuda.is_available() else "cpu")
            new, count = (_stored if new.store else _filled)(new, model, items, out, workers, tell)
            manifest.write(out, new)
        finally:  # by what the disk says: this may be stopped after the rename, before it knows
            sweep(out, manifest.read(out) if is_gallery(out) else None)
        if old is not None and old.store:
            drop(old.store, old.collection)
    return Built(out, count, new.kind, new.measured, len(items) - count)


def _filled(
    new: Manifest, model: Bundle, data: Data | Vectors, out: Path, workers: int, tell: Callable[[str], None]
) -> tuple[Manifest, int]:
    """The manifest with a base of all rows, and how many there are."""
    ids, base = ids_of(data), Writing(out)
    for rows in rows_of(data, lambda: model, new, ids, workers):
        base.add(*rows)
    if not base.rows:
        raise ValueError(f"{data.name} has no picture that can be read.")
    kind, measured = arranged(base, new.asked, new.recall, geometry(new.similarity)[1], tell)
    made = dataclasses.replace(
        new, kind=kind, measured=measured, segments=(base.close(),), next_id=int(ids.max()) + 1
    )  # fmt: skip
    return made, base.rows


def _stored(
    new: Manifest, model: Bundle, data: Data | Vectors, out: Path, workers: int, tell: Callable[[str], None]
) -> tuple[Manifest, int]:
    """The manifest of a gallery whose vectors lie in a new collection of a database, and how many there are."""
    ids, name = ids_of(data), f"gallery_{secrets.token_hex(6)}"
    prepare, compare = geometry(new.similarity)
    held = Milvus(new.store, name=name, dim=prepare(torch.zeros(1, new.dim)).shape[1], compare=compare)
    try:
        count = sum(
            held.fill(lambda to, rows=rows: to.add(*rows)) for rows in rows_of(data, lambda: model, new, ids, workers)
        )
        if not count:
            raise ValueError(f"{data.name} has no picture that can be read.")
    except BaseException:
        drop(new.store, name)
        raise
    kind = f"Milvus at {new.store}, collection {name}"
    return dataclasses.replace(new, kind=kind, collection=name, width=held.dim, next_id=int(ids.max()) + 1), count


def _copied(bundle: str | Path, out: Path) -> tuple[Path, Bundle]:
    """A copy of the bundle in the gallery, without pictures of its own."""
    path = out / f"model-{secrets.token_hex(6)}.isom"
    if is_bundle(bundle):
        text = str(bundle)
        members = archive.read(fetched(text.removeprefix("hf:")) if text.startswith("hf:") else Path(bundle))
        archive.write(path, {k: v for k, v in members.content.items() if k not in (archive.VECTORS, archive.ITEMS)})
    else:
        write_bundle(bundle, path, thresholds=False)
    return path, read_bundle(path)


def _refuse(out: Path, replace: bool) -> None:
    """Refuses a folder that holds something else, or a gallery that is not to be replaced."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: name a folder for the gallery.")
    if is_gallery(out) and not replace:
        raise FileExistsError(f"{out} holds a gallery: isometry add adds to it, --replace puts another in its place.")
    if out.is_dir() and not is_gallery(out) and not all(ours(one.name) for one in out.iterdir()):
        raise FileExistsError(f"{out} exists and is not empty: name another folder for the gallery.")

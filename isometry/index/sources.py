"""What a gallery is filled from: data whose pictures are embedded, or embeddings that are there already."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxtyping import Int64
from torch import Tensor

from isometry.bundle import Bundle
from isometry.data import Data, read
from isometry.data.images import Paths
from isometry.index.given import Vectors, is_vectors, read_vectors
from isometry.index.items import Items, refuse_twice
from isometry.index.manifest import Manifest
from isometry.index.pictures import embedded
from isometry.index.segment import Rows
from isometry.protocols.retrieval import geometry


def source(data: Any, label: str = "") -> Data | Vectors:
    """Data or embeddings, whichever it is.

    Raises:
        ValueError: when there are none, or ids are not fit to be a gallery's.
    """
    found = data if isinstance(data, Vectors) else read_vectors(data) if is_vectors(data) else read(data, label=label)
    if not len(found):
        raise ValueError(f"{found.name} is empty: there is nothing to index.")
    ids = ids_of(found)
    if int(ids.min()) < 0:
        raise ValueError(f"Ids are not negative; {found.name} has {int(ids.min())}.")
    refuse_twice(ids)
    return found


def ids_of(data: Data | Vectors) -> Int64[Tensor, " n"]:
    """What data call their pictures by."""
    return data.items.ids if isinstance(data, Vectors) else data.ids


def rows_of(
    data: Data | Vectors, model: Callable[[], Bundle], manifest: Manifest, ids: Int64[Tensor, " n"], workers: int
) -> Iterator[Rows]:
    """Rows of a gallery for all that can be read, under these ids, some at a time.

    Args:
        model: gives the bundle, which embeddings do without.
    """
    prepare = geometry(manifest.similarity)[0]
    if isinstance(data, Vectors):
        start = 0
        for z, items in data.pieces(manifest.dim):
            at = ids[start : (start := start + len(z))]
            yield Rows(prepare(z), dataclasses.replace(items, ids=at), [b""] * len(z), [""] * len(z))
        return
    root = str(Path(data.images.root).resolve()) if isinstance(data.images, Paths) else ""
    for part in embedded(model(), data, side=manifest.side, workers=workers):
        yield Rows(prepare(part.z), _items(data, part.index, ids), part.pictures, [root] * len(part.z))


def _items(data: Data, index: Int64[Tensor, " b"], ids: Int64[Tensor, " n"]) -> Items:
    """What the data say of some positions."""
    at = index.tolist()
    labels = tuple(data.classes[c] if c >= 0 else "" for c in data.labels[index].tolist())
    paths, parts = (tuple(x[i] for i in at) if x else ("",) * len(at) for x in (data.paths, data.split))
    return Items(ids=ids[index], labels=labels, paths=paths, parts=parts)

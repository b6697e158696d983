"""The pictures of a gallery on disk, or those that a bundle carries along."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isometry.bundle import Bundle, is_bundle
from isometry.bundle import read as read_bundle
from isometry.explore.shown import Items, Part

MANIFEST = "gallery.json"
View = tuple[str, Any, Tensor, str]


def is_gallery(path: Path) -> bool:
    """Whether this is the folder of a gallery."""
    return (path / MANIFEST).is_file()


def model_of(path: Path) -> Bundle:
    """The model that a gallery was made with."""
    from isometry import index

    return index.read(path).model


def read(path: Path, other: str | Path = "") -> tuple[Items, list[View]]:
    """The pictures of a gallery or a bundle, and its model's view of them; of two galleries, the pictures that both have.

    Raises:
        ValueError: for a bundle without pictures, a gallery that is empty, or a second model that has none of these.
    """
    if is_bundle(path):
        return _of_bundle(read_bundle(path), other)
    from isometry import index

    gallery = index.read(path)
    if not len(gallery):
        raise ValueError(f"{path} holds no pictures yet: isometry add puts some in.")
    ids = _ordered(gallery)
    if not other:
        return _items(gallery, ids), [_view(path, gallery, ids)]
    if not is_gallery(Path(other)):
        raise ValueError(f"A gallery is compared with another gallery of the same pictures, and {other} is none.")
    second = index.read(other)
    here, there = _both(gallery, ids, second, second.ids())
    if not len(here):
        raise ValueError(f"{path} and {other} have no picture in common, by path or by id.")
    return _items(gallery, here), [_view(path, gallery, here), _view(Path(other), second, there)]


def _view(path: Path, gallery: Any, ids: Tensor) -> View:
    return path.resolve().name, gallery.model, gallery.vectors(ids).float(), gallery.similarity


def _both(first: Any, ids: Tensor, second: Any, others: Tensor) -> tuple[Tensor, Tensor]:
    """Ids of the pictures that both have: the same path where both know paths, else the same id."""
    paths, more = first.items(ids).paths, second.items(others).paths
    named = all(paths) and all(more) and len(set(paths)) == len(paths) and len(set(more)) == len(more)
    left, right = (list(paths), list(more)) if named else (ids.tolist(), others.tolist())
    place = {name: i for i, name in enumerate(right)}
    pairs = [(i, place[name]) for i, name in enumerate(left) if name in place]
    at = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    return ids[at[:, 0]], others[at[:, 1]]


def _ordered(gallery: Any) -> Tensor:
    """All ids, in the order of their parts."""
    ids = gallery.ids()
    return ids[torch.tensor(in_parts(gallery.items(ids).parts)[0])]


def _items(gallery: Any, ids: Tensor) -> Items:
    known = gallery.items(ids)
    names = sorted(set(known.labels) - {""})
    place = {name: i for i, name in enumerate(names)}
    labels = torch.tensor([place.get(name, -1) for name in known.labels])
    return Items(
        ids=ids, labels=labels, classes=tuple(names), parts=in_parts(known.parts)[1], names=tuple(known.paths),
        picture=lambda row: _picture(gallery, int(ids[row])),
    )  # fmt: skip


def _picture(gallery: Any, id: int) -> Any:
    """The picture; None where there is none, or it was deleted in the meantime."""
    try:
        return gallery.picture(id)
    except (KeyError, OSError, ValueError):
        return None


def in_parts(names: tuple[str, ...]) -> tuple[list[int], tuple[Part, ...]]:
    """Rows in the order of their parts (train, validation, test, others by name, none), and the parts.

    >>> in_parts(("test", "train", "test"))
    ([1, 0, 2], (Part(name='train', start=0, stop=1), Part(name='test', start=1, stop=3)))
    """
    known = ("train", "validation", "test")
    rank = {name: (known.index(name) if name in known else len(known), name == "", name) for name in set(names)}
    order = sorted(range(len(names)), key=lambda i: (rank[names[i]], i))
    parts, start = [], 0
    for name in sorted(rank, key=lambda name: rank[name]):
        stop = start + sum(one == name for one in names)
        parts.append(Part(name or ("all" if len(rank) == 1 else "no part"), start, stop))
        start = stop
    return order, tuple(parts)


def _of_bundle(bundle: Bundle, other: str | Path) -> tuple[Items, list[View]]:
    held = bundle.gallery
    if held is None:
        raise ValueError(f"{bundle.name} carries no pictures: name some with --data, or bundle it with --index.")
    if other:
        raise ValueError("A bundle is compared with another model on pictures that --data names.")
    n = len(held)
    items = Items(
        ids=held.ids if len(torch.unique(held.ids)) == n and int(held.ids.min()) >= 0 else torch.arange(n),
        labels=held.labels, classes=held.classes, parts=(Part("all", 0, n),), names=held.paths,
        picture=lambda row: None,
    )  # fmt: skip
    return items, [(bundle.name, bundle, held.z.float(), bundle.similarity)]

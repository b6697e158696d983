"""The two sides of a search, read and checked at the boundary."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isometry.label_metric import metric_of


class Side(NamedTuple):
    """Queries or gallery: embeddings `[n d]`, labels int64 `[n]` or label sets bool `[n L]`, ids int64 `[n]`.

    `sequence` int64 `[n]` names the camera or the shot of each item; −1 is none.
    """

    z: Tensor
    y: Tensor
    ids: Tensor | None
    sequence: Tensor | None = None

    def take(self, order: Tensor | slice) -> "Side":
        """These items."""
        return Side(*(None if x is None else x[order] for x in self))  # type: ignore[arg-type]


def sides(
    z: Any, y: Any, ids: Any, against: tuple[Any, ...] | None, *, sequence: Any = None, any_labels: bool = False
) -> tuple[Side, Side]:
    """Queries and gallery; the very same object where every query searches all others.

    With `any_labels`, labels may be of any kind with one row an item, as a relation reads them.

    Raises:
        ValueError: for anything that is not `[n d]` finite embeddings with n labels, and ids on both sides or on none.
    """
    if against is None:
        both = side("embeddings", z, y, ids, sequence, any_labels)
        if both.ids is None:
            both = both._replace(ids=torch.arange(len(both.z), device=both.z.device))
        return both, both
    if not isinstance(against, (tuple, list)) or len(against) not in (2, 3, 4):
        raise ValueError("against= is the gallery: (embeddings, labels), with ids third and sequences fourth.")
    queries = side("queries", z, y, ids, sequence, any_labels)
    gallery = side("gallery", *against, *[None] * (4 - len(against)), any_labels)  # type: ignore[misc]
    for what in ("ids", "sequence"):
        if (getattr(queries, what) is None) != (getattr(gallery, what) is None):
            have, lack = ("queries", "gallery") if getattr(gallery, what) is None else ("gallery", "queries")
            raise ValueError(
                f"The {have} has {what} and the {lack} has none: give {what}=… and "
                "against=(g, y_g, ids_g, sequence_g), or neither."
            )
    if queries.z.shape[1] != gallery.z.shape[1]:
        raise ValueError(
            f"Queries have {queries.z.shape[1]} dimensions and the gallery has {gallery.z.shape[1]}; they must agree."
        )
    if queries.z.device != gallery.z.device:
        raise ValueError(f"Queries are on {queries.z.device} and the gallery on {gallery.z.device}; put both on one.")
    if queries.y.shape[1:] != gallery.y.shape[1:]:
        raise ValueError(
            f"Labels of the queries are {list(queries.y.shape)} and of the gallery {list(gallery.y.shape)}: both are "
            "classes [n], or both are label sets [n L] of equal width."
        )
    return queries, gallery


def side(name: str, z: Any, y: Any, ids: Any, sequence: Any = None, any_labels: bool = False) -> Side:
    """One side, as tensors on the device of its embeddings."""
    z = tensor(z, f"Embeddings ({name})")
    if z.ndim != 2 or z.shape[0] < 1 or z.shape[1] < 1 or z.is_complex():
        raise ValueError(f"Embeddings ({name}) are numbers of shape [n d]; got {_kind(z)}.")
    _refuse_not_finite(z, name)
    y = tensor(y, f"Labels ({name})").to(z.device)
    if not any_labels and (y.is_floating_point() or y.is_complex()):
        raise ValueError(
            f"Labels ({name}) are whole numbers of shape [n]; got {_kind(y)}. Floating-point numbers lose large "
            "labels: number the classes from 0, as int64."
        )
    if not any_labels and y.ndim != 1 and not (y.ndim == 2 and y.dtype == torch.bool):
        raise ValueError(f"Labels ({name}) are integers [n], or label sets as bool [n L]; got {_kind(y)}.")
    if len(y) != len(z):
        raise ValueError(f"There are {len(z):,} embeddings ({name}) and {len(y):,} labels; each needs one.")
    if not any_labels and y.ndim == 1:
        y = y.long()
    return Side(z, y, _whole_numbers("Ids", name, ids, z), _whole_numbers("Sequences", name, sequence, z))


def _whole_numbers(what: str, name: str, x: Any, z: Tensor) -> Tensor | None:
    if x is None:
        return None
    x = tensor(x, f"{what} ({name})").to(z.device)
    if x.is_floating_point() or x.ndim != 1 or len(x) != len(z):
        raise ValueError(f"{what} ({name}) are {len(z):,} integers, one an embedding; got {_kind(x)}.")
    return x.long()


def tensor(x: Any, what: str) -> Tensor:
    """A tensor of what is given: torch, numpy, or a list of numbers."""
    if isinstance(x, Tensor):
        return x.detach()
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        hint = " Number them: numpy.unique(labels, return_inverse=True)[1]." if array.dtype.kind in "USO" else ""
        raise ValueError(f"{what} must be numbers; got {array.dtype} of shape {list(array.shape)}.{hint}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that may not be written to; nothing is written
        return torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)))


def say_what_is_scored(found: Tensor, unknown: Tensor, relate: Any = None) -> None:
    """Counts the queries without a match aloud; `found` is how many matches each has, `unknown` whose class is unknown.

    Raises:
        ValueError: when no query has one.
    """
    metric = metric_of(relate)
    without = found == 0
    count = int(without.sum())
    nameless = f" ({int((without & unknown).sum()):,} of them of unknown class)" if metric is None else ""
    rule = "a match is another gallery item of the same class, and label −1 matches nothing"
    if metric is not None:
        rule = f"a match is another item of known label, no farther by label than the radius, {metric.radius:g}: {metric!r}"
    if count == len(found):
        raise ValueError(f"None of {count:,} queries has a match in the gallery ({rule}): there is nothing to score.")
    if count:
        warnings.warn(
            f"{count:,} of {len(found):,} queries have no match in the gallery{nameless} "
            f"and are not scored: {rule}. Means are over the other {len(found) - count:,}.",
            stacklevel=3,
        )


def _refuse_not_finite(z: Tensor, name: str) -> None:
    suspects = (~z.sum(1, dtype=torch.float32).isfinite()).nonzero().squeeze(1)  # a finite row may overflow: look again
    rows = suspects[~z[suspects].float().isfinite().all(1)]
    if len(rows):
        raise ValueError(
            f"{len(rows):,} of {len(z):,} embeddings ({name}) hold NaN or Inf; the first is row {int(rows[0])}. "
            "Training has probably diverged: lower the learning rate, or go back to an earlier checkpoint."
        )


def _kind(x: Tensor) -> str:
    return f"{str(x.dtype)[6:]} of shape {list(x.shape)}"

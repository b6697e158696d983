"""A calibration in its gallery: kept, read, made anew, and held against what the gallery has become."""

import dataclasses
import hashlib
import json
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.bundle import Refused
from isometry.openset.calibration import NAME, Calibration, Stamp, from_json
from isometry.openset.held import Held, from_bytes

VECTORS = "calibration.safetensors"
CHANGED = 0.1
"""A calibration is refused where a larger share of the gallery than this is new, gone or another picture."""
ROWS = 2**16


class Stale(ValueError):
    """The calibration is of another gallery than this has become."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a calibration is worth for a gallery as it is now.

    Attributes:
        refused: whether it may not be used. message: why, or what to beware of; "" where nothing has changed.
        changed: pictures that are new, gone or others than they were, as a share of those there were.
    """

    refused: bool = False
    message: str = ""
    changed: float = 0.0


def keep(index: Any, calibration: Calibration, held: Held) -> Calibration:
    """Keeps a calibration in a gallery, with the embeddings that it is from: `isometry calibrate --again` needs no picture.

    Raises:
        InUse: when another writer has the gallery.
    """
    ids = index.ids()
    content = held.to_bytes(ids=ids, marks=marks(index, ids))
    calibration = dataclasses.replace(calibration, held=hashlib.sha256(content).hexdigest())
    index.attach(VECTORS, content)
    index.attach(NAME, json.dumps(calibration.as_json(), allow_nan=False).encode())
    return calibration


def kept(index: Any) -> Calibration:
    """The calibration of a gallery.

    Raises:
        ValueError: when it has none.
        Refused: when it is damaged or newer.
    """
    found = index.calibration
    if found is None:
        raise ValueError(
            "The gallery has no calibration: isometry calibrate GALLERY DATA makes one, of pictures of classes that the gallery "
            "does not hold."
        )
    return from_json(found)


def kept_pictures(index: Any, calibration: Calibration) -> tuple[Held, dict[str, Tensor]]:
    """The embeddings that a calibration is from; `ids` and `marks` are the gallery's of then.

    Raises:
        Refused: when they are not there, or not those.
    """
    content = index.attached(VECTORS)
    if content is None or hashlib.sha256(content).hexdigest() != calibration.held:
        raise Refused("The pictures of the calibration are not those that it is from: calibrate again, with data.")
    return from_bytes(content)


def stamp(index: Any, classes: int) -> Stamp:
    """The gallery as it is now."""
    model = getattr(index, "model", None)
    return Stamp(
        model=getattr(model, "digest", ""),
        similarity=index.similarity,
        kind=index.kind,
        generation=index.generation,
        size=len(index),
        classes=classes,
    )


def marks(index: Any, ids: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    """A number for each picture's embedding, which tells whether it is the same: its product with a fixed random vector."""
    parts, direction = [], None
    for some in ids.split(ROWS):
        z = index.vectors(some).double()
        if direction is None:
            direction = torch.randn(z.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        parts.append(z @ direction)
    return torch.cat(parts).float() if parts else torch.empty(0)


_SEEN: "weakref.WeakKeyDictionary[Any, tuple[Any, Standing]]" = weakref.WeakKeyDictionary()


def standing(index: Any, calibration: Calibration) -> Standing:
    """What a calibration is worth now.

    Refused: another model or similarity, for scores mean something else; another way of searching, for it finds others; or
    more than `CHANGED` of the pictures changed. Less than that is a warning: every picture that is added is one more that a
    stranger may look like, so the rate of false matches rises by what no statistics of the old gallery can tell.
    """
    seen = _SEEN.get(index)
    key = (index.generation, calibration.held, calibration.stamp)
    if seen is None or seen[0] != key:
        seen = (key, _standing(index, calibration))
        _SEEN[index] = seen
    return seen[1]


def _standing(index: Any, calibration: Calibration) -> Standing:
    was, now = calibration.stamp, stamp(index, calibration.stamp.classes)
    for name in ("model", "similarity", "kind"):
        old, new = getattr(was, name), getattr(now, name)
        if old != new:
            short = [text[:12] if name == "model" else text for text in (old, new)]
            return Standing(refused=True, message=f"its {name} was {short[0]} and is {short[1]}")
    if was.generation == now.generation:
        return Standing()
    held = kept_pictures(index, calibration)[1]
    ids = index.ids()
    new = ids[~torch.isin(ids, held["ids"])]
    order = held["ids"].argsort()
    there = torch.isin(held["ids"][order], ids)
    common, before = held["ids"][order][there], held["marks"][order][there]
    other = int(((marks(index, common) - before).abs() > 1e-4 * (1 + before.abs())).sum())
    gone = len(held["ids"]) - len(common)
    share = (len(new) + gone + other) / max(len(held["ids"]), 1)
    if not share:
        return Standing()
    parts = [f"{n:,} {what}" for n, what in ((len(new), "new"), (gone, "gone"), (other, "others than they were")) if n]
    said = f"of {len(held['ids']):,} pictures that it was calibrated with, {', '.join(parts)}"
    return Standing(refused=share > CHANGED, message=said, changed=share)

"""From a model and pictures to sides, and to what they look like."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from isometry.data import Data, Splits, loader
from isometry.diagnostics.comparison import Geometry, geometry
from isometry.diagnostics.sides import Side, sample
from isometry.embedder import Ready

WHILE_TRAINING = 8
"""Segments on which derivatives are taken at each validation."""


def look(
    ready: Ready, *, seen: Data, unseen: Data, images: int = 1024, points: int = 64, workers: int = -1, seed: int = 0
) -> Geometry:
    """`geometry` of a model's pictures: classes that it was trained on, and classes that it was not.

    >>> from isometry.data import read, split
    >>> from isometry.embedder import untrained
    >>> from isometry.config import Config
    >>> parts = split(read("glyphs"), seed=0)
    >>> found = look(untrained(Config(), 0), seen=parts.train, unseen=parts.validation, images=64, points=8, workers=0)
    >>> found.seen.images, found.unseen.images
    (64, 64)
    """
    model = ready.model
    sides = [side(ready, data, images=images, workers=workers).to(ready.device) for data in (seen, unseen)]
    training = model.training
    model.eval()
    try:
        return geometry(
            seen=sides[0],
            unseen=sides[1],
            head=model.head,
            whole=lambda pictures: model(pictures).z,
            images=0,
            points=points,
            seed=seed,
        )
    finally:
        model.train(training)


def row(ready: Ready, splits: Splits, images: int, *, workers: int = -1) -> dict[str, Any]:
    """What a validation writes down: `Geometry.as_json` of training and validation classes, or why there is none."""
    try:
        found = look(
            ready, seen=splits.train, unseen=splits.validation, images=images, points=WHILE_TRAINING, workers=workers
        )
    except ValueError as error:  # no classes: label sets, continuous labels, classes of one picture
        return {"left_out": str(error)}
    return found.as_json()


@torch.no_grad()
def side(
    ready: Ready, data: Data, *, images: int = 1024, batch_size: int = 256, workers: int = -1, strict: bool = False
) -> Side:
    """At most so many pictures of known class on their way through a model, by its own transform; on the CPU.

    Whole classes, chosen by a hash of their names, so that they are the same in every epoch and for every model (0 images:
    all). x are the pictures as the model is given them, in bytes where the transform leaves bytes, else in half precision.
    The model is run in evaluation mode, and its mode put back.
    """
    data = data.select(sample(data.labels, images, _keys(data)) if images else (data.labels >= 0).nonzero()[:, 0])
    channels: int = ready.model.trunk.in_channels  # type: ignore[assignment]
    batches = loader(
        data,
        ready.transform,
        batch_size=batch_size,
        workers=None if workers < 0 else workers,
        channels=channels,
        strict=strict,
    )
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    training = ready.model.training
    ready.model.eval()
    try:
        for batch in batches:
            made = ready.model(batch.images.to(ready.device, non_blocking=True))
            x = batch.images if batch.images.dtype == torch.uint8 else batch.images.half()
            parts.append((x, made.h.float().cpu(), made.z.float().cpu(), batch.labels))
    finally:
        ready.model.train(training)
    if not parts:
        raise ValueError(f"{data.name} has no pictures of known class to look at.")
    x, h, z, y = (torch.cat(part) for part in zip(*parts, strict=True))
    return Side(x=x, h=h, z=z, y=y)


def _keys(data: Data) -> Tensor:
    """A number for each class that depends on its name alone."""
    made = [hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=7).digest() for name in data.classes]
    return torch.tensor([int.from_bytes(d, "little") for d in made], dtype=torch.int64)

"""What a transform does to pictures, as numbers that need no torch to follow."""

from collections.abc import Callable
from typing import Any

from isometry.data import Data
from isometry.data.pixels import Unreadable
from isometry.data.transforms import CentreCrop, Same
from isometry.embedder import Ready
from isometry.lite import Preparation


def preparation(ready: Ready, data: Data) -> Preparation:
    """How the model's pictures are prepared; as they are, they have the size of those in `data`.

    Raises:
        ValueError: for a transform that is random, or not one of these.
    """
    transform, channels = ready.transform, int(ready.model.trunk.in_channels)  # type: ignore[arg-type]
    if type(transform) not in STEPS:
        known = ", ".join(f"{step.__name__}()" for step in STEPS)
        raise ValueError(
            f"Pictures prepared by {transform!r} cannot be prepared without torch: export a model whose transform is one "
            f"of {known}."
        )
    return STEPS[type(transform)](transform, channels, data)


def _crop(transform: Any, channels: int, data: Data) -> Preparation:
    return Preparation(channels=channels, height=transform.size, width=transform.size, shorter=transform.shorter)


def _same(transform: Any, channels: int, data: Data) -> Preparation:
    for index in range(len(data)):
        try:
            height, width = data.images[index].shape[1:]
        except Unreadable:
            continue
        return Preparation(channels=channels, height=height, width=width)
    raise ValueError(f"No picture of {data.name} can be read.")


STEPS: dict[type, Callable[[Any, int, Data], Preparation]] = {CentreCrop: _crop, Same: _same}

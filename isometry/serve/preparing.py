"""From a client's bytes to what a model sees, as `isometry.data` prepares files."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.data.fetch import takes_batches
from isometry.data.pixels import Image, to_uint8, with_channels
from isometry.embedder import Ready
from isometry.serve.limits import Limits, Refused
from isometry.serve.pictures import decoded

Prepared = UInt8[Tensor, "c _ _"] | Float[Tensor, "c _ _"]


def prepared(data: bytes, ready: Ready, limits: Limits) -> Prepared:
    """The picture in these bytes, decoded, in the channels that the model takes, and transformed.

    Raises:
        Refused: for bytes that are no picture, and for a picture that the model cannot take.
    """
    return _prepared(seen(data, ready, limits), ready)


def seen(data: bytes, ready: Ready, limits: Limits) -> Any:
    """The picture in these bytes, as a PIL image that the model can take.

    Raises:
        Refused: for bytes that are no picture, and for one that is too large.
    """
    picture = decoded(data, limits)
    refuse_large(picture, ready)
    return picture


def embedding(picture: Any, ready: Ready) -> Float[Tensor, "1 d"]:
    """The embedding of one picture that `decoded` gave.

    Raises:
        Refused: for one that the model cannot take.
    """
    refuse_large(picture, ready)
    (found,) = embedded([_prepared(picture, ready)], ready)
    if isinstance(found, Refused):
        raise found
    return found[None]


def all_seen(pictures: Sequence[bytes], ready: Ready, limits: Limits) -> list[Any]:
    """Pictures that are held together: of twice the pixels at most that one may have.

    Raises:
        Refused: for the first that is none, saying which, and where they are too many.
    """
    images, pixels = [], 0
    for number, data in enumerate(pictures, 1):
        try:
            images.append(seen(data, ready, limits))
        except Refused as refused:
            raise numbered(refused, number, len(pictures)) from None
        pixels += images[-1].width * images[-1].height
        if pixels > 2 * limits.pixels:
            raise Refused(
                413, f"The pictures have more than {2 * limits.pixels:,} pixels together: send fewer at once."
            )
    return images


def numbered(refused: Refused, number: int, count: int) -> Refused:
    """The same, saying which picture it is of."""
    said = f"Picture {number} of {count}: {refused}" if count > 1 else str(refused)
    return Refused(refused.status, said, retry=refused.retry)


def refuse_large(picture: Any, ready: Ready) -> None:
    """A model whose preparation leaves pictures as large as they are is given none of more than four times the area that it
    was made for: what it costs grows with them.

    Raises:
        Refused: for such a picture.
    """
    side, (width, height) = int(ready.model.trunk.image_size), picture.size  # type: ignore[arg-type]
    if takes_batches(ready.transform) and width * height > 4 * side**2:
        said = (
            f"This model takes pictures as they are, of about {side}×{side} pixels, and this one has {width}×{height}"
        )
        raise Refused(422, f"{said}: make it smaller.")


def _prepared(picture: Any, ready: Ready) -> Prepared:
    return changed(with_channels(to_uint8(picture), int(ready.model.trunk.in_channels)), ready)  # type: ignore[arg-type]


@torch.no_grad()
def changed(image: Image, ready: Ready) -> Prepared:
    """A picture as its model's transform leaves it.

    Raises:
        Refused: for one that cannot be transformed.
    """
    try:
        return ready.transform(image[None])[0] if takes_batches(ready.transform) else ready.transform(image)
    except (ValueError, RuntimeError):
        high, wide = image.shape[-2:]
        raise Refused(422, f"A picture of {wide}×{high} pixels cannot be prepared for this model.") from None


def embedded(batch: list[Prepared], ready: Ready) -> list[Float[Tensor, " d"] | Refused]:
    """Embeddings of prepared pictures of one shape, on the CPU, not normalised; why not where a picture has none.

    One picture that the model cannot take does not fail the others: they are then embedded one by one.
    """
    try:
        z = ready.model.embed(torch.stack(batch).to(ready.device)).float().cpu()
    except (ValueError, RuntimeError):
        if len(batch) > 1:
            return [one for picture in batch for one in embedded([picture], ready)]
        high, wide = batch[0].shape[-2:]
        side = int(ready.model.trunk.image_size)  # type: ignore[arg-type]
        said = f"This model takes pictures of {side}×{side} pixels and cannot take {wide}×{high}"
        return [Refused(422, f"{said}: resize the picture.")]
    none = Refused(422, "The model gives this picture no finite embedding.")
    return [row if finite else none for row, finite in zip(z, z.isfinite().all(1).tolist(), strict=True)]

"""Embeddings and small pictures of data, a batch at a time, each picture decoded once."""

import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from isometry.data import Data, loader
from isometry.data.fetch import Batch, Uneven, takes_batches
from isometry.data.pixels import Unreadable
from isometry.embedder import Ready

BATCH = 256
TOLD = 5  # numbers before the pixels in a row of `Both`


class Embedded(NamedTuple):
    """Some of the data: embeddings, their small pictures, and their positions."""

    z: Float[Tensor, "b d"]
    pictures: list[bytes]
    index: Int64[Tensor, " b"]


def embedded(
    ready: Ready, data: Data, *, side: int = 0, workers: int = -1, strict: bool = False, batch_size: int = BATCH
) -> Iterator[Embedded]:
    """All readable pictures of `data`, in order. `ready.unreadable` has the others.

    Args:
        side: of the small pictures, in pixels; 0 for none.
        strict: stop at a picture that cannot be read.

    Raises:
        ValueError: for pictures that do not suit the model, or embeddings that are not finite.
        Unreadable: if `strict`, or when no picture can be read.
    """
    both = Both(ready.transform, side)
    batches = loader(
        data,
        both,
        batch_size=batch_size,
        workers=None if workers < 0 else workers,
        channels=ready.model.trunk.in_channels,  # type: ignore[arg-type]
        strict=strict,
    )
    for batch in _readable(batches, ready):
        images, small = both.apart(batch.images)
        try:
            z = ready.model.embed(images.to(ready.device, non_blocking=True)).float().cpu()
        except RuntimeError as error:
            shape, why = list(images.shape[1:]), " ".join(str(error).split())[:120]
            raise ValueError(f"The model cannot embed pictures {shape}: is this the data it is for? ({why})") from None
        if not bool(z.isfinite().all()):
            raise ValueError("Embeddings are not finite numbers, and cannot be searched: did the training diverge?")
        yield Embedded(z, [as_file(picture) for picture in small] if side else [b""] * len(z), batch.index)
    ready.unreadable.update(batches.unreadable)


def _readable(batches: Iterable[Batch], ready: Ready) -> Iterator[Batch]:
    """The batches; what a worker has refused is said without its stack."""
    try:
        yield from batches
    except Unreadable:
        raise
    except Uneven:
        raise ValueError(
            f"Pictures are of several sizes, and the transform of the bundle leaves them so ({ready.transform!r}): "
            "give it pictures of one size, or train with one that crops."
        ) from None
    except ValueError as error:
        raise ValueError(str(error).rpartition("ValueError: ")[2]) from None


class Both:
    """A transform, and beside what it gives the same pictures made small: all in one row of numbers a picture.

    The first three numbers are the size of what the transform gives, the next two that of the small picture.
    """

    def __init__(self, transform: Any, side: int) -> None:
        self.transform, self.side, self.batched = transform, side, takes_batches(transform)

    def __call__(self, images: Tensor) -> Tensor:
        several = images.ndim == 4
        whole, ready = (x if several else x[None] for x in (images, self.transform(images)))
        small = shrunk(whole, self.side) if self.side else whole[..., :0, :0]
        told = torch.tensor([*ready.shape[1:], *small.shape[2:]], dtype=torch.float32).expand(len(whole), TOLD)
        room = whole.shape[1] * self.side**2 - small.shape[1:].numel()
        rest = torch.nn.functional.pad(small.float().flatten(1), (0, room))
        scale = 255 if ready.dtype == torch.uint8 else 1
        rows = torch.cat([told, ready.float().flatten(1) / scale, rest], 1)
        return rows if several else rows[0]

    def apart(self, rows: Float[Tensor, "b n"]) -> tuple[Float[Tensor, "b c h w"], list[UInt8[Tensor, "_ _ _"]]]:
        """The two again."""
        c, h, w = (int(x) for x in rows[0, :3])
        end, small = TOLD + c * h * w, []
        for row, (tall, wide) in zip(rows[:, end:], rows[:, 3:TOLD].int().tolist(), strict=True):
            channels = row.numel() // max(self.side, 1) ** 2
            small.append(row[: channels * tall * wide].reshape(channels, tall, wide).to(torch.uint8))
        return rows[:, TOLD:end].reshape(-1, c, h, w), small


def shrunk(images: UInt8[Tensor, "b c h w"], side: int) -> UInt8[Tensor, "b c _ _"]:
    """Pictures whose longer side is at most `side`; smaller ones stay as they are.

    >>> shrunk(torch.zeros(1, 3, 50, 100, dtype=torch.uint8), 20).shape
    torch.Size([1, 3, 10, 20])
    """
    tall, wide = images.shape[-2:]
    most = max(tall, wide)
    if most <= side:
        return images
    size = [max(1, round(x * side / most)) for x in (tall, wide)]
    small = torch.nn.functional.interpolate(images.float(), size, mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8)


def as_file(picture: UInt8[Tensor, "c h w"]) -> bytes:
    """A small picture as a file: PNG, or JPEG where that takes half the bytes."""
    from PIL import Image

    grey = picture.shape[0] == 1
    image = Image.fromarray((picture[0] if grey else picture.permute(1, 2, 0)).numpy())
    plain, lossy = io.BytesIO(), io.BytesIO()
    image.save(plain, "PNG")
    image.save(lossy, "JPEG", quality=85)
    return (lossy if 2 * lossy.tell() < plain.tell() else plain).getvalue()

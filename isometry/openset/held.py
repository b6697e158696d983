"""Embedded pictures that a calibration was made of, or that are compared with them."""

import json
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, Int64
from PIL import Image
from torch import Tensor

from isometry.bundle import Refused
from isometry.data import Arrays, Data, Paths, read
from isometry.data.pixels import Unreadable


@dataclass(frozen=True, eq=False)
class Held:
    """Embedded pictures.

    Attributes:
        z: embeddings. labels: names of classes; "" where unknown.
        sizes: width and height of each picture as it was before it was prepared; empty where they are not known.
        unreadable: how many more there were that could not be read.
        name: what they are called.
    """

    z: Float[Tensor, "n d"]
    labels: list[str] | tuple[str, ...]
    sizes: Int64[Tensor, "m 2"]
    unreadable: int = 0
    name: str = "pictures"

    def __len__(self) -> int:
        return len(self.z)

    def codes(self) -> tuple[tuple[str, ...], Int64[Tensor, " n"]]:
        """Names of classes, sorted, and the number of each picture's; −1 where unknown."""
        names = tuple(sorted(set(self.labels) - {""}))
        place = {name: i for i, name in enumerate(names)} | {"": -1}
        return names, torch.tensor([place[label] for label in self.labels], dtype=torch.int64)

    def count(self) -> int:
        """How many units there are: classes, and pictures without a label."""
        return len(set(self.labels) - {""}) + sum(label == "" for label in self.labels)

    def take(self, rows: Int[Tensor, " k"]) -> "Held":
        """Some of them."""
        labels = [self.labels[i] for i in rows.tolist()]
        return Held(
            self.z[rows], labels, self.sizes[rows] if len(self.sizes) else self.sizes, self.unreadable, self.name
        )

    def to_bytes(self, **beside: Tensor) -> bytes:
        """As a gallery keeps it, with other tensors beside it."""
        from safetensors.torch import save

        names, codes = self.codes()
        note = {"classes": names, "unreadable": self.unreadable, "name": self.name}
        tensors = {"z": self.z.float(), "codes": codes, "sizes": self.sizes, **beside}
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        return save(whole, {"isometry": json.dumps(note)})


def from_bytes(content: bytes) -> tuple[Held, dict[str, Tensor]]:
    """What `to_bytes` wrote: the pictures, and all tensors.

    Raises:
        Refused: when it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        note = json.loads(header["__metadata__"]["isometry"])
        names = [*note["classes"], ""]
        labels = [names[code] for code in tensors["codes"].tolist()]
        held = Held(tensors["z"], labels, tensors["sizes"], int(note["unreadable"]), str(note["name"]))
        return held, tensors
    except (SafetensorError, ValueError, KeyError, IndexError, TypeError) as error:
        raise Refused(
            f"The pictures of the calibration are damaged ({type(error).__name__}): calibrate again."
        ) from None


def held_of(model: Any, source: Any, *, label: str = "", part: str = "", workers: int = -1) -> Held:
    """Embeds all readable pictures of `source` (anything that `isometry.data.read` reads, or what is embedded already).

    Raises:
        ValueError: where none can be read.
    """
    if isinstance(source, Held):
        return source
    data = read(source, label=label)
    data = data.part(part) if part else data
    z, index = model.embed(data, workers=workers)
    if not len(z):
        raise ValueError(f"None of the {len(data):,} pictures of {data.name} can be read.")
    found = data.select(index)
    labels = [found.classes[y] if y >= 0 else "" for y in found.labels.tolist()]
    return Held(z.float(), labels, picture_sizes(found), len(data) - len(found), found.name)


def picture_sizes(data: Data) -> Int64[Tensor, "n 2"]:
    """Width and height of every picture; of files, only the header is read. (0, 0) where it cannot be."""
    if isinstance(data.images, Arrays):
        height, width = data.images.tensor.shape[-2:]
        return torch.tensor([[width, height]]).expand(len(data), 2).clone()
    return torch.tensor([_size(data, i) for i in range(len(data))], dtype=torch.int64).view(-1, 2)


def _size(data: Data, i: int) -> tuple[int, int]:
    images = data.images
    try:
        if not isinstance(images, Paths):
            height, width = images[i].shape[-2:]
            return int(width), int(height)
        if images.boxes is not None and bool(images.boxes[i].any()):
            left, top, right, bottom = images.boxes[i].tolist()
            return right - left, bottom - top
        with Image.open(images.where(i)) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Unreadable):
        return 0, 0

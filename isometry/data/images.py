"""What `Data.images` can be: files, an array in memory, or a torch `Dataset`."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from isometry.data.pixels import Image, Unreadable, decode, one_line, to_uint8


class Images(Sequence):
    """Base of what `Data.images` can be: `images[i]` is uint8 `[c h w]`, or raises `Unreadable`."""

    channels: int

    def take(self, index: np.ndarray) -> "Images":
        """Some of them, in this order."""
        raise NotImplementedError

    def where(self, index: int) -> str:
        """What to call one of them in a message."""
        return f"image {index}"

    def write_to(self, digest: Any) -> None:
        """Feeds a hash with whatever changes when a picture does."""
        raise NotImplementedError


class Paths(Images):
    """Files, decoded when asked for; `box` (left, top, right, bottom; all 0 for the whole picture) is cut out of each.

    Attributes: `paths` as they were given; `root` is the folder that relative ones start from.
    """

    def __init__(
        self, paths: Sequence[str], root: str | os.PathLike = "", boxes: Int[np.ndarray, "n 4"] | None = None
    ) -> None:
        self.paths, self.root, self.boxes, self.channels = tuple(paths), os.fspath(root), boxes, 3

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image:
        path = self.where(index)
        return decode(path, None if self.boxes is None else tuple(self.boxes[index].tolist()))

    def take(self, index: np.ndarray) -> "Paths":
        boxes = None if self.boxes is None else self.boxes[index]
        return Paths([self.paths[i] for i in index.tolist()], self.root, boxes)

    def where(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])

    def write_to(self, digest: Any) -> None:
        for index, path in enumerate(self.paths):
            try:
                size = os.stat(self.where(index)).st_size
            except OSError:
                size = -1
            digest.update(f"{path}\0{size}\0".encode(errors="surrogateescape"))
        if self.boxes is not None:
            digest.update(np.ascontiguousarray(self.boxes, dtype=np.int64).tobytes())


class Arrays(Images):
    """Pictures in memory: `tensor` is uint8 `[n c h w]`, and a batch is one indexing."""

    def __init__(self, tensor: UInt8[Tensor, "n c h w"]) -> None:
        self.tensor, self.channels = tensor, tensor.shape[1]

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, index: int) -> Image:
        return self.tensor[index]

    def take(self, index: np.ndarray) -> "Arrays":
        return Arrays(self.tensor[torch.from_numpy(index)])

    def write_to(self, digest: Any) -> None:
        digest.update(str(tuple(self.tensor.shape)).encode())
        for part in self.tensor.split(4096):
            digest.update(part.contiguous().numpy().data)


class FromDataset(Images):
    """The pictures of a torch `Dataset` whose items are `(image, label)` or a dict, or of a list of pictures.

    What a fingerprint sees of it is its type, its length and, where it has them, its files' names and its `data`.
    """

    def __init__(self, dataset: Any, items: np.ndarray | None = None) -> None:
        self.dataset = dataset
        self.items = np.arange(len(dataset)) if items is None else items
        self.channels = 3

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Image:
        try:
            item = self.dataset[int(self.items[index])]
        except (OSError, SyntaxError) as error:
            raise Unreadable(self.where(index), one_line(error)) from None
        return to_uint8(picture_of(item))

    def take(self, index: np.ndarray) -> "FromDataset":
        return FromDataset(self.dataset, self.items[index])

    def where(self, index: int) -> str:
        samples = getattr(self.dataset, "samples", None)
        item = int(self.items[index])
        return str(samples[item][0]) if samples is not None else f"item {item} of {type(self.dataset).__name__}"

    def write_to(self, digest: Any) -> None:
        digest.update(f"{type(self.dataset).__name__} {len(self.dataset)}".encode())
        digest.update(self.items.astype(np.int64).tobytes())
        if (samples := getattr(self.dataset, "samples", None)) is not None:
            digest.update("\0".join(str(sample[0]) for sample in samples).encode(errors="surrogateescape"))
        data = getattr(self.dataset, "data", None)
        if isinstance(data, (np.ndarray, Tensor)):
            digest.update(np.ascontiguousarray(np.asarray(data)).tobytes())


PICTURES = ("image", "images", "img", "pixel_values", "x", "input_tensors")


def picture_of(item: Any) -> Any:
    """The picture in an item of a dataset: the first of a pair, or the entry of a dict that is called like one."""
    if isinstance(item, dict):
        for name in PICTURES:
            if name in item:
                return item[name]
        raise ValueError(f"An item of the dataset has {', '.join(map(str, item))} and no picture: call it 'image'.")
    return item[0] if isinstance(item, (tuple, list)) else item

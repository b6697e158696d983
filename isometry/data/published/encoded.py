"""Pictures that lie in a file of another kind: their encoded bytes, decoded when asked for."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from isometry.data.images import Images
from isometry.data.pixels import Image, Unreadable, one_line, pil_to_uint8


class Encoded(Images):
    """The bytes of picture files (JPEG, PNG, …) in memory; `source` is the file that they come from."""

    def __init__(self, pictures: Sequence[bytes], source: str) -> None:
        self.pictures, self.source, self.channels = tuple(pictures), source, 3

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Image:
        return unpacked(self.pictures[index], self.where(index))

    def take(self, index: np.ndarray) -> "Encoded":
        return Encoded([self.pictures[i] for i in index.tolist()], self.source)

    def where(self, index: int) -> str:
        return f"picture {index} of {self.source}"

    def write_to(self, digest: Any) -> None:
        for picture in self.pictures:
            digest.update(len(picture).to_bytes(8, "little") + picture)


def unpacked(picture: bytes, name: str) -> Image:
    """Encoded bytes as uint8 `[1 or 3, h, w]`, upright by their EXIF tag.

    Raises:
        Unreadable: for anything that is not a whole picture.
    """
    from PIL import Image as Picture
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with Picture.open(io.BytesIO(picture)) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return pil_to_uint8(image)
    except UnidentifiedImageError:
        raise Unreadable(name, "it is not a picture in a known format") from None
    except Exception as error:  # decoders fail in as many ways as pictures are damaged
        raise Unreadable(name, one_line(error)) from None

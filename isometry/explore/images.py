"""Pictures as a page shows them, and pictures that were uploaded: kept in memory, the last few of them."""

import io
import secrets
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from torch import Tensor

SMALL, LARGE = 96, 512
HELD = 64


class Upload(NamedTuple):
    """A picture that was searched for: made small enough to keep, and its embedding by each model."""

    picture: Any
    embedded: tuple[Tensor, ...]


class Uploads:
    """The last uploads, by a name that cannot be guessed."""

    def __init__(self, held: int = HELD) -> None:
        self._held, self._every = held, OrderedDict[str, Upload]()
        self._lock = threading.Lock()

    def add(self, upload: Upload) -> str:
        """Keeps an upload, forgets the oldest, and gives its name."""
        name = "u" + secrets.token_hex(8)
        with self._lock:
            self._every[name] = upload
            while len(self._every) > self._held:
                self._every.popitem(last=False)
        return name

    def get(self, name: str) -> Upload | None:
        """The upload of this name, if it is still kept."""
        with self._lock:
            if name in self._every:
                self._every.move_to_end(name)
            return self._every.get(name)


def encoded(picture: Any, side: int) -> tuple[bytes, str]:
    """The picture, its longer side at most `side` pixels, as a file and its media type: lossless where it is small or drawn."""
    from PIL import Image

    image = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    drawn = image.mode != "RGB" or image.width * image.height <= SMALL**2 // 2 or image.getcolors(256) is not None
    kind, options = ("PNG", {"compress_level": 3}) if drawn else ("JPEG", {"quality": 85})
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue(), f"image/{kind.lower()}"


def kept_small(picture: Any, side: int = 1024) -> Any:
    """A copy that is at most `side` pixels long, for showing."""
    small = picture.copy()
    small.thumbnail((side, side))
    return small

"""A gallery on disk, looked at: pictures in, what is like them out."""

import functools
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.bundle import Bundle, Match, Refused
from isometry.bundle import read as read_bundle
from isometry.data.arrays import read_arrays
from isometry.index.folder import Folder
from isometry.index.items import Items, numbers
from isometry.index.pictures import embedded
from isometry.index.stores import opened
from isometry.protocols.retrieval import geometry

if TYPE_CHECKING:
    from PIL.Image import Image

Ids = Sequence[int] | Tensor


class Reading:
    """What of a gallery needs no writing: `Index` has it all."""

    def __init__(self, path: str | Path) -> None:
        self.folder = Folder(path)
        self.path, self.left_out = self.folder.path, 0
        self._open()

    def _open(self) -> None:
        self.store = opened(self.folder)
        now = self.folder.manifest
        self.name, self.similarity, self.dim, self.origin = now.name, now.similarity, now.dim, now.origin
        self._prepare = geometry(self.similarity)[0]

    @functools.cached_property
    def model(self) -> Bundle:
        """The bundle that embeds pictures.

        Raises:
            Refused: when it is damaged, or not the one that the gallery was made with.
        """
        try:
            bundle = read_bundle(self.path / self.folder.manifest.model.name)
        except FileNotFoundError:
            if not self.refresh():
                raise
            return self.model  # of the gallery that is there now
        if bundle.digest != self.folder.manifest.digest:
            raise Refused(f"The bundle in {self.path} is not the one that its gallery was made with: restore it.")
        return bundle

    @property
    def generation(self) -> int:
        """Counts changes."""
        return self.folder.manifest.generation

    @property
    def kind(self) -> str:
        """How the base is searched, as text; what was added since is searched exactly."""
        return self.folder.manifest.kind

    @property
    def measured(self) -> tuple[Mapping[str, Any], ...]:
        """Recall, speed and memory of the kind, as they were measured when the base was made."""
        return self.folder.manifest.measured

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels of its pictures."""
        return self.store.classes()

    @property
    def calibration(self) -> dict[str, Any] | None:
        """What `isometry calibrate` has found; None before."""
        held = self.attached("calibration.json")
        return None if held is None else json.loads(held)

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        return f"Index({self.name}: {len(self):,} pictures, {self.dim} dimensions, {self.kind})"

    def search(
        self, images: Any, k: int = 10, *, exact: bool = False, batch_size: int = 256, workers: int = 0
    ) -> list[list[Match]]:
        """The k most similar pictures to each image, most similar first; all of them where there are fewer.

        Args:
            images: a list of paths, of PIL images or of arrays, or a tensor `[n c h w]`.
            exact: look at every picture of the gallery, whatever its kind.

        Raises:
            ValueError: for pictures that cannot be read or do not suit the model, or k < 1.
        """
        _refuse_k(k)
        z, _ = self._embedded(images, side=0, batch_size=batch_size, workers=workers)
        return self.matches(*self.search_vectors(z, min(k, max(len(self), 1)), exact=exact))

    def search_vectors(
        self, z: Float[Tensor, "q d"], k: int = 10, *, exact: bool = False, keep: Ids | None = None
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Similarities and ids of the k pictures most similar to each embedding; −inf and −1 where there are fewer.

        Args:
            keep: ids of the pictures that may be found; all unless given.

        Raises:
            ValueError: for embeddings of another dimension or that are not finite, or k < 1.
        """
        _refuse_k(k)
        kept = None if keep is None else numbers(keep)
        return self.store.search(self._prepared(z), k, kept, exact=exact)

    def matches(self, scores: Float[Tensor, "q k"], ids: Int64[Tensor, "q k"]) -> list[list[Match]]:
        """What `search_vectors` has found, with labels and paths."""
        there = ids >= 0
        items = self.items(ids[there])
        rows = zip(scores[there].tolist(), items.ids.tolist(), items.labels, items.paths, strict=True)
        return [[Match(*next(rows)) for _ in range(n)] for n in there.sum(1).tolist()]

    def items(self, ids: Ids) -> Items:
        """What is known of these pictures.

        Raises:
            KeyError: for an id that is not in the gallery.
        """
        return self.store.items(numbers(ids))

    def vectors(self, ids: Ids) -> Float[Tensor, "n d"]:
        """Embeddings of these pictures as the similarity compares them: of length one for a cosine.

        Raises:
            KeyError: for an id that is not in the gallery.
        """
        return self.store.vectors(numbers(ids))

    def ids(self) -> Int64[Tensor, " n"]:
        """All ids."""
        return self.store.ids()

    def picture(self, id: int) -> "Image | None":
        """The picture, small as the gallery keeps it, else its file; None where there is neither.

        Raises:
            KeyError: for an id that is not in the gallery.
        """
        from PIL import Image

        number = numbers([id])
        small = self.store.pictures(number)[0]
        if small:
            return Image.open(io.BytesIO(small))
        path, root = self.items(number).paths[0], self.store.roots(number)[0]
        if not path or not root or not os.path.isfile(os.path.join(root, path)):
            return None
        with Image.open(os.path.join(root, path)) as whole:
            return whole.convert("RGB")

    def refresh(self) -> bool:
        """Reads anew where another process has changed the gallery; whether it had."""
        changed = self.folder.refresh()
        if self.folder.manifest.origin == self.origin:
            return self.store.refresh() or changed
        self.__dict__.pop("model", None)  # another gallery has taken its place
        self._open()
        return True

    def attached(self, name: str) -> bytes | None:
        """A file kept with the gallery; None where there is none."""
        try:
            return self.folder.attached(name)
        except FileNotFoundError:  # another has been put in its place
            if not self.refresh():
                raise
            return self.folder.attached(name)

    def _embedded(
        self, images: Any, *, side: int, workers: int, batch_size: int = 256
    ) -> tuple[Float[Tensor, "n d"], list[bytes]]:
        """Embeddings of all pictures, and small pictures."""
        if isinstance(images, (str, os.PathLike)) or not hasattr(images, "__len__") or not len(images):
            raise ValueError(f"Pictures are a list of paths or PIL images, or a tensor [n c h w]; got {images!r}.")
        data = read_arrays(images, [-1] * len(images))
        found = list(embedded(self.model, data, side=side, workers=workers, strict=True, batch_size=batch_size))
        return torch.cat([part.z for part in found]), [picture for part in found for picture in part.pictures]

    def _prepared(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Embeddings as the similarity compares them."""
        z = torch.as_tensor(z)
        if z.ndim != 2 or z.shape[1] != self.dim or not z.is_floating_point():
            raise ValueError(
                f"{self.path} holds embeddings of {self.dim} dimensions; got {list(z.shape)} of {z.dtype}."
            )
        if not bool(z.isfinite().all()):
            raise ValueError("Embeddings to search or to add are finite numbers; some are NaN or infinite.")
        return self._prepare(z.detach().cpu().float())


def _refuse_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is how many pictures are wanted, 1 or more; got {k}.")

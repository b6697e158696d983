"""A labelled set of pictures: what every reader returns and everything else takes."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from isometry.data.images import Images

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures with what is known of them. Frozen; `select` makes smaller ones.

    Attributes:
        images: `images[i]` is uint8 `[c h w]` (`Paths`, `Arrays` or `FromDataset`).
        labels: the class of each image, a position in `classes`; −1 where it is unknown. Where an image has a set of
            labels the class is the set; where it has a path of labels, the path.
        classes: names of the classes. A number's name is its digits, exactly.
        ids: tells images apart, and survives `select`: the position in the source.
        name: what the source is called.
        split: "train", "validation" or "test" for each image, where the source says.
        is_query, is_gallery: roles in retrieval, where the source says; else every image looks for its like among
            all others.
        hierarchy: the label path, root first, numbered level by level (a node's number stands for its whole path);
            −1 unknown.
        levels: what the columns of `hierarchy` are called.
        targets: continuous labels, float32, or float64 where that would lose digits that tell them apart.
        multi: sets of labels, a column for each of `tags`.
        category: a coarser group, named in `categories`, that results are also given for.
        sequence: camera or shot; a protocol may leave out matches from the query's own.
        judged: for queries whose matches are listed and not told by class: ids of gallery images by what they are to
            this one, such as "easy", "hard" and "junk"; empty for all others.
        paths: the files, as the source writes them.
        captions: what is said of each image, in words: none, one or several sentences.
        notes: what was left out or looked odd when it was read, a line each.
        relate: the relation that compares these labels unless another is named, as text.
    """

    images: Images
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    ids: Int64[Tensor, " n"]
    name: str = "data"
    split: tuple[str, ...] | None = None
    is_query: Bool[Tensor, " n"] | None = None
    is_gallery: Bool[Tensor, " n"] | None = None
    hierarchy: Int64[Tensor, "n levels"] | None = None
    levels: tuple[str, ...] = ()
    targets: Float[Tensor, "n t"] | None = None
    multi: Bool[Tensor, "n tags"] | None = None
    tags: tuple[str, ...] = ()
    category: Int64[Tensor, " n"] | None = None
    categories: tuple[str, ...] = ()
    sequence: Int64[Tensor, " n"] | None = None
    judged: tuple[Mapping[str, tuple[int, ...]], ...] | None = None
    paths: tuple[str, ...] | None = None
    captions: tuple[tuple[str, ...], ...] | None = None
    notes: tuple[str, ...] = ()
    relate: str = ""

    def __post_init__(self) -> None:
        n = len(self.images)
        for name in ("labels", "ids", *BY_ITEM):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise ValueError(
                    f"{self.name} has {n} images and {len(value)} {name}: there must be one for each image."
                )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self):,} images of {len(self.present()):,} classes>"

    @property
    def channels(self) -> int:
        """1 for grey arrays, else 3: what `loader` converts the pictures to unless told otherwise."""
        return self.images.channels

    def present(self) -> Int64[Tensor, " c"]:
        """The classes that images here belong to, in increasing order, −1 left out."""
        found = torch.unique(self.labels)
        return found[found >= 0]

    def select(self, keep: Bool[Tensor, " n"] | Int64[Tensor, " k"]) -> "Data":
        """The images where `keep` is true, or those at the positions `keep`, in that order."""
        index = torch.as_tensor(keep)
        if index.dtype == torch.bool:
            if len(index) != len(self):
                raise ValueError(f"A selection from {self!r} has {len(self)} entries; got {len(index)}.")
            index = index.nonzero()[:, 0]
        chosen = {name: getattr(self, name)[index] for name in ("labels", "ids")}
        for name in BY_ITEM:
            value = getattr(self, name)
            if isinstance(value, tuple):
                chosen[name] = tuple(value[i] for i in index.tolist())
            elif value is not None:
                chosen[name] = value[index]
        return dataclasses.replace(self, images=self.images.take(index.numpy()), **chosen)

    def part(self, name: str) -> "Data":
        """The images that the source itself puts into this part: "train", "validation" or "test".

        Raises:
            ValueError: when the source names no parts, or none of this name.
        """
        have = [part for part in PARTS if self.split is not None and part in self.split]
        if name not in have:
            raise ValueError(f"{self.name} has no part {name!r}: it has {', '.join(have) or 'none'}.")
        return self.select(torch.tensor([part == name for part in self.split or ()]))

    def fingerprint(self) -> str:
        """A hash that changes with any label, class name, part, role, path, file size or array value.

        Files are known by their path inside the source and their size, so that the same folder elsewhere is the same
        data.
        """
        digest = hashlib.sha256(f"{len(self)} {self.levels} {self.tags} {self.categories}".encode())
        digest.update("\0".join(self.classes).encode(errors="surrogateescape"))
        digest.update(",".join(self.split or ()).encode())
        for name in ("labels", *BY_ITEM):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                digest.update(name.encode() + np.ascontiguousarray(value.numpy()).tobytes())
        if self.judged is not None:
            digest.update(repr([sorted(lists.items()) for lists in self.judged]).encode())
        if self.captions is not None:
            digest.update(repr(self.captions).encode(errors="surrogateescape"))
        self.images.write_to(digest)
        return digest.hexdigest()


BY_ITEM = (
    "split", "is_query", "is_gallery", "hierarchy", "targets", "multi", "category", "sequence", "judged", "paths",
    "captions",
)  # fmt: skip

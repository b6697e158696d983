"""Pictures that a bundle can be asked for: their embeddings, ids, labels and paths. Searched exactly."""

import json
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.bundle.archive import ITEMS, VECTORS, Members, Refused
from isometry.evaluation import Embeddings
from isometry.ops.neighbours import nearest
from isometry.protocols.retrieval import geometry


class Match(NamedTuple):
    """A picture that was found. `score` is its similarity; `label` and `path` are empty where they are not known."""

    score: float
    id: int
    label: str
    path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """Embedded pictures.

    Attributes:
        z: embeddings, float32 or float16.
        ids: position of each picture in its source. labels: position in `classes`, −1 where unknown.
        paths: the files as the source writes them; empty where there are none.
        name: what the source is called.
    """

    z: Float[Tensor, "n d"]
    ids: Int64[Tensor, " n"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    name: str = "gallery"

    def __len__(self) -> int:
        return len(self.z)

    def search(self, z: Float[Tensor, "q d"], k: int, similarity: str) -> list[list[Match]]:
        """The k most similar pictures to each embedding, most similar first; all of them where there are fewer.

        >>> gallery = Gallery(z=torch.eye(2), ids=torch.arange(2), labels=torch.tensor([0, -1]), classes=("a",))
        >>> gallery.search(torch.tensor([[2.0, 0.0]]), 1, "cosine")
        [[Match(score=1.0, id=0, label='a', path='')]]
        """
        if k < 1:
            raise ValueError(f"k is how many pictures are wanted, 1 or more; got {k}.")
        embed, compare = geometry(similarity)
        sim, rows = nearest(embed(z.float()), embed(self.z.float()), min(k, len(self)), similarity=compare)
        return [
            [self._match(score, row) for score, row in zip(*one, strict=True)]
            for one in zip(sim.tolist(), rows.tolist(), strict=True)
        ]

    def _match(self, score: float, row: int) -> Match:
        label = int(self.labels[row])
        name = self.classes[label] if label >= 0 else ""
        return Match(score, int(self.ids[row]), name, self.paths[row] if self.paths else "")

    def members(self) -> dict[str, bytes]:
        """As a bundle keeps it."""
        from safetensors.torch import save

        tensors = {"z": self.z.contiguous(), "ids": self.ids.contiguous(), "labels": self.labels.contiguous()}
        items = {"name": self.name, "classes": self.classes, "paths": self.paths}
        return {VECTORS: save(tensors), ITEMS: json.dumps(items).encode()}


def gallery_of(found: Embeddings, *, half: bool = False) -> Gallery:
    """The gallery of embedded data, in float16 if `half`.

    Raises:
        ValueError: for embeddings that are not finite, or too long for float16.
    """
    z, data = found
    z = z.half() if half else z.float()
    if not len(z) or not bool(z.isfinite().all()):
        why = "too long for float16: leave --half out" if half else "not finite numbers: did the training diverge?"
        raise ValueError(f"{data.name} cannot be a gallery: it is empty, or its embeddings are {why}")
    return Gallery(
        z=z, ids=data.ids, labels=data.labels, classes=data.classes, paths=data.paths or (), name=data.name
    )  # fmt: skip


def read_gallery(members: Members, dim: int) -> Gallery | None:
    """The gallery of a bundle; None where it has none.

    Raises:
        Refused: where its parts do not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if VECTORS not in members.content or ITEMS not in members.content:
        return None
    try:
        held, items = load(members.content[VECTORS]), members.json(ITEMS)
        made = Gallery(
            z=held["z"], ids=held["ids"], labels=held["labels"], name=str(items["name"]),
            classes=tuple(map(str, items["classes"])), paths=tuple(map(str, items["paths"])),
        )  # fmt: skip
    except (SafetensorError, KeyError, TypeError) as error:
        raise Refused(f"The gallery of the bundle is damaged ({type(error).__name__}): get it again.") from None
    n = len(made.z)
    fits = n > 0 and made.z.shape == (n, dim) and made.z.dtype in (torch.float16, torch.float32)
    fits = fits and made.ids.shape == made.labels.shape == (n,) and len(made.paths) in (0, n)
    fits = fits and made.ids.dtype == made.labels.dtype == torch.int64
    if not fits or int(made.labels.min()) < -1 or int(made.labels.max()) >= len(made.classes):
        raise Refused(f"The gallery of the bundle does not fit its model of {dim} dimensions: get it again.")
    return made

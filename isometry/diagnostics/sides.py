"""Items that a map was given, what it made of them, and which of many are looked at."""

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from isometry.ops.ranking import shuffled

LARGEST = 8  # no class fills more than this part of a sample


@dataclass(frozen=True, kw_only=True)
class Side:
    """Items of one set of classes on their way through a model: inputs x, what the head is given h, embeddings z.

    Attributes:
        z: embeddings as they come, of any length; they are looked at as u = z / ‖z‖.
        y: classes, int64; −1 is unknown, and such items are left out.
        h: what the head is given (before its layer norm); None where it is not at hand.
        x: what the whole map is given: pictures `[n c h w]`, uint8 or float in 0 … 1, or features `[n p]` where a head
            alone is trained (the same tensor as h); None where it is not at hand.

    Raises:
        ValueError: for parts of different lengths, embeddings that are not finite, or labels that are no classes.
    """

    z: Float[Tensor, "n d"]
    y: Int[Tensor, " n"]
    h: Float[Tensor, "n p"] | None = None
    x: Shaped[Tensor, "n *q"] | None = None

    def __post_init__(self) -> None:
        if self.z.ndim != 2 or self.y.ndim != 1 or self.y.is_floating_point():
            raise ValueError(
                f"A side has embeddings [n d] and whole numbers [n] for classes; got {list(self.z.shape)} and "
                f"{str(self.y.dtype)[6:]} {list(self.y.shape)}."
            )
        for name, part in (("h", self.h), ("x", self.x), ("y", self.y)):
            if part is not None and len(part) != len(self.z):
                raise ValueError(f"A side has one row of {name} an embedding; got {len(part):,} for {len(self.z):,}.")
        if not torch.isfinite(self.z).all():
            raise ValueError("The embeddings of a side hold NaN or infinity: has the training diverged?")

    def __len__(self) -> int:
        return len(self.z)

    def take(self, rows: Int[Tensor, " k"]) -> "Side":
        """These items. Where x is h, it stays so."""
        z, y, h = (None if part is None else part[rows.to(part.device)] for part in (self.z, self.y, self.h))
        x = h if self.x is self.h or self.x is None else self.x[rows.to(self.x.device)]
        return dataclasses.replace(self, z=z, y=y, h=h, x=None if self.x is None else x)

    def to(self, device: torch.device) -> "Side":
        """The same with embeddings and h there; pictures stay where they are, and go there a few at a time."""
        z, h = (part if part is None else part.to(device) for part in (self.z, self.h))
        return dataclasses.replace(self, z=z, h=h, x=h if self.x is self.h else self.x)

    def inputs(self, rows: Int[Tensor, " k"]) -> Float[Tensor, "k *q"]:
        """Rows of x as the map takes them, where the embeddings are: numbers in 0 … 1 where they are bytes."""
        if self.x is None:
            raise ValueError("This side has no x: give the pictures, or the features that the head is trained on.")
        x = self.x[rows.to(self.x.device)].to(self.z.device).float()
        return x / 255 if self.x.dtype == torch.uint8 else x


def sample(y: Int[Tensor, " n"], count: int, key: Int[Tensor, " c"] | None = None) -> Int[Tensor, " k"]:
    """Positions of at most `count` items of known class, rising: whole classes in the order of a hash, the same each time.

    All, where there are no more. A class of more than an eighth of `count` is cut to that, so that a few large classes
    do not stand for all; a class that does not fit is passed over for the next that does.

    Args:
        key: a number for each of the classes 0 … C − 1 that the order is made of; the class's own number unless given.

    >>> sample(torch.tensor([0, 0, 1, 1, 2, 2, -1]), 100)
    tensor([0, 1, 2, 3, 4, 5])
    """
    known = (y >= 0).nonzero()[:, 0].cpu()
    if len(known) <= count:
        return known
    classes, code, size = torch.unique(y.cpu()[known], return_inverse=True, return_counts=True)
    most, left = max(2, count // LARGEST), count
    place = torch.empty_like(known)
    order = code[(by_hash := shuffled(known, 0).argsort())].argsort(stable=True)
    place[by_hash[order]] = torch.arange(len(known)) - torch.repeat_interleave(size.cumsum(0) - size, size)
    room = torch.zeros(len(classes), dtype=torch.bool)
    for c in shuffled(classes if key is None else key[classes], 1).argsort().tolist():
        takes = min(int(size[c]), most)
        if takes <= left:
            room[c], left = True, left - takes
    return known[room[code] & (place < most)]

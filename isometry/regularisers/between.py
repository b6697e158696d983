"""Points between samples, where a regulariser looks besides: what lies there is what unseen classes will be made of.

"Determinant regularization for deep metric learning" (OpenReview, 2022) has such points, "within a neighbourhood"; whether
between samples of one class or of several is not known to us, so both are here.
"""

from abc import abstractmethod

import torch
from jaxtyping import Bool
from torch import Tensor

from isometry.component import Component
from isometry.noise import Noise
from isometry.relation import Relate
from isometry.relations import same_class
from isometry.samples import Samples
from isometry.term import everyone

ROWS = 512
"""Distances are made for so many rows at once."""
PARTNER, SHARE = 2, 3


class Points(Component):
    """Where a map is looked at, besides the batch."""

    @abstractmethod
    def between(self, rows: Samples, noise: Noise) -> tuple[Tensor, Tensor] | None:
        """A further point for each row `[n p]`, and whether it has one `[n]`; None: no row has."""


class Real(Points):
    """The batch itself, and no point besides."""

    def between(self, rows: Samples, noise: Noise) -> tuple[Tensor, Tensor] | None:
        return None


class Between(Points):
    """A point on the way to a neighbour: x_i + reach v (x_j − x_i), v uniform in (0, 1), j one of the `neighbours` nearest.

    One for each row, anew each step, by (seed, step, id). Neighbours are sought over all ranks, by Euclidean distance at x.
    """

    neighbours: int = 4
    reach: float = 0.5

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not 0 < self.reach <= 1:
            raise ValueError(f"{self!r}: neighbours are 1 or more, and reach lies above 0 and up to 1.")

    @abstractmethod
    def allowed(self, rows: Samples, cols: Samples) -> Bool[Tensor, "n m"]:
        """Which may be a neighbour of which."""

    def between(self, rows: Samples, noise: Noise) -> tuple[Tensor, Tensor] | None:
        if not len(rows.z):
            return None
        every, column = everyone(rows), torch.zeros(1, dtype=torch.int64, device=rows.z.device)
        parts, held = [], every.z.detach()
        for at in torch.arange(len(rows.z), device=rows.z.device).split(ROWS):
            some = rows.take(at)
            near = torch.cdist(some.z.detach(), held).masked_fill(~self.allowed(some, every), torch.inf)
            nearest = near.topk(min(self.neighbours, near.shape[1]), largest=False)
            count = nearest.values.isfinite().sum(1)
            lot = noise.numbers(some.ids, column, PARTNER)[:, 0] * count  # type: ignore[arg-type]
            picked = lot.long().minimum(count - 1).clamp_min(0)
            parts.append((nearest.indices.gather(1, picked[:, None])[:, 0], count > 0))
        partner, has = (torch.cat(part) for part in zip(*parts, strict=True))
        way = self.reach * noise.numbers(rows.ids, column, SHARE).to(rows.z.dtype)  # type: ignore[arg-type]
        return torch.lerp(rows.z, every.z[partner], way), has


class Intra(Between):
    """A point on the way to a neighbour of the same class: x_i + reach v (x_j − x_i), v uniform in (0, 1).

    j is one of the `neighbours` nearest of its class in the batch, by lot; an item alone in its class has no such point.

    Raises:
        ValueError: for fewer than one neighbour, or a reach outside 0 … 1.
    """

    relate: Relate = same_class

    def allowed(self, rows: Samples, cols: Samples) -> Bool[Tensor, "n m"]:
        return self.relate(rows.y, cols.y).without_self(rows.ids, cols.ids).pos > 0  # type: ignore[arg-type]


class Inter(Between):
    """A point on the way to a neighbour of another class: x_i + reach v (x_j − x_i), v uniform in (0, 1).

    j is one of the `neighbours` nearest of other classes in the batch, by lot.

    Raises:
        ValueError: for fewer than one neighbour, or a reach outside 0 … 1.
    """

    relate: Relate = same_class

    def allowed(self, rows: Samples, cols: Samples) -> Bool[Tensor, "n m"]:
        return self.relate(rows.y, cols.y).without_self(rows.ids, cols.ids).neg > 0  # type: ignore[arg-type]


class Either(Between):
    """A point on the way to any neighbour: x_i + reach v (x_j − x_i), v uniform in (0, 1). Labels are not read.

    Raises:
        ValueError: for fewer than one neighbour, or a reach outside 0 … 1.
    """

    def allowed(self, rows: Samples, cols: Samples) -> Bool[Tensor, "n m"]:
        return rows.ids[:, None] != cols.ids[None, :]  # type: ignore[index]

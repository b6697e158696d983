"""What a metric is: a number per query, from the order of the gallery and the count of what is relevant in it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation


@dataclass(frozen=True)
class Ranking:
    """The gallery as some queries see it, most similar first, without the queries themselves.

    Attributes:
        hits: whether each of the first k items is relevant; False beyond the end of the gallery.
        relevant: how many items of the whole gallery are; at least 1 for a query that counts.
        first: rank of the first relevant item, from 1, exact however deep it lies; only where a metric asks for it.
    """

    hits: Bool[Tensor, "n k"]
    relevant: Int[Tensor, " n"]
    first: Int[Tensor, " n"]


class Metric(Component):
    """A value per query. Subclasses write `depth` and `per_query`; a query without a match is never scored.

    Called with `(sim, rel)`, like a loss, it ranks a similarity matrix and returns `[n]`, NaN for queries without a
    match. Ties there go to the lower index; `isometry.evaluate` breaks them without regard to labels, and makes no
    matrix.
    """

    needs_first: ClassVar[bool] = False
    """Whether `Ranking.first` is read."""

    @abstractmethod
    def depth(self, relevant: int) -> int:
        """How many neighbours are needed where a query has up to `relevant` matches."""

    @abstractmethod
    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        """The value of each query, float32, in [0, 1]."""

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Float[Tensor, " n"]:
        """Values from a whole similarity matrix; pairs of an item with itself (`rel.other`) are left out."""
        order = sim.masked_fill(~rel.other, -torch.inf).argsort(dim=1, descending=True, stable=True)
        hits = ((rel.pos > 0) & rel.other).gather(1, order)
        relevant = hits.sum(1)
        ranking = Ranking(hits, relevant, hits.byte().argmax(1) + 1 if hits.shape[1] else relevant)
        return self.per_query(ranking).masked_fill(relevant == 0, torch.nan)


def places(ranking: Ranking) -> Int[Tensor, "1 k"]:
    """1, 2, … k."""
    return torch.arange(1, ranking.hits.shape[1] + 1, device=ranking.hits.device)[None, :]


def at_least_one(k: int, name: str) -> None:
    """Refuses a cut-off below 1."""
    if k < 1:
        raise ValueError(f"{name}(k={k}) looks at no neighbour: k is 1 or more.")

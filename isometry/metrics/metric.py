"""What a metric is: a number per query, from the order of the gallery and the count of what is relevant in it."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation, times


@dataclass(frozen=True)
class Ranking:
    """The gallery as some queries see it, most similar first, without the queries themselves.

    Attributes:
        hits: whether each of the first k items is relevant; False beyond the end of the gallery.
        relevant: how many items of the whole gallery are; at least 1 for a query that counts.
        first: rank of the first relevant item, from 1, exact however deep it lies; only where a metric asks for it.
        gains: what each of the first k items is worth, for graded metrics; None where a hit is worth 1.
        best: the largest gains that the gallery holds, falling, for graded metrics; 0 beyond its end.
        gaps: label distance of each of the first k items; only where a metric asks for it.
        least_gaps: the smallest label distances that the gallery holds, rising.
        ranks: places of all relevant items, rising, from 1, exact however deep they lie; slots beyond `relevant` hold
            `NOWHERE`. Only where a metric asks for it.
        worth: what each of those is worth, for graded metrics.
    """

    hits: Bool[Tensor, "n k"]
    relevant: Int[Tensor, " n"]
    first: Int[Tensor, " n"]
    gains: Float[Tensor, "n k"] | None = None
    best: Float[Tensor, "n k"] | None = None
    gaps: Float[Tensor, "n k"] | None = None
    least_gaps: Float[Tensor, "n k"] | None = None
    ranks: Int[Tensor, "n p"] | None = None
    worth: Float[Tensor, "n p"] | None = None


NOWHERE = 2**62
"""The rank in a slot that holds no item."""


@dataclass(frozen=True)
class Ties:
    """What is sure of some rankings in which similarities are equal: the groups of equals, best first.

    Attributes:
        size: how many items each group has; 0 in slots that hold no group. The groups cover the depth asked for, and the
            last is whole, however large.
        hits: how many of them are relevant.
        relevant: how many items of the whole gallery are.
    """

    size: Int[Tensor, "n t"]
    hits: Int[Tensor, "n t"]
    relevant: Int[Tensor, " n"]

    def ranking(self, k: int, *, best: bool) -> Ranking:
        """The first k places where, within each group, relevant items come first (`best`) or last."""
        end = self.size.cumsum(1)
        place = torch.arange(1, k + 1, device=end.device).expand(len(end), k).contiguous()
        group = torch.searchsorted(end, place).clamp_max(end.shape[1] - 1)
        within = place - (end - self.size).gather(1, group)
        size, hits = self.size.gather(1, group), self.hits.gather(1, group)
        hit = (within <= hits) if best else (within > size - hits)
        hit &= place <= end[:, -1:]
        some = (self.hits > 0).byte().argmax(1, keepdim=True)
        before = (end - self.size).gather(1, some)
        first = before + 1 + (0 if best else (self.size - self.hits).gather(1, some))
        return Ranking(hit, self.relevant, first[:, 0])


@dataclass(frozen=True)
class SoftRanking:
    """The relevant items as some queries see them, in no order, where a smooth step stands for "is above".

    Attributes:
        weight: how often each counts; 0 in slots that hold none.
        rank: its place among all items, from 1.
        among: its place among the relevant ones, from 1.
        cut: the step that stands for 1[x > 0] where a place is compared with a cut-off.
        gains: what each is worth, for graded metrics; None where each is worth 1.
    """

    weight: Float[Tensor, "n p"]
    rank: Float[Tensor, "n p"]
    among: Float[Tensor, "n p"]
    cut: Callable[[Tensor], Tensor]
    gains: Float[Tensor, "n p"] | None = None

    @property
    def relevant(self) -> Float[Tensor, " n"]:
        """How many relevant items there are; 1 where there is none."""
        many = self.weight.sum(1)
        return torch.where(many > 0, many, 1)

    def total(self, x: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """Sum over the relevant items."""
        return torch.linalg.vecdot(x, self.weight)

    def best(self, x: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """Largest over the relevant items, of something positive."""
        return torch.where(self.weight > 0, x, 0).amax(1) if x.shape[1] else x.sum(1)

    def within(self, k: int | Tensor) -> Float[Tensor, "n p"]:
        """What stands for 1[rank ≤ k]."""
        return 1 - self.cut(self.rank - k)


class Metric(Component):
    """A value per query. Subclasses write `depth` and `per_query`; a query without a match is never scored.

    Called with `(sim, rel)`, like a loss, it ranks a similarity matrix and returns `[n]`, NaN for queries without a
    match. Ties there go to the lower index; `isometry.evaluate` breaks them without regard to labels, and makes no
    matrix.
    """

    needs_first: ClassVar[bool] = False
    """Whether `Ranking.first` is read."""
    needs_ranks: ClassVar[bool] = False
    """Whether `Ranking.ranks` is read: the place of every relevant item."""
    needs_gaps: ClassVar[bool] = False
    """Whether `Ranking.gaps` is read: label distances."""
    graded: ClassVar[bool] = False
    """Whether what has a positive affinity is relevant, and worth that much."""

    @abstractmethod
    def depth(self, relevant: int) -> int:
        """How many neighbours are needed where a query has up to `relevant` matches."""

    @abstractmethod
    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        """The value of each query, float32, in [0, 1]."""

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """The mean of `per_query` over all orders of equals, each as likely as the other; exact, float64."""
        raise NotImplementedError(f"{type(self).__name__} has no closed form of its mean over the orders of equals.")

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        """The same from a soft ranking, with a gradient: what makes the metric a loss."""
        raise ValueError(f"{self!r} has no soft form: a metric that can be trained writes `soft(ranking)`.")

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Float[Tensor, " n"]:
        """Values from a whole similarity matrix; pairs of an item with itself (`rel.other`) are left out."""
        rel = by_grade(rel) if self.graded else rel
        order = sim.masked_fill(~rel.other, -torch.inf).argsort(dim=1, descending=True, stable=True)
        hits = ((rel.pos > 0) & rel.other).gather(1, order)
        relevant = hits.sum(1)
        first = hits.byte().argmax(1) + 1 if hits.shape[1] else relevant
        gains = rel.affinity.gather(1, order) * hits if self.graded else None
        ranking = Ranking(hits, relevant, first, gains)
        return self.per_query(ranking).masked_fill(relevant == 0, torch.nan)


def by_grade(rel: Relation) -> Relation:
    """The relation in which every known pair of positive affinity is a positive, and every other a negative."""
    worth = rel.affinity > 0
    return rel.replace(pos=lambda: times(rel.any, worth), neg=lambda: times(rel.any, ~worth))


def places(ranking: Ranking) -> Int[Tensor, "1 k"]:
    """1, 2, … k."""
    return torch.arange(1, ranking.hits.shape[1] + 1, device=ranking.hits.device)[None, :]


def at_least_one(k: int, name: str) -> None:
    """Refuses a cut-off below 1."""
    if k < 1:
        raise ValueError(f"{name}(k={k}) looks at no neighbour: k is 1 or more.")

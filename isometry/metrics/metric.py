"""What a metric is: a number per query, from the order of the gallery and the count of what is relevant in it."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        gaps: label distance of each of the first k items; inf beyond the end of the gallery, and where a label is
            unknown. Only where a metric asks for it.
        least_gaps: the smallest label distances that the gallery holds, rising; inf beyond its end.
        ranks: places of all relevant items, rising, from 1, exact however deep they lie; slots beyond `relevant` hold
            `NOWHERE`. Only where a metric asks for it.
        worth: what each of those is worth, for graded metrics.
        others: how many items the gallery holds, the query itself left out; where `ranks` are.
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
    others: Int[Tensor, " n"] | None = None


NOWHERE = 2**62
"""The rank in a slot that holds no item."""


@dataclass(frozen=True)
class Ties:
    """What is sure of some rankings in which similarities are equal: the groups of equals, best first.

    Attributes:
        size: how many items each group has; 0 in slots that hold no group. The groups cover the depth asked for, and the
            last is whole, however large. Where a metric reads `first` they reach the first relevant item, and where it
            reads `ranks` the last; neighbouring groups without a relevant item may stand as one.
        hits: how many of them are relevant.
        relevant: how many items of the whole gallery are.
        others: how many items the gallery holds, the query itself left out; where a metric reads `ranks`.
        gain: what the items of each group are worth together, for graded metrics.
        best: as in `Ranking`; all that there are where a metric reads `ranks`.
        gap: the sum of the label distances in each group; where a metric reads `gaps`.
        least_gaps: as in `Ranking`, beside `gap`.
        gap_gains: for each gain of a label distance that a metric reads, by its text, its sum in each group.
    """

    size: Int[Tensor, "n t"]
    hits: Int[Tensor, "n t"]
    relevant: Int[Tensor, " n"]
    others: Int[Tensor, " n"] | None = None
    gain: Float[Tensor, "n t"] | None = None
    best: Float[Tensor, "n k"] | None = None
    gap: Float[Tensor, "n t"] | None = None
    least_gaps: Float[Tensor, "n k"] | None = None
    gap_gains: Mapping[str, Float[Tensor, "n t"]] = field(default_factory=dict)

    @property
    def start(self) -> Int[Tensor, "n t"]:
        """How many items come before each group."""
        return self.size.cumsum(1) - self.size

    @property
    def found(self) -> Int[Tensor, "n t"]:
        """How many relevant items come before each group."""
        return self.hits.cumsum(1) - self.hits

    def within(self, k: int | Tensor) -> Int[Tensor, "n t"]:
        """How many items of each group are among the first k."""
        return torch.minimum((k - self.start).clamp_min(0), self.size)

    def hits_within(self, k: int | Tensor) -> Float[Tensor, " n"]:
        """How many relevant items are among the first k, in the mean over the orders of equals; float64."""
        return (self.within(k).double() * self.hits / self.size.clamp_min(1)).sum(1)

    def ranking(self, k: int, *, best: bool, ranks: bool = False) -> Ranking:
        """The first k places where, within each group, relevant items come first (`best`) or last; `ranks` if asked."""
        end, start = self.size.cumsum(1), self.start
        place = torch.arange(1, k + 1, device=end.device).expand(len(end), k).contiguous()
        group = torch.searchsorted(end, place).clamp_max(end.shape[1] - 1)
        within = place - start.gather(1, group)
        size, hits = self.size.gather(1, group), self.hits.gather(1, group)
        hit = (within <= hits) if best else (within > size - hits)
        hit &= place <= end[:, -1:]
        first = self._places(1, best)[:, 0]
        every = self._places(int(self.hits.sum(1).max()) if len(end) else 0, best) if ranks else None
        return Ranking(hit, self.relevant, first, ranks=every, others=self.others)

    def _places(self, p: int, best: bool) -> Int[Tensor, "n p"]:
        """Where the first p relevant items come; `NOWHERE` for those that no group holds."""
        upto = self.hits.cumsum(1)
        which = torch.arange(1, p + 1, device=upto.device).expand(len(upto), p).contiguous()
        group = torch.searchsorted(upto, which).clamp_max(upto.shape[1] - 1)
        skipped = self.start if best else self.start + self.size - self.hits
        place = skipped.gather(1, group) + which - self.found.gather(1, group)
        return place.masked_fill(which > upto[:, -1:], NOWHERE)


@dataclass(frozen=True)
class SoftRanking:
    """The relevant items as some queries see them, in no order, where a smooth step stands for "is above".

    Attributes:
        weight: how often each counts; 0 in slots that hold none.
        rank: its place among all items, from 1.
        among: its place among the relevant ones, from 1.
        cut: the step that stands for 1[x > 0] where a place is compared with a cut-off.
        gains: what each is worth, for graded metrics, and its label distance for metrics that read those; None where each is
            worth 1.
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
    match. Ties there go to the lower index; `isometry.evaluate` gives the mean over all orders of equals where there is
    a closed form (`expected`).
    """

    needs_first: ClassVar[bool] = False
    """Whether `Ranking.first` is read."""
    needs_ranks: ClassVar[bool] = False
    """Whether `Ranking.ranks` is read: the place of every relevant item."""
    needs_gaps: ClassVar[bool] = False
    """Whether `Ranking.gaps` is read: label distances."""
    graded: ClassVar[bool] = False
    """Whether what has a positive affinity is relevant, and worth that much."""
    higher_is_better: ClassVar[bool] = True
    """Whether a larger value is a better one."""

    @abstractmethod
    def depth(self, relevant: int) -> int:
        """How many neighbours are needed where a query has up to `relevant` matches."""

    @abstractmethod
    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        """The value of each query, float32; in [0, 1] unless the metric says otherwise."""

    @property
    def gap_gain(self) -> Callable[[Tensor], Tensor] | None:
        """The gain of a label distance whose sums `expected` reads, where there is one."""
        return None

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """The mean of `per_query` over all orders of equals, each as likely as the other; exact, float64."""
        raise ValueError(f"{self!r} has no closed form of its mean over the orders of equals.")

    def soft(self, ranking: SoftRanking) -> Float[Tensor, " n"]:
        """The same from a soft ranking, with a gradient: what makes the metric a loss."""
        raise ValueError(f"{self!r} has no soft form: a metric that can be trained writes `soft(ranking)`.")

    def scored(self, ranking: Ranking) -> Bool[Tensor, " n"]:
        """Which queries have a value: those with a relevant item."""
        return ranking.relevant > 0

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Float[Tensor, " n"]:
        """Values from a whole similarity matrix; pairs of an item with itself (`rel.other`) are left out."""
        ranking = ranked(sim, rel, graded=self.graded, gaps=self.needs_gaps, ranks=self.needs_ranks)
        return self.per_query(ranking).masked_fill(~self.scored(ranking), torch.nan)


def ranked(sim: Float[Tensor, "n m"], rel: Relation, *, graded: bool, gaps: bool, ranks: bool) -> Ranking:
    """The ranking that a similarity matrix gives, ties to the lower index, with the fields that are asked for."""
    rel = by_grade(rel) if graded else rel
    order = sim.masked_fill(~rel.other, -torch.inf).argsort(dim=1, descending=True, stable=True)
    match = (rel.pos > 0) & rel.other
    hits, relevant, others = match.gather(1, order), match.sum(1), rel.other.sum(1)
    first = hits.byte().argmax(1) + 1 if hits.shape[1] else relevant
    filled: dict[str, Tensor] = {}
    if graded:
        worth = rel.affinity * match
        filled |= {"gains": worth.gather(1, order), "best": worth.sort(1, descending=True).values}
    if gaps:
        known = (rel.any > 0) & rel.other
        gap = torch.where(known, rel.gap, torch.inf)
        filled |= {"gaps": gap.gather(1, order), "least_gaps": gap.sort(1).values}
    if ranks:
        place = torch.where(hits, torch.arange(1, hits.shape[1] + 1, device=sim.device), NOWHERE)
        place, slot = place.sort(1)
        place = place[:, : int(relevant.max()) if len(relevant) else 0]
        filled |= {"ranks": place, "others": others}
        if graded:
            filled["worth"] = filled["gains"].gather(1, slot[:, : place.shape[1]])
    return Ranking(hits, relevant, first, **filled)


def by_grade(rel: Relation) -> Relation:
    """The relation in which every known pair of positive affinity is a positive, and every other a negative."""
    worth = rel.affinity > 0
    return rel.replace(pos=lambda: times(rel.any, worth), neg=lambda: times(rel.any, ~worth))


def all_places(ranking: Ranking) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n p"]]:
    """Places of all relevant items, and which slots hold one.

    Raises:
        ValueError: for a ranking without them.
    """
    if ranking.ranks is None:
        raise ValueError("This metric reads the places of all relevant items: give Ranking(…, ranks=…).")
    slot = torch.arange(1, ranking.ranks.shape[1] + 1, device=ranking.ranks.device)
    return ranking.ranks, slot <= ranking.relevant[:, None]


def places(ranking: Ranking) -> Int[Tensor, "1 k"]:
    """1, 2, … k."""
    return torch.arange(1, ranking.hits.shape[1] + 1, device=ranking.hits.device)[None, :]


def at_least_one(k: int, name: str) -> None:
    """Refuses a cut-off below 1."""
    if k < 1:
        raise ValueError(f"{name}(k={k}) looks at no neighbour: k is 1 or more.")

"""What the supervision says about every (query, reference) pair.

Class labels, label sets, label trees, real-valued targets, captions and teachers all become a `Relation`; losses,
miners and metrics see nothing else.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isometry.ops.truth import either, equal, other_than, some, times

Pairs = Float[Tensor, "n m"]
Weights = Float[Tensor, "n m"] | Bool[Tensor, "n m"]
UNKNOWN = -1
"""The class of an item of which nothing is known."""


class Relation:
    """How alike query i and reference j ought to be. Frozen; each matrix is made when it is first read.

    Attributes:
        affinity: how alike the pair should be; 1 is "the same", 0 is "unrelated".
        gap: label distance, 1 − affinity unless the labels have a distance of their own.
        pos, neg: weights of the pair as a positive and as a negative; a weight is a multiplicity. Both may be 0.
        other: False where query and reference are the same item.
        known: rows of which the supervision says anything at all; mining does not change it.
        rows, cols: the labels of queries and references, as they were given.
        own: the column of each row's only positive, where all others are its negatives; None where that is not known.
        ids: what tells queries and references apart, or None.
        row_weight: how often each query counts, or None for once (`pos` and `neg` have the weights of references only).
    """

    def __init__(
        self,
        *,
        affinity: Callable[[], Tensor] | None = None,
        gap: Callable[[], Tensor] | None = None,
        pos: Callable[[], Tensor] | None = None,
        neg: Callable[[], Tensor] | None = None,
        any: Callable[[], Tensor] | None = None,
        other: Callable[[], Tensor] | None = None,
        known: Callable[[], Tensor] | None = None,
        rows: Tensor | None = None,
        cols: Tensor | None = None,
        own: Tensor | None = None,
    ):
        self._make: dict[str, Callable[[], Tensor] | None] = {
            "affinity": affinity, "gap": gap, "pos": pos, "neg": neg, "any": any, "other": other, "known": known,
        }  # fmt: skip
        self._made: dict[str, Tensor] = {}
        self.rows, self.cols, self.own = rows, cols, own
        self.ids: tuple[Tensor, Tensor] | None = None
        self.row_weight: Tensor | None = None

    def _read(self, name: str, default: Callable[[], Tensor]) -> Tensor:
        if name not in self._made:
            self._made[name] = (self._make[name] or default)()
        return self._made[name]

    @property
    def affinity(self) -> Pairs:
        return self._read("affinity", lambda: self._read("pos", _missing).float())

    @property
    def gap(self) -> Pairs:
        return self._read("gap", lambda: 1 - self.affinity)

    @property
    def pos(self) -> Weights:
        return self._read("pos", lambda: self.affinity)

    @property
    def neg(self) -> Weights:
        return self._read("neg", lambda: other_than(self.pos) if self._make["affinity"] is None else 1 - self.affinity)

    @property
    def other(self) -> Bool[Tensor, "n m"]:
        return self._read("other", lambda: torch.ones_like(self.pos, dtype=torch.bool))

    @property
    def known(self) -> Bool[Tensor, " n"]:
        return self._read("known", lambda: some(self.any))

    @property
    def any(self) -> Weights:
        """Weight of the pair as either: positives and negatives together."""
        return self._read("any", lambda: either(self.pos, self.neg))

    @property
    def T(self) -> "Relation":
        """The same, seen from the references."""
        turned = {name: (lambda name=name: getattr(self, name).T) for name in self._make if name != "known"}
        other = Relation(**turned, rows=self.cols, cols=self.rows, own=None)
        other.ids = None if self.ids is None else (self.ids[1], self.ids[0])
        return other

    def replace(self, **made: Callable[[], Tensor] | None) -> "Relation":
        """A copy in which the named matrices are made otherwise; None: from those it has."""
        kept = {name: (lambda name=name: getattr(self, name)) for name in self._make if name != "any"}
        other = Relation(**{**kept, **made}, rows=self.rows, cols=self.cols)
        other.ids, other.row_weight = self.ids, self.row_weight
        return other

    def keep(self, pos: Bool[Tensor, "n m"], neg: Bool[Tensor, "n m"] | None = None) -> "Relation":
        """Only these pairs; one mask serves both unless `neg` is given."""
        kept = pos if neg is None else neg
        return self.replace(pos=lambda: times(self.pos, pos), neg=lambda: times(self.neg, kept))

    def without_self(self, row_ids: Int[Tensor, " n"], col_ids: Int[Tensor, " m"]) -> "Relation":
        """Pairs of an item with itself are neither positive nor negative: told by id, never by value or rank."""
        other = ~equal(row_ids, col_ids)
        kept = self.replace(
            pos=lambda: times(self.pos, other),
            neg=lambda: times(self.neg, other),
            any=lambda: times(self.any, other),
            other=lambda: other,
            known=None,
        )
        kept.ids = (row_ids, col_ids)
        return kept

    def weighted(self, weight: Float[Tensor, " m"]) -> "Relation":
        """Each reference counts `weight` times."""
        return self.replace(pos=lambda: self.pos * weight, neg=lambda: self.neg * weight)


def _missing() -> Tensor:
    raise ValueError("This Relation was given neither `pos` nor `affinity`.")


Relate = Callable[[Tensor, Tensor], Relation]
"""What labels say of pairs: `relate(labels of rows, labels of columns)`."""


def same_width(what: str, rows: Tensor, cols: Tensor) -> None:
    """Raises a ValueError unless both are matrices of equal width."""
    if rows.ndim != 2 or cols.ndim != 2 or rows.shape[1] != cols.shape[1]:
        raise ValueError(
            f"{what.capitalize()} are two matrices of equal width; got {list(rows.shape)} and {list(cols.shape)}."
        )

"""What the supervision says about every (query, reference) pair.

Class labels, label sets, label trees, real-valued targets, captions and teachers all become a `Relation`; losses,
miners and metrics see nothing else.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from isometry.component import Component
from isometry.ops.truth import all_true, either, equal, other_than, some, times

Pairs = Float[Tensor, "n m"]
Weights = Float[Tensor, "n m"] | Bool[Tensor, "n m"]
UNKNOWN = -1

__all__ = ["CloseTargets", "Given", "Teacher", "close_targets", "label_tree", "same_class",
           "shared_labels", "teacher"]  # fmt: skip


class Relation:
    """How alike query i and reference j ought to be. Frozen; each matrix is made when it is first read.

    Attributes:
        affinity: how alike the pair should be; 1 is "the same", 0 is "unrelated".
        gap: label distance, 1 − affinity unless the labels have a distance of their own.
        pos, neg: weights of the pair as a positive and as a negative; a weight is a multiplicity. Both may be 0.
        other: False where query and reference are the same item.
        known: rows of which the supervision says anything at all; mining does not change it.
        rows, cols: the labels of queries and references, as they were given.
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
    ):
        self._make: dict[str, Callable[[], Tensor] | None] = {
            "affinity": affinity, "gap": gap, "pos": pos, "neg": neg, "any": any, "other": other, "known": known,
        }  # fmt: skip
        self._made: dict[str, Tensor] = {}
        self.rows, self.cols = rows, cols
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
        other = Relation(**turned, rows=self.cols, cols=self.rows)
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


def same_class(rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]) -> Relation:
    """Positive when the class ids agree; label −1 is unknown: neither positive nor negative to anything.

    Raises:
        ValueError: for labels that are not whole numbers.
    """
    for labels in (rows, cols):
        if labels.is_floating_point() or labels.is_complex() or labels.ndim != 1:
            raise ValueError(
                f"Class labels are whole numbers of shape [n]; got {str(labels.dtype)[6:]} of shape "
                f"{list(labels.shape)}. For continuous labels say relate=close_targets, for label sets "
                "relate=shared_labels, for label paths relate=label_tree."
            )
    if _all_known(rows) and _all_known(cols):
        return Relation(pos=lambda: equal(rows, cols), any=lambda: all_true(rows, cols), rows=rows, cols=cols)
    same = Relation(pos=lambda: equal(rows, cols), rows=rows, cols=cols)
    known = (rows != UNKNOWN)[:, None] & (cols != UNKNOWN)[None, :]
    labelled = same.keep(known)
    return labelled.replace(known=lambda: some(labelled.any))


def _all_known(labels: Tensor) -> bool:
    """Whether no label is unknown, where asking is free: on an accelerator the answer would have to be waited for."""
    if torch.compiler.is_compiling() or labels.device.type != "cpu":
        return False
    return not len(labels) or int(labels.min()) > UNKNOWN or not bool((labels == UNKNOWN).any())


def shared_labels(rows: Shaped[Tensor, "n l"], cols: Shaped[Tensor, "m l"]) -> Relation:
    """Multi-hot label sets: affinity is their Jaccard overlap; one shared label makes a positive.

    An empty set is unknown.
    """
    _same_width("label sets", rows, cols)
    size = (rows.float().sum(1)[:, None], cols.float().sum(1)[None, :])
    both = rows.float() @ cols.float().T
    known = (size[0] > 0) & (size[1] > 0)
    return Relation(
        affinity=lambda: both / (size[0] + size[1] - both).clamp_min(1),
        pos=lambda: both > 0,
        neg=lambda: (both == 0) & known,
        rows=rows,
        cols=cols,
    )


def label_tree(rows: Int[Tensor, "n l"], cols: Int[Tensor, "m l"]) -> Relation:
    """Label paths, root first: affinity is the share of leading levels in common; the whole path makes a positive.

    A path whose last level is −1 is unknown.
    """
    _same_width("label paths", rows, cols)
    common = torch.zeros(len(rows), len(cols), device=rows.device)
    agree = torch.ones(len(rows), len(cols), dtype=torch.bool, device=rows.device)
    for level in range(rows.shape[1]):
        agree = agree & (rows[:, level][:, None] == cols[:, level][None, :])
        common = common + agree
    known = (rows[:, -1] != UNKNOWN)[:, None] & (cols[:, -1] != UNKNOWN)[None, :]
    return Relation(
        affinity=lambda: common / rows.shape[1],
        pos=lambda: agree & known,
        neg=lambda: ~agree & known,
        rows=rows,
        cols=cols,
    )


shared_labels.reads = "multi"  # which labels of `Data` it reads; `labels` where nothing is said
label_tree.reads = "hierarchy"


class CloseTargets(Component):
    """Real-valued targets `[n]` or `[n t]`: closer than `radius` is a positive; a row with NaN is unknown.

    The label distance `gap` is the Euclidean distance D of the targets (in their own unit); affinity is 1 − D / radius.
    """

    radius: float = 1.0
    reads: ClassVar[str] = "targets"

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        a, b = (x[:, None] if x.ndim == 1 else x.flatten(1) for x in (rows, cols))
        _same_width("targets", a, b)
        a, b = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
        gap = torch.cdist(a.nan_to_num(), b.nan_to_num(), compute_mode="donot_use_mm_for_euclid_dist")
        known = ~a.isnan().any(1)[:, None] & ~b.isnan().any(1)[None, :]
        return Relation(
            gap=lambda: gap,
            affinity=lambda: 1 - gap / self.radius,
            pos=lambda: (gap <= self.radius) & known,
            neg=lambda: (gap > self.radius) & known,
            rows=rows,
            cols=cols,
        )


_WITHIN_ONE = CloseTargets()


def close_targets(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
    """`CloseTargets(radius=1)`: real-valued targets, closer than 1 is a positive."""
    return _WITHIN_ONE(rows, cols)


close_targets.reads = "targets"


class Teacher(Component):
    """Embeddings of a teacher (or of captions) as labels: affinity is their cosine; above `above` is a positive."""

    above: float = 0.5

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"]) -> Relation:
        _same_width("teacher embeddings", rows, cols)
        cosine = torch.nn.functional.normalize(rows, dim=1) @ torch.nn.functional.normalize(cols, dim=1).T
        return Relation(
            affinity=lambda: cosine,
            pos=lambda: cosine > self.above,
            neg=lambda: cosine <= self.above,
            rows=rows,
            cols=cols,
        )


_ABOVE_HALF = Teacher()


def teacher(rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"]) -> Relation:
    """`Teacher(above=0.5)`: affinity is the cosine of two teacher embeddings."""
    return _ABOVE_HALF(rows, cols)


class Given(Component):
    """A relation that is written down: labels are row numbers of `affinity [N N]`; negative numbers are unknown."""

    affinity: Any

    def forward(self, rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]) -> Relation:
        affinity = torch.as_tensor(self.affinity, device=rows.device)
        known = (rows >= 0)[:, None] & (cols >= 0)[None, :]
        read = affinity[rows.clamp_min(0)][:, cols.clamp_min(0)]
        return Relation(
            affinity=lambda: read,
            pos=lambda: times(read, known),
            neg=lambda: times(1 - read.float(), known),
            rows=rows,
            cols=cols,
        )


def _same_width(what: str, rows: Tensor, cols: Tensor) -> None:
    if rows.ndim != 2 or cols.ndim != 2 or rows.shape[1] != cols.shape[1]:
        raise ValueError(
            f"{what.capitalize()} are two matrices of equal width; got {list(rows.shape)} and {list(cols.shape)}."
        )

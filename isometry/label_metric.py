"""A distance between labels: similarity as a matter of degree (Kim et al., CVPR 2019)."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation, same_width


class Bound(NamedTuple):
    """Vectors whose Euclidean distances bound a label distance from both sides: least·‖v − w‖ᵖ ≤ D ≤ most·‖v − w‖ᵖ.

    Attributes:
        vectors: `[n d]`. least, most: the factors; `most` is infinite where nothing bounds D from above. Where all three
            numbers are 1 the vectors' distance is D itself.
        power: p, the exponent of the vectors' distance.
    """

    vectors: Float[Tensor, "n d"]
    least: float
    most: float = float("inf")
    power: float = 1.0


class LabelMetric(Component):
    """Base of all distances between labels. A metric writes `gap`; as a `relate` it is the Relation that follows.

    `Relation.gap` is the distance D, in its own unit; pairs with D ≤ radius are positives and all others negatives; affinity is
    1 − D / radius. A row of labels with NaN is unknown: neither positive nor negative to anything.

    Attributes:
        radius: how far apart two labels may be for their items to be positives, in the unit of D.
    """

    radius: float = 1.0
    reads: ClassVar[str] = "targets"
    """Which labels of `Data` it reads."""

    @abstractmethod
    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        """The distance of every row's label to every column's. Labels are known, and are floating point."""

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound | None:
        """What the exact search for neighbours may take for a shortlist; None where nothing is known."""
        return None

    def known(self, labels: Float[Tensor, "n t"]) -> Bool[Tensor, " n"]:
        """Rows that say anything at all."""
        return ~labels.isnan().any(1)

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        """What is wrong with labels, by row: a few words each. NaN is no fault here: it is an unknown label."""
        return rows_where(labels.isinf().any(1), "an infinite number")

    def labels(self, data: Any) -> Tensor | None:
        """The labels that it reads of `Data`, as numbers `[n t]`; None where the data have none."""
        return getattr(data, self.reads)

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        """Labels as a floating-point matrix."""
        flat = labels[:, None] if labels.ndim == 1 else labels.flatten(1)
        return flat if flat.is_floating_point() and flat.element_size() >= 4 else flat.float()

    def distances(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Float[Tensor, "n m"]:
        """`gap` of labels as they come; of unknown labels it is some number."""
        a, b = self.prepared(rows), self.prepared(cols)
        same_width("labels", a, b)
        return self.gap(a.nan_to_num(), b.nan_to_num())

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        a, b = self.prepared(rows), self.prepared(cols)
        same_width("labels", a, b)
        known = self.known(a)[:, None] & self.known(b)[None, :]
        made: list[Tensor] = []  # `functools.cache` would do, but does not trace

        def gap() -> Tensor:
            if not made:
                made.append(self.gap(a.nan_to_num(), b.nan_to_num()))
            return made[0]

        return Relation(
            gap=gap,
            affinity=lambda: 1 - gap() / self.radius,
            pos=lambda: (gap() <= self.radius) & known,
            neg=lambda: (gap() > self.radius) & known,
            any=lambda: known,
            rows=rows,
            cols=cols,
        )


def rows_where(wrong: Bool[Tensor, " n"], words: str) -> dict[int, str]:
    """The rows that are wrong, each with the same words."""
    return dict.fromkeys(wrong.nonzero()[:, 0].tolist(), words)


def metric_of(relate: Any) -> LabelMetric | None:
    """The distance between labels behind a `relate`: a LabelMetric itself, or that of a function such as `close_targets`.

    None where the relation is not made from a distance.
    """
    return relate if isinstance(relate, LabelMetric) else getattr(relate, "metric", None)

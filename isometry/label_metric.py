"""A distance between labels: similarity as a matter of degree (Kim et al., CVPR 2019)."""

import math
from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isometry.component import Component, fields
from isometry.relation import Relation, same_width


class Bound(NamedTuple):
    """Vectors whose Euclidean distances bound a label distance from both sides: least·‖v − w‖ᵖ ≤ D ≤ most·‖v − w‖ᵖ.

    Attributes:
        vectors: `[n d]`. least, most: the factors; `most` is infinite where nothing bounds D from above. Where all three
            numbers are 1 the vectors' distance is D itself.
        power: p, the exponent of the vectors' distance.
        error: how far the rounding of `gap` may move a distance, in the unit of D. That of the vectors is allowed for.
    """

    vectors: Float[Tensor, "n d"]
    least: float
    most: float = float("inf")
    power: float = 1.0
    error: float = 0.0


class LabelMetric(Component):
    """Base of all distances between labels. A metric writes `gap`; as a `relate` it is the Relation that follows.

    `Relation.gap` is the distance D, in its own unit; pairs with D ≤ radius are positives and all others negatives; affinity is
    1 − D / radius. A row of labels with NaN is unknown: neither positive nor negative to anything.

    Attributes:
        radius: how far apart two labels may be for their items to be positives, in the unit of D.

    Raises:
        ValueError: for a radius that is not above 0 and finite.
    """

    radius: float = 1.0
    reads: ClassVar[str] = "targets"
    """Which labels of `Data` it reads."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if not 0 < self.radius < math.inf:
            raise ValueError(f"{type(self).__name__}.radius is a distance above 0; got {self.radius:g}.")

    @abstractmethod
    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        """The distance of every row's label to every column's. Labels are known, and are floating point."""

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound | None:
        """What the exact search for neighbours may take for a shortlist; None where nothing is known."""
        return None

    def mark(self) -> str | None:
        """What tells this distance from all others, in any process: what was found with one mark is used for the same again.

        None where nothing does, as with a function: what was found is then never taken for found. A metric that reads a file
        or a matrix says so in its mark.
        """
        return text_of(self)

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
        """Labels as a floating-point matrix: float64 as it is, and of large whole numbers, else float32."""
        flat = labels[:, None] if labels.ndim == 1 else labels.flatten(1)
        return flat.to(floating(flat, flat.device))

    def filled(self, labels: Float[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        """Labels as `gap` is given them: 0 for NaN, unless a metric knows what NaN within a label means."""
        return labels.nan_to_num()

    def distances(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Float[Tensor, "n m"]:
        """`gap` of labels as they come; of unknown labels it is some number."""
        a, b = self.prepared(rows), self.prepared(cols)
        same_width("labels", a, b)
        return self.gap(self.filled(a), self.filled(b))

    def forward(self, rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
        a, b = self.prepared(rows), self.prepared(cols)
        same_width("labels", a, b)
        known = self.known(a)[:, None] & self.known(b)[None, :]
        made: list[Tensor] = []  # `functools.cache` would do, but does not trace

        def gap() -> Tensor:
            if not made:
                made.append(self.gap(self.filled(a), self.filled(b)))
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


def text_of(component: Component) -> str | None:
    """The component as text; None where it holds what its text does not tell: a function, a tensor, weights."""
    held = [getattr(component, name) for name in fields(type(component))]
    held = [one for value in held for one in (value if isinstance(value, tuple) else (value,))]
    told = all(value is None or type(value) in (bool, int, float, str) for value in held)
    return f"{type(component).__module__}.{component!r}" if told and not component.state_dict() else None


def rows_where(wrong: Bool[Tensor, " n"], words: str) -> dict[int, str]:
    """The rows that are wrong, each with the same words."""
    return dict.fromkeys(wrong.nonzero()[:, 0].tolist(), words)


def floating(x: Tensor, device: torch.device) -> torch.dtype:
    """float32, or float64 where that would lose digits: of float64, and of whole numbers, which may go beyond 2^24."""
    small = x.dtype == torch.float32 or x.element_size() < 4
    return torch.float32 if small or device.type == "mps" else torch.float64  # mps has no float64


def metric_of(relate: Any) -> LabelMetric | None:
    """The distance between labels behind a `relate`: a LabelMetric itself, or that of a function such as `close_targets`.

    None where the relation is not made from a distance.
    """
    return relate if isinstance(relate, LabelMetric) else getattr(relate, "metric", None)

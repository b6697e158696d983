"""Classes that a map was trained on, beside classes that it has not seen."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from isometry.diagnostics.segments import Map
from isometry.diagnostics.shape import Shape, shape
from isometry.diagnostics.sides import Side, sample


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Both sides, and what only both together say.

    Attributes: seen, unseen: the classes that were trained on, and others. See `Shape` for what is in them.
    """

    seen: Shape
    unseen: Shape

    @property
    def ratio(self) -> float:
        """r*/r: how much larger classes are where they are new. By `Shape.radius`, which holds nine tenths of a class."""
        return self.unseen.radius / self.seen.radius if self.seen.radius else math.nan

    @property
    def room(self) -> float:
        """gap / (2 r*), with the gap between seen classes: above 1, a new class fits between two known ones."""
        return self.seen.gap / (2 * self.unseen.radius) if self.unseen.radius else math.nan

    def values(self) -> dict[str, float]:
        """The short names of a table: of the unseen side unless they say else; what was not measured is left out."""
        unseen = self.unseen
        named = {
            "r": self.seen.radius,
            "r*": unseen.radius,
            "r*/r": self.ratio,
            "gap": unseen.gap,
            "room": self.room,
            "separated": unseen.separated,
            "L95": unseen.whole.q95,
            "L95 head": unseen.head.q95,
            "L between": unseen.head.between,
            "anisotropy": unseen.anisotropy,
            "certificate": unseen.certificate,
        }
        return {name: value for name, value in named.items() if math.isfinite(value)}

    def as_json(self) -> dict[str, Any]:
        """Plain values for a log: `{"train": {…}, "unseen": {…}, "ratio": …, "room": …}`; null where not measured."""
        sides = {"train": dataclasses.asdict(self.seen), "unseen": dataclasses.asdict(self.unseen)}
        return _plain({**sides, "ratio": self.ratio, "room": self.room})


def geometry(
    *,
    seen: Side,
    unseen: Side,
    head: Map | None = None,
    whole: Map | None = None,
    images: int = 1024,
    points: int = 64,
    seed: int = 0,
) -> Geometry:
    """Looks at both sides: gaps, radii, stretch.

    Nothing is changed by looking: no global random number is drawn, no weight gets a gradient. The maps take rows each by
    itself, so a model must be in evaluation mode.

    Args:
        head: h → z; without it there is no σ_max, no anisotropy. whole: x → z, for σ_max end to end.
        images: a side, at most; whole classes, chosen by a hash (`sample`). 0: all.
        points: segments between samples that σ_max is taken on (an eighth of them for the whole map, and for the exact
            Jacobians of the head). 0: no derivatives.

    Raises:
        ValueError: for a side with fewer than two classes, or none of two items.
    """
    sides = [side.take(sample(side.y, images)) if images else side for side in (seen, unseen)]
    return Geometry(**{n: shape(s, head, whole, points, seed) for n, s in zip(("seen", "unseen"), sides, strict=True)})


def values(
    *,
    seen: Side,
    unseen: Side,
    head: Map | None = None,
    whole: Map | None = None,
    images: int = 1024,
    points: int = 64,
    seed: int = 0,
) -> dict[str, float]:
    """`geometry(…).values()`: numbers by short, stable names, for a table. What could not be measured is not in it.

    - "r", "r*", "r*/r": radius (nine tenths of a class) of seen classes, of unseen ones, and their ratio.
    - "gap": mean of δ₂ − δ₁ over unseen items; "separated": the share of them with δ₁ < δ₂, Eq. (1).
    - "room": gap between seen classes / (2 r*).
    - "L95": 95th percentile of ‖u_i − u_j‖ / ‖x_i − x_j‖ over unseen pairs; "L95 head" from h.
    - "L between": median over segments between unseen samples of the largest σ_max of h → u on them.
    - "anisotropy", "certificate": as in `Shape`, of the unseen side.

    Of a head that is trained on features, x and h are one tensor, and "L95" is "L95 head":

    >>> import torch
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <...>
    >>> head, y = torch.nn.Linear(4, 3), torch.arange(20) % 4
    >>> h, new = torch.randn(20, 4), torch.randn(20, 4)
    >>> with torch.no_grad():
    ...     seen, unseen = Side(x=h, h=h, z=head(h), y=y), Side(x=new, h=new, z=head(new), y=y)
    >>> found = values(seen=seen, unseen=unseen, head=head)
    >>> sorted(found)[:4], found["L95"] == found["L95 head"]
    (['L between', 'L95', 'L95 head', 'anisotropy'], True)
    """
    return geometry(seen=seen, unseen=unseen, head=head, whole=whole, images=images, points=points, seed=seed).values()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value

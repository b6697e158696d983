"""Two samples of pictures, drawn so that their units are alike: what tests of drift compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from isometry.openset.held import Held
from isometry.openset.scoring import Scales, Scored, best
from isometry.ops import two_sample

UNITS = 1000
"""Classes, or pictures, of each side at most: distances between all units are kept."""
PICTURES = 5000
"""Pictures of each side at most: distances between all of them are gone through."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One of the two samples: the pictures that were drawn of it, in `units` units, with their best matches."""

    held: Held
    unit: Int64[Tensor, " n"]
    units: int
    found: Scored
    of: str


class Pair(NamedTuple):
    """Both sides in one row, as the tests take them."""

    before: Side
    after: Side
    unit: Int64[Tensor, " n"]
    weights: Float64[Tensor, "b u"]

    @classmethod
    def of(cls, before: Side, after: Side, weights: Float64[Tensor, "b u"]) -> "Pair":
        return cls(before, after, torch.cat([before.unit, before.units + after.unit]), weights)

    def both(self, read: Callable[[Side], Tensor]) -> Tensor:
        return torch.cat([read(self.before), read(self.after)])

    def means(self, values: Float[Tensor, " n"]) -> tuple[float, float]:
        """Of both sides, units weighing alike."""
        per_unit = two_sample.unit_means(values[:, None], self.unit, self.weights.shape[1])[:, 0]
        return float(per_unit[: self.before.units].mean()), float(per_unit[self.before.units :].mean())


def typical(held: Held) -> int:
    """Pictures of a typical class; 1 where there are no labels."""
    code = held.codes()[1]
    code = code[code >= 0]
    return int(torch.bincount(code)[torch.bincount(code) > 0].double().median()) if 2 * len(code) > len(held) else 1


def drawn(index: Any, held: Held, each: int, scales: Scales | None, seed: int) -> Side:
    """At most `each` pictures of each class, and at most `UNITS` classes; pictures without a label are units of their own."""
    generator = torch.Generator().manual_seed(seed)
    code = held.codes()[1]
    alone = int(code.max()) + 1 + torch.arange(len(code))
    unit = torch.unique(torch.where(code < 0, alone, code), return_inverse=True)[1]
    order = torch.randperm(len(unit), generator=generator)
    order = order[unit[order].argsort(stable=True)]  # by unit, at random within
    first = torch.searchsorted(unit[order].contiguous(), unit[order].contiguous())
    kept_rows = order[torch.arange(len(order)) - first < each]
    chosen = torch.randperm(int(unit.max()) + 1, generator=generator)[:UNITS]
    rows = kept_rows[torch.isin(unit[kept_rows], chosen)].sort().values
    own, units = torch.unique(unit[rows], return_inverse=True)
    some = held.take(rows)
    labelled = bool((code[rows] >= 0).any())
    return Side(held=some, unit=units, units=len(own), found=best(index, some.z, scales),
                of="classes" if labelled else "pictures")  # fmt: skip

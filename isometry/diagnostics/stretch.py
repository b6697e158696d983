"""Stretch of one map, between pairs of samples and where no sample lies."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.diagnostics.pairs import stretches
from isometry.diagnostics.segments import Map, longest_quarter, onto_sphere, steepest
from isometry.diagnostics.sides import Side

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How much a map to the sphere stretches: lengths of embedding (0 … 2) by length of input. NaN: not measured.

    Attributes:
        median, q95, largest: ‖u_i − u_j‖ / ‖x_i − x_j‖ over pairs: as many of one class, of nearest neighbours in h, and of
            any two. `q95` is what is called L95.
        quarters: median over segments between samples of the most that a quarter of the segment is stretched.
        at: median of σ_max of the Jacobian at items.
        between: median over segments of the largest σ_max on them.
    """

    median: float = NAN
    q95: float = NAN
    largest: float = NAN
    quarters: float = NAN
    at: float = NAN
    between: float = NAN


@dataclass(frozen=True, kw_only=True)
class Way:
    """One map and what it is given: all inputs as they are kept, some as the map takes them, and how closely to look.

    Attributes: points: segments that are looked at; at: places on them; steps: of the power iteration.
    """

    given: Tensor
    rows: Callable[[Tensor], Tensor]
    map: Map | None
    points: int
    at: tuple[float, ...]
    steps: int


def ways(side: Side, head: Map | None, whole: Map | None, points: int) -> dict[str, Way]:
    """The maps that this side can tell of: from h, and from x where that is something else.

    The derivative of a whole model costs much more than that of its head, so it is taken at an eighth of the points,
    roughly, and in the middle of segments only.
    """
    found: dict[str, Way] = {}
    h = side.h
    if h is not None:
        head_rows = lambda rows: h[rows.to(h.device)].float()  # noqa: E731
        found["head"] = Way(given=h, rows=head_rows, map=head, points=points, at=(0.25, 0.5, 0.75), steps=12)
    if side.x is not None and side.x is not h:
        few = max(2, points // 8)
        found["whole"] = Way(given=side.x, rows=side.inputs, map=whole, points=few, at=(0.5,), steps=5)
    return found


def stretch(
    way: Way, u: Float[Tensor, "n d"], rows: Int[Tensor, " m"], to: Int[Tensor, "m k"], seed: int
) -> tuple[Stretch, Float[Tensor, " m"], str]:
    """The stretch, the most of each item's own pairs, and why there is no derivative (empty where there is)."""
    pairs = stretches(way.given, u, rows, to)
    known = pairs[pairs.isfinite()]
    most = pairs.nan_to_num(-1).amax(1)
    most = torch.where(most >= 0, most, torch.nan)
    if not len(known):
        return Stretch(), most, "all inputs coincide"
    of_pairs = {"median": float(known.quantile(0.5)), "q95": float(known.quantile(0.95)), "largest": float(known.max())}
    if way.map is None or not way.points:
        return Stretch(**of_pairs), most, ""
    there = pairs.flatten().isfinite().nonzero()[:, 0]
    drawn = there[torch.randperm(len(there), generator=torch.Generator().manual_seed(seed))[: way.points]]
    f = onto_sphere(way.map)
    x, other = way.rows(rows.repeat_interleave(to.shape[1])[drawn]), way.rows(to.flatten()[drawn])
    quarters = float(longest_quarter(f, x, other).quantile(0.5))
    try:
        at, between = (float(s.quantile(0.5)) for s in steepest(f, x, other, at=way.at, steps=way.steps, seed=seed))
    except ValueError as error:
        return Stretch(**of_pairs, quarters=quarters), most, str(error)
    return Stretch(**of_pairs, quarters=quarters, at=at, between=between), most, ""

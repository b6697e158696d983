"""One side of the comparison: the gaps, the radii and the stretch of one set of classes."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isometry.diagnostics.pairs import partners
from isometry.diagnostics.segments import LARGEST, ROWS, Map, anisotropy, onto_sphere
from isometry.diagnostics.sides import Side
from isometry.diagnostics.stretch import Stretch, stretch, ways
from isometry.metrics.items import classes
from isometry.metrics.radius import quantiles, radii
from isometry.metrics.separation import gaps
from isometry.metrics.statistic import Space
from isometry.ops.ranking import inner
from isometry.similarities import cosine

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the embeddings of one set of classes look like. Lengths are of unit embeddings, so from 0 to 2.

    With δ₁(i) the distance of item i to the farthest of its class and δ₂(i) that to the nearest of another:

    Attributes:
        images, classes: how many were looked at, of known class.
        separated: the share of items with δ₁(i) < δ₂(i): Eq. (1) of the paper, or R-precision 1.
        farthest, nearest, gap: means over items of δ₁(i), of δ₂(i) and of δ₂(i) − δ₁(i).
        worst_farthest, worst_nearest: the largest δ₁ and the smallest δ₂: two single items.
        radius, radius_rms, radius_max: means over classes of the distance to the class's mean (at length one) that holds
            nine tenths of its items, of its root mean square, and of the largest. One mislabelled item decides the last,
            and it grows with the size of the class; so the first is the radius r that is compared.
        whole, head: stretch from x and from h.
        certificate: median over items of (δ₂(i) − δ₁(i)) / (2 L_i), in units of x (of h where there is no x): how far an
            item can move before Eq. (1) fails for it, if nothing is stretched more than L_i, the most that its own three
            pairs are. Below 0 where Eq. (1) fails for most. L_i is a lower bound, so this is an estimate and no proof.
        anisotropy: mean over a few items of σ_max / geometric mean of the singular values of the head's map h → u.
        left_out: what could not be measured, and why.
    """

    images: int
    classes: int
    separated: float
    farthest: float
    nearest: float
    gap: float
    worst_farthest: float
    worst_nearest: float
    radius: float
    radius_rms: float
    radius_max: float
    whole: Stretch = field(default_factory=Stretch)
    head: Stretch = field(default_factory=Stretch)
    certificate: float = NAN
    anisotropy: float = NAN
    left_out: tuple[str, ...] = ()


def shape(side: Side, head: Map | None, whole: Map | None, points: int, seed: int) -> Shape:
    """Measures one side.

    Raises:
        ValueError: for fewer than two classes, or none of two items.
    """
    side = side.take((side.y >= 0).nonzero()[:, 0])
    ids = torch.arange(len(side), device=side.z.device)
    space = Space(side.z.detach(), side.y.to(ids.device), ids, ids, ids, cosine.embed, inner, samples=0)  # type: ignore[arg-type]
    alike, unlike, _ = gaps(space, "The geometry")
    far, size = radii(space, "The geometry")
    owner = torch.repeat_interleave(torch.arange(len(size)), size)
    rms = (torch.zeros(len(size), dtype=torch.float64).index_add_(0, owner, far.square()) / size).sqrt()
    found = classes(space, "The geometry")
    owners = found.rows[found.size[found.y] > 1].cpu()
    gap = torch.full((len(side),), torch.nan, dtype=torch.float64)
    gap[owners] = unlike - alike
    return Shape(
        images=len(side),
        classes=len(found.size),
        separated=float((alike < unlike).double().mean()),
        farthest=float(alike.mean()),
        nearest=float(unlike.mean()),
        gap=float((unlike - alike).mean()),
        worst_farthest=float(alike.max()),
        worst_nearest=float(unlike.min()),
        radius=float(quantiles(far, size, 0.9).mean()),
        radius_rms=float(rms.mean()),
        radius_max=float(quantiles(far, size, 1.0).mean()),
        **_stretched(side, space.unit(), gap, head, whole, points, seed),
    )


def _stretched(
    side: Side, u: Tensor, gap: Tensor, head: Map | None, whole: Map | None, points: int, seed: int
) -> dict[str, Any]:
    """What needs inputs: stretch from x and from h, the certificate, the anisotropy, and what was left out."""
    rows, to = partners(side.y, u if side.h is None else side.h.float(), seed)
    made: dict[str, Any] = {}
    left: list[str] = []
    for name, way in ways(side, head, whole, points).items():
        made[name], most, reason = stretch(way, u, rows, to, seed)
        made["certificate"] = _median(gap[rows] / (2 * most))
        left += [f"{name}: {reason}"] if reason else []
    if side.h is not None and head is not None and points:
        made["anisotropy"], reason = _anisotropy(head, side.h, rows, points, seed)
        left += [f"anisotropy: {reason}"] if reason else []
    if side.x is not None and side.x is side.h:
        made["whole"] = made["head"]
    return {**made, "left_out": tuple(left)}


def _anisotropy(head: Map, h: Tensor, rows: Tensor, points: int, seed: int) -> tuple[float, str]:
    f, h = onto_sphere(head), h[rows.to(h.device)].float()
    with torch.no_grad():
        d = f(h[:1]).shape[1]
    if d > LARGEST:
        return NAN, f"{d:,} dimensions are too many for an exact Jacobian ({LARGEST:,} at most)"
    few = max(1, min(points // 8, ROWS // d))
    drawn = torch.randperm(len(h), generator=torch.Generator().manual_seed(seed))[:few]
    found = anisotropy(f, h[drawn.to(h.device)])
    return float(found.nanmean()), ""


def _median(x: Tensor) -> float:
    return float(x[x.isfinite()].quantile(0.5)) if x.isfinite().any() else NAN

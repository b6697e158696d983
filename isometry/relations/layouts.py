"""Segmentation maps at 1 − mIoU (Kim, Seo, Laptev, Cho and Kwak, "Deep metric learning beyond binary supervision", CVPR 2019).

The bound: for masks A and B of one region let cos = |A ∩ B| / √(|A||B|) be the cosine of their indicator vectors, and
J = |A ∩ B| / |A ∪ B|. Then cos² ≤ J ≤ cos, since (|A| − |A ∩ B|)(|B| − |A ∩ B|) ≥ 0 and |A ∪ B| ≥ √(|A||B|). The unit vectors
a, b of the two masks are at ‖a − b‖² = 2 − 2 cos, so that ‖a − b‖²/2 ≤ 1 − J ≤ ‖a − b‖². A region of one map only has J = 0
and, against the zero vector, ‖a‖² = 1. D is the mean of 1 − J over 1 … K regions, so with the vectors of all K regions in a row
‖v − w‖²/(2K) ≤ D ≤ ‖v − w‖². Sums over windows of s points, divided by √s, are an orthogonal projection, which takes no two
vectors apart: large maps keep 1,024 sums, and the bound from below.
"""

import itertools
import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isometry.label_metric import Bound, LabelMetric, rows_where
from isometry.ops.pieces import ROOM, in_pieces
from isometry.relation import Relation

MATCHED = 10
"""Most regions that are matched: the work doubles with each."""
NUMBERS = 1024
"""Most numbers of a map's vector in the bound, where it has no more regions than that."""


class Layouts(LabelMetric):
    """Pictures are alike when their segmentation maps overlap: D = 1 − mIoU, from 0 to 1.

    Targets are maps `[n side side]` or `[n points]` of region codes, whole numbers from 0 to `regions` − 1; all maps are
    of one size. mIoU is the mean of |A_c ∩ B_c| / |A_c ∪ B_c| over the codes c that occur in either map: a code that only one
    of them has counts 0. A map with NaN is unknown. `radius` 0.2: maps with an mIoU of 0.8 are positives.

    `matched=True`: codes tell the regions of one map apart and mean nothing across maps (LSUN room layout). Regions of
    the one map are matched with those of the other, each once, so that the IoUs add up to the most, and the mean is over
    the greater number of regions of the two; all matchings are looked at, in 2^regions steps.

    D is bounded from both sides by squared distances of one-hot codes with unit masks (see the module); nothing is known
    of the triangle inequality, nor of a bound where regions are matched.

    >>> maps = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0]])
    >>> Layouts(regions=2).distances(maps, maps)[0]  # IoU 1/2 and 2/3; then 0 and 0
    tensor([0.0000, 0.4167, 1.0000])
    >>> Layouts(regions=2, matched=True).distances(maps, maps)[0]
    tensor([0.0000, 0.4167, 0.0000])

    Raises:
        ValueError: for fewer than one region, or more than 10 to be matched.
    """

    radius: float = 0.2
    regions: int = 8
    matched: bool = False

    def __post_init__(self) -> None:
        most = MATCHED if self.matched else 2**16
        if not 1 <= self.regions <= most:
            raise ValueError(
                f"Layouts.regions is from 1 to {most}{' to be matched' if self.matched else ''}; got {self!r}."
            )

    def prepared(self, labels: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n t"]:
        flat = super().prepared(labels)
        return flat if labels.is_floating_point() else flat.float()  # codes are small

    def gap(self, rows: Float[Tensor, "*b n t"], cols: Float[Tensor, "*b m t"]) -> Float[Tensor, "*b n m"]:
        each = 2**self.regions if self.matched else 8
        return in_pieces(self._by_matching if self.matched else self._by_code, rows, cols, each)

    def _by_code(self, rows: Float[Tensor, "b n t"], cols: Float[Tensor, "b m t"]) -> Float[Tensor, "b n m"]:
        pairs = [_overlap(rows == code, cols == code, rows.dtype) for code in range(self.regions)]
        many = sum((there for _, there in pairs), rows.new_zeros(()))
        return 1 - sum((iou for iou, _ in pairs), rows.new_zeros(())) / many.clamp_min(1)

    def _by_matching(self, rows: Float[Tensor, "b n t"], cols: Float[Tensor, "b m t"]) -> Float[Tensor, "b n m"]:
        codes = range(self.regions)
        many = torch.maximum(self._regions_of(rows)[..., :, None], self._regions_of(cols)[..., None, :])
        best: dict[tuple[int, ...], Tensor] = {(): rows.new_zeros(())}
        for code in (
            codes
        ):  # `best` holds, for each set of the column's codes, the most that the row's first codes make with it
            iou = [_overlap(rows == code, cols == other, rows.dtype)[0] for other in codes]
            best = {
                taken: torch.stack([best[tuple(c for c in taken if c != last)] + iou[last] for last in taken]).amax(0)
                for taken in itertools.combinations(codes, code + 1)
            }
        return 1 - best[tuple(codes)] / many.clamp_min(1)

    def _regions_of(self, labels: Float[Tensor, "b n t"]) -> Float[Tensor, "b n"]:
        return sum(((labels == code).any(-1).to(labels.dtype) for code in range(self.regions)), labels.new_zeros(()))

    def bound(self, labels: Float[Tensor, "n t"]) -> Bound | None:
        if self.matched:
            return None
        window = _window(labels.shape[1], self.regions)
        some = max(1, ROOM // (8 * labels.shape[1] * self.regions))
        vectors = torch.cat([self._masks(part, *window) for part in labels.split(some)])
        error = (self.regions + 2) * torch.finfo(labels.dtype).eps
        most = 1.0 if window[1] == (1, 1) else float("inf")
        return Bound(vectors, 1 / (2 * self.regions), most, power=2.0, error=error)

    def _masks(
        self, labels: Float[Tensor, "n t"], shape: tuple[int, int], window: tuple[int, int]
    ) -> Float[Tensor, "n b"]:
        """Unit masks of all regions, summed over windows."""
        codes = torch.arange(self.regions, device=labels.device)[:, None]
        masks = torch.nn.functional.normalize((labels[:, None] == codes).double(), dim=-1)  # [n K t]
        sums = torch.nn.functional.avg_pool2d(masks.unflatten(-1, shape), window, ceil_mode=True, divisor_override=1)
        return (sums / math.prod(window) ** 0.5).flatten(1).to(labels.dtype)

    def faults(self, labels: Float[Tensor, "n t"]) -> dict[int, str]:
        return {
            **rows_where(((labels < 0) | (labels >= self.regions)).any(1), f"a region outside 0 … {self.regions - 1}"),
            **rows_where(((labels != labels.round()) & ~labels.isnan()).any(1), "a region that is no whole number"),
        }


def _window(points: int, regions: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """A map's shape, square where it can be, and the least window that leaves `NUMBERS` of its masks."""
    side = math.isqrt(points)
    shape = (side, side) if side * side == points else (1, points)
    window = (1, 1)
    for step in range(2, side + 2):
        if math.prod(-(-size // wide) for size, wide in zip(shape, window, strict=True)) * regions <= NUMBERS:
            break
        window = (min(step, side), min(step, side)) if shape[0] > 1 else (1, min(step * step, points))
    return shape, window


def _overlap(rows: Shaped[Tensor, "b n t"], cols: Shaped[Tensor, "b m t"], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """IoU of one region `[b n m]`, and where either map has it."""
    a, b = rows.to(dtype), cols.to(dtype)
    with torch.autocast(a.device.type, enabled=False):
        both = a @ b.mT
    either = a.sum(-1)[..., :, None] + b.sum(-1)[..., None, :] - both
    return both / either.clamp_min(1), (either > 0).to(dtype)


_WITHIN_A_FIFTH = Layouts()


def layouts(rows: Shaped[Tensor, "n ..."], cols: Shaped[Tensor, "m ..."]) -> Relation:
    """`Layouts(radius=0.2, regions=8)`: segmentation maps at 1 − mIoU, regions told by their codes."""
    return _WITHIN_A_FIFTH(rows, cols)


layouts.reads = "targets"
layouts.metric = _WITHIN_A_FIFTH

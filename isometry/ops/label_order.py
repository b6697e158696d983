"""All triplets that a row's order of labels makes, without enumerating them.

Σ w_i w_j [x_i − x_j + margin]₊ over the pairs with gap_i < gap_j. Sorted by gap, a row is a binary tree of halves: a pair is
told apart by exactly one node, i in its left half and j in its right. Every level sorts the items of each node by x by
splitting its parent, so that "how many of the first k went left" is all there is to look up: O(m log m) a row in all. Where
there are few gaps, as those of classes or of a label tree, each is compared with all that are larger.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import truth
from isometry.ops.triplets import hinge_of_rows, tiles

LEVELS = 4
"""Up to so many gaps are few."""


def hinge(
    x: Float[Tensor, "n m"], gap: Float[Tensor, "n m"], weight: Tensor, margin: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """The sum of each row, and the weight of its triplets; margin ≥ 0. Once differentiable in x.

    Pairs of equal gaps make no triplet. One exactly at its margin costs nothing (and may pull).
    """
    total, count, _ = torch.ops.isometry.label_order_hinge(x, gap, weight, margin)
    return total, count


@torch.library.custom_op("isometry::label_order_hinge", mutates_args=())
def _hinge(x: Tensor, gap: Tensor, weight: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    total, count = x.new_zeros(len(x)), x.new_zeros(len(x))
    slope = torch.zeros_like(x, memory_format=torch.contiguous_format)
    for rows in tiles(x) if x.shape[1] else ():
        w = truth.numbers(weight[rows], x.dtype)
        levels = _few(gap[rows], w)
        if levels is None:
            total[rows], count[rows], slope[rows] = _rows(x[rows], gap[rows], w, margin)
        else:
            total[rows], count[rows] = _by_level(x[rows], gap[rows], w, margin, levels, slope[rows])
    return total, count, slope


@_hinge.register_fake
def _(x: Tensor, gap: Tensor, weight: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    row = x.new_empty(len(x))
    return row, torch.empty_like(row), torch.empty_like(x, memory_format=torch.contiguous_format)


def _keep_slope(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(output[2])
    ctx.mark_non_differentiable(output[1], output[2])


def _backward(ctx, total: Tensor, *_) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def]
    return ctx.saved_tensors[0] * total[:, None], None, None, None


_hinge.register_autograd(_backward, setup_context=_keep_slope)


def _few(gap: Tensor, w: Tensor) -> list[Tensor] | None:
    """The gaps of what has weight, in rising order, if they are at most `LEVELS`."""
    left, found = gap.where(w > 0, torch.inf), []
    while (lowest := left.amin()) < torch.inf:
        if len(found) == LEVELS:
            return None
        found.append(lowest)
        left = left.where(left > lowest, torch.inf)
    return found


def _by_level(
    x: Tensor, gap: Tensor, weight: Tensor, margin: float, levels: list[Tensor], slope: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums and counts; writes d sum / d x to `slope`."""
    total, count, part = x.new_zeros(len(x)), x.new_zeros(len(x)), torch.empty_like(x)
    for level in levels:
        near, far = weight * (gap == level), weight * (gap > level)
        if not far.any():
            break
        total += hinge_of_rows(-x, near, far, margin, part)[0]
        count += near.sum(1) * far.sum(1)
        slope -= part
    return total, count


def _rows(x: Tensor, gap: Tensor, weight: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """Sums, counts and d sum / d x of a few rows."""
    m = x.shape[1]
    levels = (m - 1).bit_length()
    more = (0, 2**levels - m)
    height, by_x = F.pad(x, more, value=torch.inf).sort(1)
    # Equals in label stand in falling order of x: all pairs of them are within the margin, and easily taken off.
    gap, by_gap = F.pad(gap, more, value=torch.inf).gather(1, by_x).flip(1).sort(dim=1, stable=True)
    by_gap = height.shape[1] - 1 - by_gap
    at = torch.arange(height.shape[1], device=x.device).expand_as(by_x)
    place = torch.empty_like(by_gap).scatter_(1, by_gap, at)
    columns, w = by_x.gather(1, by_gap), F.pad(weight, more).gather(1, by_x)
    pull, active = _all_pairs(place, height, w, margin, levels)
    w = w.gather(1, by_gap)
    after, before, later = _among_equals(gap, w)
    pull = w * (pull - after + before)
    active = active - torch.linalg.vecdot(w, after)
    slope = torch.empty_like(pull).scatter_(1, columns, pull)[:, :m]
    centred = (x - x.mean(1, keepdim=True)).double()
    total = torch.linalg.vecdot(slope.double(), centred) + margin * active
    return total.to(x.dtype), torch.linalg.vecdot(w, later), slope


def _all_pairs(
    place: Int[Tensor, "n m"], height: Float[Tensor, "n m"], w: Float[Tensor, "n m"], margin: float, levels: int
) -> tuple[Float[Tensor, "n m"], Float[Tensor, " n"]]:
    """For each place in the order of labels, what is later and within the margin less what is earlier; and how much in all.

    Args:
        place: the place of the items sorted by x, `height` and `w` their x and weight; m is 2 to the `levels`.
    """
    n, m = place.shape
    at = torch.arange(m, device=place.device)
    low = torch.searchsorted(height, height - margin)  # items from here on are high enough to be too near
    high = torch.searchsorted(low, at.expand(n, m).contiguous(), right=True)  # items up to here find this one so
    pull, active = torch.zeros_like(w), w.new_zeros(n)
    for level in reversed(range(levels)):
        size = 2 << level
        start = at & -size
        right = (place >> level) & 1
        went_left, both = _before(1 - right), _before(w)
        left = _before(w * (1 - right))
        beyond = left[:, start + size] - left.gather(1, low)
        upto = (both - left).gather(1, high) - (both - left)[:, start]
        found = torch.where(right > 0, -beyond, upto)
        pull += found
        active += torch.linalg.vecdot(w, found.clamp_min(0))
        moved = [
            torch.where(right > 0, k + size // 2 + start // 2 - gone, start // 2 + gone)
            for k, gone in ((at, went_left[:, :-1]), *((k, went_left.gather(1, k)) for k in (low, high)))
        ]
        place, w, pull, low, high = (torch.empty_like(v).scatter_(1, moved[0], v) for v in (place, w, pull, *moved[1:]))
    return pull, active


def _among_equals(gap: Float[Tensor, "n m"], w: Float[Tensor, "n m"]) -> tuple[Tensor, Tensor, Tensor]:
    """For sorted gaps: the weight of the equals after each and before it, and of all that is beyond its equals."""
    upto = _before(w)
    first, last = upto.gather(1, torch.searchsorted(gap, gap)), upto.gather(1, torch.searchsorted(gap, gap, right=True))
    return last - upto[:, 1:], upto[:, :-1] - first, upto[:, -1:] - last


def _before(x: Tensor) -> Tensor:
    """Sums of the first 0, 1, 2, … of a row."""
    return F.pad(x.cumsum(1), (1, 0))

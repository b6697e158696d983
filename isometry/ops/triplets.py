"""All triplets of a row without enumerating them.

Every pair (positive, negative) of a row with negatives similar beyond a threshold: sort or loop over the positives (the
shorter side) and compare the rest with them. Value and gradient are made in one pass over rows that fit the cache.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

FEW = 8
"""Up to so many positives a row are looped over; more are sorted and searched."""
TILE = 2**19
"""Elements of a tile of rows: what a processor's cache holds."""


def hinge(sim: Float[Tensor, "n m"], pos: Tensor, neg: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Σ_{p,n} w_p w_n [s_n − s_p + margin]₊ of each row, and the weight of the triplets that are active.

    O(m log P) a row, and nothing of size n·m·P. Once differentiable.
    """
    total, count, _ = torch.ops.isometry.hinge(sim, pos, neg, margin)
    return total, count


def soft(sim: Float[Tensor, "n m"], pos: Tensor, neg: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Σ_{p,n} w_p w_n log(1 + e^{scale (s_n − s_p)}) of each row, and the weight of its triplets.

    O(m P) a row, and nothing of size n·m·P. Once differentiable.
    """
    total, _ = torch.ops.isometry.soft_triplets(sim, pos, neg, scale)
    return total, pos.sum(1).to(sim.dtype) * neg.sum(1)


def semi_hard(sim: Float[Tensor, "n m"], pos: Tensor, neg: Tensor) -> Int[Tensor, "n m"]:
    """For each positive p of a row, the column of the most similar negative that is less similar than p.

    Where every negative is at least as similar as p, the least similar one. 0 where there is no positive or no negative.
    """
    return torch.ops.isometry.semi_hard(sim, pos, neg)


@torch.library.custom_op("isometry::hinge", mutates_args=())
def _hinge(sim: Tensor, pos: Tensor, neg: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    total, count, slope = sim.new_zeros(len(sim)), sim.new_zeros(len(sim)), torch.empty_like(sim)
    for rows in tiles(sim):
        total[rows], count[rows] = hinge_of_rows(sim[rows], pos[rows], neg[rows], margin, slope[rows])
    return total, count, slope


@_hinge.register_fake
def _(sim: Tensor, pos: Tensor, neg: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    return sim.new_empty(len(sim)), sim.new_empty(len(sim)), torch.empty_like(sim)


def _keep_slope(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(output[2])
    ctx.mark_non_differentiable(output[1], output[2])


def _hinge_backward(ctx, total: Tensor, _count: Tensor, _slope: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def]
    return ctx.saved_tensors[0] * total[:, None], None, None, None


_hinge.register_autograd(_hinge_backward, setup_context=_keep_slope)


@torch.library.custom_op("isometry::soft_triplets", mutates_args=())
def _soft(sim: Tensor, pos: Tensor, neg: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    total, slope = sim.new_zeros(len(sim)), torch.zeros_like(sim)
    for rows in tiles(sim):
        at, real = positives(pos[rows])
        weight = pos[rows].gather(1, at).to(sim.dtype) * real
        there = neg[rows].to(sim.dtype)
        x = torch.empty_like(there)
        for p in range(at.shape[1]):
            torch.sub(sim[rows], sim[rows].gather(1, at[:, p, None]), out=x).mul_(scale)
            weigh = there * weight[:, p, None]
            total[rows] += torch.linalg.vecdot(torch.nn.functional.softplus(x, threshold=50), weigh)
            pull = x.sigmoid_().mul_(weigh).mul_(scale)
            slope[rows] += pull
            slope[rows].scatter_add_(1, at[:, p, None], -pull.sum(1, keepdim=True))
    return total, slope


@_soft.register_fake
def _(sim: Tensor, pos: Tensor, neg: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    return sim.new_empty(len(sim)), torch.empty_like(sim)


def _keep_soft_slope(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(output[1])
    ctx.mark_non_differentiable(output[1])


def _soft_backward(ctx, total: Tensor, _slope: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def]
    return ctx.saved_tensors[0] * total[:, None], None, None, None


_soft.register_autograd(_soft_backward, setup_context=_keep_soft_slope)


@torch.library.custom_op("isometry::semi_hard", mutates_args=())
def _semi_hard(sim: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
    chosen = torch.zeros(sim.shape, dtype=torch.int64, device=sim.device)
    for rows in tiles(sim):
        at, where = positives(pos[rows])
        if not at.shape[1] or not sim.shape[1]:
            continue
        there = neg[rows] > 0
        ordered, column = sim[rows].masked_fill(~there, -torch.inf).sort(1)
        below = torch.searchsorted(ordered, sim[rows].gather(1, at).contiguous()) - 1
        easiest = (~there).sum(1, keepdim=True).clamp_max(sim.shape[1] - 1)
        partner = column.gather(1, torch.maximum(below, easiest))
        row, slot = where.nonzero(as_tuple=True)
        chosen[rows][row, at[row, slot]] = partner[row, slot]
    return chosen


@_semi_hard.register_fake
def _(sim: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
    return torch.empty(sim.shape, dtype=torch.int64, device=sim.device)


def tiles(sim: Tensor) -> list[slice]:
    """Slices of rows that fit a cache; on an accelerator, of a size that keeps it busy."""
    step = max(1, (TILE if sim.device.type == "cpu" else 2**8 * TILE) // max(1, sim.shape[1]))
    return [slice(i, i + step) for i in range(0, len(sim), step)]


def positives(pos: Tensor) -> tuple[Tensor, Tensor]:
    """Columns of the positives of each row `[n P]`, padded with 0, and where they are real."""
    row, column = pos.nonzero(as_tuple=True)
    many = torch.bincount(row, minlength=len(pos))
    most = int(many.max()) if len(row) else 0
    first = many.cumsum(0) - many
    at = torch.zeros(len(pos), most, dtype=torch.int64, device=pos.device)
    slot = torch.arange(len(row), device=pos.device) - first[row]
    at[row, slot] = column
    return at, torch.arange(most, device=pos.device) < many[:, None]


def hinge_of_rows(sim: Tensor, pos: Tensor, neg: Tensor, margin: float, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Total and active weight of the rows; writes d total / d sim to `slope`."""
    at, real = positives(pos)
    weight = pos.gather(1, at).to(sim.dtype) * real
    threshold = sim.gather(1, at) - margin
    weigh_neg = None if neg.dtype == torch.bool else neg
    if at.shape[1] <= FEW:
        return _loop(sim, neg, at, real, weight, threshold, slope)
    there = sim.masked_fill(neg == 0, -torch.inf)
    return _search(there, weigh_neg, at, weight, threshold.masked_fill(~real, torch.inf), slope)


def _loop(
    sim: Tensor, neg: Tensor, at: Tensor, real: Tensor, weight: Tensor, threshold: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor]:
    """Σ_p w_p Σ_n [s_n − t_p]₊ = Σ_n slope_n (s_n − t) − Σ_p w_p (t_p − t) active_p, t the row's lowest threshold."""
    count, lost = sim.new_zeros(len(sim)), sim.new_zeros(len(sim))
    if not at.shape[1]:
        slope.zero_()
        return count, lost
    lowest = torch.where(real, threshold, threshold[:, :1]).amin(1, keepdim=True)  # where real at all, the first is
    above = torch.where(real, threshold - lowest, 0)
    excess = (neg if neg.dtype == torch.bool else neg > 0).to(sim.dtype).mul_(sim - lowest)
    active, pulled = torch.empty_like(excess), torch.empty_like(weight)
    for p in range(at.shape[1]):
        torch.gt(excess, above[:, p, None], out=active)
        if neg.dtype != torch.bool:
            active *= neg
        many = weight[:, p] * active.sum(1)
        pulled[:, p] = many
        count += many
        lost += above[:, p] * many
        torch.mul(active, weight[:, p, None], out=slope) if p == 0 else slope.addcmul_(active, weight[:, p, None])
    total = (slope * excess).sum(1) - lost
    slope.scatter_add_(1, at, -pulled)
    return total, count


def _search(
    there: Tensor, weigh_neg: Tensor | None, at: Tensor, weight: Tensor, threshold: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor]:
    threshold, order = threshold.sort(1)
    weight, at = weight.gather(1, order), at.gather(1, order)
    ahead = torch.nn.functional.pad(weight.double().cumsum(1), (1, 0))  # weight of the first k positives
    level = torch.nn.functional.pad((weight * threshold.masked_fill(weight == 0, 0)).double().cumsum(1), (1, 0))
    k = torch.searchsorted(threshold, there)
    active = ahead.gather(1, k)
    if weigh_neg is not None:
        active = active * weigh_neg
    reached = level.gather(1, k) * (1 if weigh_neg is None else weigh_neg)
    total = (torch.where(active > 0, active * there, 0) - reached).sum(1)
    slope.copy_(active)
    passed = torch.zeros_like(ahead)
    passed.scatter_add_(1, k, torch.ones_like(active) if weigh_neg is None else weigh_neg.double())
    beyond = passed.flip(1).cumsum(1).flip(1)[:, 1:]  # weight of the negatives above each threshold
    slope.scatter_add_(1, at, -(weight * beyond).to(slope.dtype))
    return total.to(there.dtype), active.sum(1).to(there.dtype)

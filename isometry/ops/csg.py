"""Cumulative spectral gradient of classes that overlap (Branchaud-Charron, Achkar and Jodoin, CVPR 2019)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def drawn(size: Int[Tensor, " c"], draws: int, seed: int) -> Int[Tensor, " q"]:
    """Up to `draws` items of each class without replacement, as positions in items sorted by class; rising.

    >>> drawn(torch.tensor([2, 5]), 2, seed=0)[:2]
    tensor([0, 1])
    """
    owner = torch.repeat_interleave(torch.arange(len(size)), size.cpu())
    order = torch.randperm(len(owner), generator=torch.Generator().manual_seed(seed))
    order = order[owner[order].argsort(stable=True)]
    place = torch.arange(len(owner)) - (size.cpu().cumsum(0) - size.cpu())[owner]
    return order[place < draws].sort().values.to(size.device)


def overlap(
    y: Int[Tensor, " q"], near: Int[Tensor, "q k"], log_volume: Float[Tensor, " q"], count: int
) -> Float[Tensor, "c c"]:
    """How much classes look alike to their neighbours: W_ij = Σ_c min(S_ic, S_jc), in [0, 1], 1 on the diagonal.

    S_i is the mean over the drawn items of class i of the shares of each class among their neighbours, each item weighed
    by 1 / V. Both rows sum to 1, so W is 1 − the Bray-Curtis distance of the paper. Weights are taken relative to the
    largest of the class, from logarithms: nothing overflows. O(c²) memory, at most O(c³) time.

    Args:
        y: classes of the drawn items, 0 … count − 1, each at least once.
        near: classes of their neighbours.
    """
    least = torch.full((count,), torch.inf, dtype=torch.float64, device=y.device)
    least = least.scatter_reduce(0, y, log_volume.double(), "amin")
    weight = (least[y] - log_volume).exp()
    s = torch.zeros(count * count, dtype=torch.float64, device=y.device)
    cell = y[:, None] * count + near
    s.index_add_(0, cell.flatten(), weight[:, None].expand_as(cell).flatten())
    s = s.view(count, count)
    return common(s / s.sum(1, keepdim=True))


def common(s: Float[Tensor, "c c"]) -> Float[Tensor, "c c"]:
    """Σ_k min(s_ik, s_jk), of rows that sum to 1: column by column where few are not 0, else by distances of rows."""
    count, used = len(s), s > 0
    if 32 * int(used.sum(0).square().sum()) > count**3:
        return (1 - torch.cdist(s, s, p=1) / 2).clamp(0, 1)
    w = torch.zeros_like(s)
    for column in range(count):
        rows = used[:, column].nonzero().squeeze(1)
        share = s[rows, column]
        w[rows[:, None], rows] += torch.minimum(share[:, None], share)
    return w.clamp_max(1)


def cumulative_spectral_gradient(w: Float[Tensor, "c c"]) -> float:
    """Σ_i max_{j≤i} δ_j, with δ_i = (λ_{i+1} − λ_i) / (c − i) and 0 = λ_0 ≤ λ_1 ≤ … the spectrum of diag(W 1) − W.

    >>> cumulative_spectral_gradient(torch.eye(4))
    0.0
    >>> round(cumulative_spectral_gradient(torch.ones(4, 4)), 6)
    3.0
    """
    laplacian = torch.diag(w.double().sum(1)) - w.double()
    values = torch.linalg.eigvalsh(laplacian).clamp_min(0)
    steps = values.diff().clamp_min(0) / torch.arange(len(w), 1, -1, device=w.device)
    return float(steps.cummax(0).values.sum()) if len(steps) else 0.0

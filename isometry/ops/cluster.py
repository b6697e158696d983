"""k-means by Lloyd's iterations (Lloyd, IEEE Trans. Inf. Theory 1982), exact and in chunks.

The nearest centre is found as a largest product, x·c − ‖c‖²/2, by faiss where it is installed and the data is on the CPU,
and by torch otherwise. An item whose centre stayed is compared only with the centres that moved: with thousands of
clusters most come to rest after a few rounds.
"""

import importlib.util

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.memory import in_bytes
from isometry.ops.neighbours import Propose, by_faiss, by_torch

ROUNDS = 20  # of Lloyd's iterations, at most


@torch.no_grad()
def kmeans(
    x: Float[Tensor, "n d"], k: int, *, seed: int, memory: str | int = "512 MB", propose: Propose | None = None
) -> Int[Tensor, " n"]:
    """The cluster of each item, 0 … k − 1, by squared Euclidean distance. Some clusters may stay empty.

    Centres start at k items drawn without replacement, and follow the means of their items until no item changes its
    cluster, or `ROUNDS` times. A centre without items moves to the item that lies farthest from its own centre.

    Args:
        memory: working memory beside two copies of `x`.
        propose: `by_faiss` or `by_torch` of `ops.neighbours`.

    Raises:
        ValueError: where there are fewer items than clusters.

    >>> kmeans(torch.tensor([[0.0], [9.0], [0.1], [9.1]]), 2, seed=0)
    tensor([0, 1, 0, 1])
    """
    if not 1 <= k <= len(x):
        raise ValueError(f"{len(x):,} items make 1 to {len(x):,} clusters; got k={k}.")
    propose = propose or (by_faiss if importlib.util.find_spec("faiss") and x.device.type == "cpu" else by_torch)
    x = x.float() - x.double().mean(0).float()
    start = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:k].to(x.device)
    centre, moved = x[start], torch.ones(k, dtype=torch.bool, device=x.device)
    label = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    score = torch.full((len(x),), -torch.inf, device=x.device)
    for turn in range(ROUNDS):
        before = label.clone()
        _assign(x, centre, moved, label, score, memory, propose)
        moved = torch.zeros_like(moved)
        changed = (before != label) if turn else torch.ones_like(label, dtype=torch.bool)
        moved[label[changed]] = moved[before[changed]] = True
        _follow(x, centre, moved, label, score)
        if not moved.any():
            break
    return label


def _assign(
    x: Tensor, centre: Tensor, moved: Tensor, label: Tensor, score: Tensor, memory: str | int, propose: Propose
) -> None:
    """Gives each item its nearest centre, and that centre's x·c − ‖c‖²/2."""
    raised = torch.cat([centre, -centre.square().sum(1, keepdim=True) / 2], 1)
    everywhere, some = torch.arange(len(centre), device=x.device), moved.nonzero().squeeze(1)
    lost = moved[label]
    for items, among in ((lost.nonzero().squeeze(1), everywhere), ((~lost).nonzero().squeeze(1), some)):
        if not len(items) or not len(among):
            continue
        against = raised[among]
        for part in items.split(max(1, in_bytes(memory) // (8 * x.shape[1] + 4 * min(len(among), 2**14)))):
            best, index = propose(torch.cat([x[part], x.new_ones(len(part), 1)], 1), against, 1)
            better = (best[:, 0] > score[part]) | lost[part]
            label[part[better]], score[part[better]] = among[index[better, 0]], best[better, 0]


def _follow(x: Tensor, centre: Tensor, moved: Tensor, label: Tensor, score: Tensor) -> None:
    """Moves centres to the means of their items, and those without items to items far from their own centre."""
    size = torch.bincount(label, minlength=len(centre))
    full = moved & (size > 0)
    mean = torch.zeros_like(centre).index_add_(0, label, x) / size.clamp_min(1)[:, None]
    centre[full] = mean[full]
    empty = (size == 0).nonzero().squeeze(1)
    if len(empty):
        squared = x.square().sum(1)
        far, item = (squared - 2 * score).topk(len(empty))
        apart = far > 1e-6 * squared.mean()  # beyond rounding
        centre[empty[apart]] = x[item[apart]]
        moved[empty[apart]] = True

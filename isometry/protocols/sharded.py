"""Exact search where each rank holds a part of the gallery: no rank ever has the whole."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry import distributed
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner, keys, unpack


def nearest_over_ranks(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    k: int,
    *,
    ids_q: Int[Tensor, " n"] | None = None,
    ids_g: Int[Tensor, " m"] | None = None,
    similarity: Compare = inner,
    turn: Int[Tensor, " n"] | None = None,
    memory: str | int = "512 MB",
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k most similar items of the galleries of all ranks, put end to end in the order of the ranks.

    Each rank searches its own part; k candidates a query travel, and no embeddings. The answer is that of
    `ops.neighbours.nearest` on the whole, equals included.

    Args:
        q: the same queries on every rank, with the same `ids_q` and `turn`.
        g: this rank's part of the gallery; parts may differ in length. `ids_g` are its ids.

    Returns:
        Similarities and places in the whole gallery, the same on every rank; −inf and −1 where it has fewer than k.
    """
    sizes = distributed.lengths(len(g), q.device)
    whole, before = sum(sizes), sum(sizes[: distributed.rank()])
    turn = torch.zeros(len(q), dtype=torch.int64, device=q.device) if turn is None else turn
    inside = (turn >= before) & (turn < before + len(g))
    here = torch.where(inside, turn - before, 0)
    sim, index = nearest(q, g, k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=here, memory=memory)
    index = torch.where(index >= 0, index + before, -1)
    if distributed.ranks() == 1:
        return sim, index
    parts = [distributed.gather_rows(x).view(distributed.ranks(), len(q), k) for x in (sim, index)]
    sims, indices = (part.transpose(0, 1).reshape(len(q), -1) for part in parts)
    key = keys(sims, indices.clamp_min(0), turn, whole)
    best = key.masked_fill(indices < 0, torch.iinfo(torch.int64).min).topk(k, dim=1).values
    real = best > torch.iinfo(torch.int64).min
    sim, index = unpack(best, turn, whole)
    return sim.masked_fill(~real, -torch.inf), index.masked_fill(~real, -1)

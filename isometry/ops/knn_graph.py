"""Who is near whom, among all items of a search: the graph that re-rankings work on."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner, occurrences


class Items(NamedTuple):
    """All items of a search, each once: the gallery, then the queries that are not in it.

    Attributes:
        x: their embeddings; the first rows are the gallery's.
        of_q: the row of each query.
    """

    x: Float[Tensor, "N d"]
    of_q: Int[Tensor, " n"]


def all_items(
    q: Float[Tensor, "n d"],
    g: Float[Tensor, "m d"],
    ids_q: Int[Tensor, " n"] | None = None,
    ids_g: Int[Tensor, " m"] | None = None,
) -> Items:
    """Gallery and queries in one; a query with the id and the vector of a gallery item is that item.

    >>> g = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> all_items(g[1:], g, torch.tensor([7]), torch.tensor([6, 7])).of_q
    tensor([1])
    """
    q, g = q.detach().float(), g.detach().float()
    of_q = torch.full((len(q),), -1, device=q.device)
    if ids_q is not None and ids_g is not None and len(q) and len(g):
        order = ids_g.argsort(stable=True)
        start = torch.searchsorted(ids_g[order], ids_q)
        copies = occurrences(ids_q, ids_g)
        for turn in range(int(copies.max())):
            some = ((turn < copies) & (of_q < 0)).nonzero().squeeze(1)
            row = order[start[some] + turn]
            of_q[some] = torch.where((q[some] == g[row]).all(1), row, -1)
    new = (of_q < 0).nonzero().squeeze(1)
    of_q[new] = len(g) + torch.arange(len(new), device=q.device)
    return Items(torch.cat([g, q[new]]) if len(new) else g, of_q)


def around(
    x: Float[Tensor, "N d"],
    k: int,
    *,
    similarity: Compare = inner,
    turn: Int[Tensor, " N"] | None = None,
    memory: str | int = "512 MB",
) -> tuple[Float[Tensor, "N k"], Int[Tensor, "N k"]]:
    """The k nearest others of each item (fewer columns where there are fewer), never itself; equals in turn from itself."""
    rows = torch.arange(len(x), device=x.device)
    k = min(k, len(x) - 1)
    if k < 1:
        return x.new_empty(len(x), 0), rows.new_empty(len(x), 0)
    turn = rows if turn is None else turn
    return nearest(x, x, k, ids_q=rows, ids_g=rows, similarity=similarity, turn=turn, memory=memory)

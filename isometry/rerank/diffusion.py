"""Diffusion on the graph of a gallery (Iscen, Tolias, Avrithis, Furon and Chum, CVPR 2017)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import sparse
from isometry.ops.knn_graph import around
from isometry.ops.neighbours import nearest, rows_in
from isometry.ops.ranking import Compare, inner
from isometry.ops.resolvent import blocks, resolvent
from isometry.rerank.reranking import Lists, Reranking, followed_by


class Diffusion(Reranking):
    """Ranks by walks over the gallery: what is reached from the query's neighbours in many short ways is near.

    f = (I − alpha S)^{-1} y, S = D^{-1/2} A D^{-1/2}.

    A_ij = [cos(g_i, g_j)]₊^gamma where i and j are among the k nearest of each other, else 0; y holds
    [cos(q, g_j)]₊^gamma of the query's `k_query` nearest. The system is solved by conjugate gradients, on the rows and
    columns of S that belong to the query's `truncate` nearest items. Items that no walk reaches follow in their plain
    order, below the others.

    Args:
        k: neighbours in the graph; only mutual ones count.
        k_query: gallery items where the walks start.
        gamma: how much faster than the cosine a weight falls.
        alpha: how far walks go, below 1.
        truncate: how many of the gallery a query's system holds. Time grows with it and not with the gallery.
        steps: of conjugate gradients, at most: 20 in the paper, which at alpha = 0.99 is before convergence.

    For cosines only. Where the gallery falls into groups of no more than k_query items, there is nothing for walks to find.

    >>> z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.4], [1.0, 0.9], [0.3, -1.0]]))
    >>> Diffusion(k=2, k_query=1).neighbours(z[:1], z[1:], 3)[1]
    tensor([[0, 1, 2]])

    Raises:
        ValueError: for a count below 1, an alpha outside 0 … 1, or a similarity other than the cosine.
    """

    queries_independent = True
    k: int = 50
    k_query: int = 10
    gamma: float = 3.0
    alpha: float = 0.99
    truncate: int = 1000
    steps: int = 20

    def __post_init__(self) -> None:
        if min(self.k, self.k_query, self.truncate, self.steps) < 1 or not 0 <= self.alpha < 1 or self.gamma <= 0:
            raise ValueError(
                f"{self!r}: counts are 1 or more, gamma is positive, and alpha is below 1 and not negative."
            )

    @torch.no_grad()
    def neighbours(
        self,
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
        if similarity is not inner:
            raise ValueError('Diffusion weighs the edges of its graph by cosines: use it with similarity="cosine".')
        size = min(self.truncate, len(g))
        deep = max(k, size, min(self.k_query, len(g)))
        sim, index = nearest(q, g, deep, ids_q=ids_q, ids_g=ids_g, turn=turn, memory=memory)
        if not len(q) or not len(g):
            return sim[:, :k], index[:, :k]
        s = self.graph(g, memory)
        walk = self._whole if size == len(g) else self._truncated
        step = rows_in(memory, 100 * len(g) + (64 * size * min(self.k, len(g)) if size < len(g) else 0))
        found = []
        for rows in torch.arange(len(q)).split(step):
            near = (sim[rows].cpu(), index[rows].cpu())
            reached = walk(s, near, size, k)
            found.append(followed_by(reached, (near[0][:, : max(k, 1)], near[1][:, : max(k, 1)])))
        return torch.cat([a for a, _ in found]).to(q.device), torch.cat([b for _, b in found]).to(q.device)

    def graph(self, g: Float[Tensor, "m d"], memory: str | int = "512 MB") -> sparse.CSR:
        """S: the normalised graph of mutual neighbours."""
        sim, index = around(g, self.k, memory=memory)
        a = sparse.from_lists(index, sim.double().clamp(0, 1) ** self.gamma, len(g))
        return sparse.normalised(a.minimum(a.T.tocsr()).tocsr())

    def _start(self, near: Lists) -> Lists:
        sim, index = near[0][:, : self.k_query], near[1][:, : self.k_query]
        return torch.where(index >= 0, sim.double().clamp(0, 1) ** self.gamma, 0), index.clamp_min(0)

    def _whole(self, s: sparse.CSR, near: Lists, size: int, k: int) -> Lists:
        weight, at = self._start(near)
        y = torch.zeros(len(at), size, dtype=torch.float64).scatter_add_(1, at, weight)
        f = resolvent(s, y, self.alpha, most=self.steps)
        allowed = torch.zeros(len(at), size + 1, dtype=torch.bool).scatter_(1, near[1] + 1, True)[:, 1:]
        every = torch.arange(size).expand(len(at), -1)
        return _first(torch.where(allowed, f, 0), every, k)

    def _truncated(self, s: sparse.CSR, near: Lists, size: int, k: int) -> Lists:
        items = near[1][:, :size]
        weight, at = self._start(near)
        y = torch.zeros(items.shape, dtype=torch.float64)
        y[:, : at.shape[1]] = weight
        f = blocks(_cut(s, items), y, self.alpha, tolerance=1e-6, most=self.steps)
        return _first(torch.where(items >= 0, f, 0), items, k)


def _first(f: Tensor, items: Tensor, k: int) -> Lists:
    """The k largest, and −1 for what is not reached."""
    best, place = f.sort(dim=1, descending=True, stable=True)
    best, found = best[:, :k], items.gather(1, place)[:, :k]
    best, found = (torch.nn.functional.pad(x, (0, k - best.shape[1])) for x in (best, found))
    return torch.where(best > 0, best, -torch.inf), torch.where(best > 0, found, -1)


def _cut(s: sparse.CSR, items: Int[Tensor, "b t"]) -> sparse.CSR:
    """Rows and columns of S that belong to each list, as one block-diagonal matrix."""
    b, t = items.shape
    local = torch.full((b, s.shape[0] + 1), -1).scatter_(1, items + 1, torch.arange(t).expand(b, t))
    local[:, 0] = -1
    start, column, value = (torch.from_numpy(part) for part in (s.indptr, s.indices, s.data))
    flat = items.flatten().clamp_min(0)
    count = torch.where(items.flatten() >= 0, start[flat + 1] - start[flat], 0).long()
    owner = torch.repeat_interleave(torch.arange(b * t), count)
    at = torch.arange(len(owner)) + torch.repeat_interleave(start[flat].long() - count.cumsum(0) + count, count)
    block = owner // t
    col = local[block, column[at].long() + 1]
    inside = col >= 0
    counts = torch.bincount(owner[inside], minlength=b * t)
    return sparse.from_counts(counts, (block * t + col)[inside], value[at][inside], b * t)

"""k-reciprocal re-ranking (Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import sparse
from isometry.ops.geometry import farthest, pair_similarity, squared_distance
from isometry.ops.knn_graph import Items, all_items, around
from isometry.ops.neighbours import nearest
from isometry.ops.overlap import overlaps
from isometry.ops.ranking import Compare, inner, keys, unpack
from isometry.ops.reciprocal import reciprocal_sets
from isometry.rerank.reranking import Lists, Reranking

Distance = Callable[[Tensor, Tensor], Tensor]
TINY = 2.0**-1000  # so that a distance of 0 can be divided by the largest, which is 0
SPARE = 1e-6  # more than rounding can hide


class KReciprocal(Reranking):
    """Ranks by the neighbours that two items share: those that have each other in their lists.

    d = (1 − weight) d_J + weight D, d_J(i, j) = 1 − Σ_f min(V_if, V_jf) / (2 − Σ_f min(V_if, V_jf)).

    D_ij is the squared distance divided by the largest of row i. V_i is e^{−D_i·} on the k₁-reciprocal neighbours of i
    (with those of its neighbours, to half of k₁, that lie in them by more than two thirds), divided by its sum, and then
    the mean of V over the first k₂ of i's list, itself the first. Neighbours are taken among queries and gallery
    together; a query that is in the gallery, by id and vector, counts once.

    The values are those of the published code, to 1e-6; its matrices of all pairs are not made. A list needs, beside the
    items with d_J < 1, only the nearest of those with d_J = 1, since these are in the order of D. With `weight=0` the
    published code leaves them in no order; here D decides (d = 1 + D). Where all items coincide it divides by 0; here
    D is 0.

    Args:
        k1: neighbours that must be reciprocal.
        k2: neighbours whose V is averaged; 1 for none.
        weight: of the plain distance, λ in the paper, 0 … 1.

    Similarities are −d. They are a query's own: its D is divided by its own largest distance.

    >>> z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]))
    >>> KReciprocal(k1=2, k2=1).neighbours(z[:1], z[1:], 3)[1]
    tensor([[0, 2, 1]])

    Raises:
        ValueError: for k1 or k2 below 1, a weight outside 0 … 1, or a similarity that is no distance.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.weight <= 1:
            raise ValueError(f"{self!r}: k1 and k2 are 1 or more, and weight lies in 0 … 1.")

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
        q, g = q.detach().float(), g.detach().float()
        turn = torch.zeros(len(q), dtype=torch.int64, device=q.device) if turn is None else turn
        items = all_items(q, g, ids_q, ids_g)
        twice = _is_gallery(items, ids_g)  # every item searches all others: one search gives both lists
        deep = max(k, min(self.k1, len(g) - 1)) if twice else k
        sim, index = nearest(q, g, deep, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        plain = (sim[:, :k], index[:, :k])
        if not len(q) or not len(g):
            return plain
        others = index[:, : self.k1] if twice else around(items.x, self.k1, similarity=similarity, memory=memory)[1]
        scale = farthest(items.x, similarity, memory).clamp_min(TINY)
        v = self.encoded(items.x, others, scale, similarity, memory)
        far = scale[items.of_q]
        lists = []
        of_q, of_g = (v, v) if twice else (v[items.of_q.cpu().numpy()], v[: len(g)])
        for rows, row, item, shared in overlaps(of_q, of_g, memory):
            row, item, shared = (part.to(q.device) for part in (row, item, shared))
            jaccard = 1 - shared / (2 - shared)
            if ids_q is not None and ids_g is not None:
                jaccard = torch.where(ids_g[item] == ids_q[row + rows.start], torch.inf, jaccard)
            met = _lists(row, item, jaccard, rows.stop - rows.start, len(g))

            def distance(where: Tensor, index: Tensor, start: int = rows.start) -> Tensor:
                one, other = where.nonzero(as_tuple=True)[0] + start, index[where]
                sim = pair_similarity(q, g, one, other, similarity, memory)
                return squared_distance(sim, similarity) / far[one]

            near = (plain[1][rows], squared_distance(plain[0][rows].double(), similarity) / far[rows, None])
            lists.append(self._best(met, near, distance, turn[rows], k, len(g)))
        return torch.cat([sim for sim, _ in lists]), torch.cat([index for _, index in lists])

    def encoded(
        self,
        x: Float[Tensor, "N d"],
        others: Int[Tensor, "N k1"],
        scale: Float[Tensor, " N"],
        similarity: Compare,
        memory: str | int,
    ) -> sparse.CSR:
        """V: a row of weights for each item, on the items that are its reciprocal neighbours; rows sum to 1."""
        rank = torch.cat([torch.arange(len(x), device=x.device)[:, None], others], 1)
        counts, columns, weights = [], [], []
        for rows, members in reciprocal_sets(rank, memory):
            row, place = (members >= 0).nonzero(as_tuple=True)
            column = members[row, place]
            sim = pair_similarity(x, x, row + rows.start, column, similarity, memory)
            weight = torch.exp(-squared_distance(sim, similarity) / scale[row + rows.start])
            total = torch.zeros(len(members), dtype=torch.float64, device=x.device).index_add_(0, row, weight)
            counts.append((members >= 0).sum(1))
            columns.append(column)
            weights.append(weight / total[row])
        v = sparse.from_counts(torch.cat(counts), torch.cat(columns), torch.cat(weights), len(x))
        first = rank[:, : self.k2]
        mean = torch.full(first.shape, 1 / first.shape[1], dtype=torch.float64, device=x.device)
        return v if self.k2 == 1 else (sparse.from_lists(first, mean, len(x)) @ v).tocsr()

    def _best(self, met: Lists, near: Lists, distance: Distance, turn: Tensor, k: int, m: int) -> tuple[Tensor, Tensor]:
        """The first k of the items met, with their d_J, and of the nearest, with their D."""
        index, jaccard = met
        share, beside = 1 - self.weight, near[0].sort(1).values
        at, shared = _found(near[0], index)
        d = torch.where(shared, jaccard.gather(1, at), 1.0)
        known = share * d + torch.where(shared, self.weight, self.weight or 1.0) * near[1]
        known = torch.where(near[0] >= 0, known, torch.inf)
        few, place = jaccard.topk(
            min(k, jaccard.shape[1]), dim=1, largest=False
        )  # with the nearest they bound the k-th
        item = index.gather(1, place)
        new = few.isfinite() & ~_found(item, beside)[1]
        final = _where(new, lambda there: share * few[there] + self.weight * distance(there, item))
        bound = torch.cat([known, final], 1).topk(k, dim=1, largest=False).values[:, -1:]
        worth = (index < m) & (share * jaccard + self.weight * near[1][:, -1:] <= bound + SPARE)
        row, at = worth.nonzero(as_tuple=True)
        some, d = _lists(row, index[row, at], jaccard[row, at], len(index), m)
        new = (some < m) & ~_found(some, beside)[1]
        final = _where(new, lambda there: share * d[there] + self.weight * distance(there, some))
        best = keys(-torch.cat([final, known], 1), torch.cat([some % m, near[0].clamp_min(0)], 1), turn, m)
        sim, column = unpack(best.topk(k, dim=1).values, turn, m)
        return sim, torch.where(sim.isfinite(), column, -1)


def _where(there: Tensor, value: Callable[[Tensor], Tensor]) -> Tensor:
    """`value` where something is there, ∞ elsewhere."""
    out = torch.full(there.shape, torch.inf, dtype=torch.float64, device=there.device)
    out[there] = value(there)
    return out


def _lists(row: Tensor, item: Tensor, value: Tensor, n: int, m: int) -> Lists:
    """Pairs, by rows, as lists `[n l]` of items and values; m and ∞ where there are none."""
    count = torch.bincount(row, minlength=n)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    index = torch.full((n, max(1, int(count.max()))), m, device=row.device)
    out = torch.full(index.shape, torch.inf, dtype=torch.float64, device=row.device)
    index[row, place], out[row, place] = item, value
    return index, out


def _found(x: Tensor, rising: Tensor) -> tuple[Tensor, Tensor]:
    """Where each x is in its row's rising items, and whether it is there."""
    at = torch.searchsorted(rising, x.contiguous()).clamp_max(rising.shape[1] - 1)
    return at, rising.gather(1, at) == x


def _is_gallery(items: Items, ids_g: Tensor | None) -> bool:
    """Whether the queries are the gallery, in its order, and no two items share an id."""
    rows = torch.arange(len(items.x), device=items.x.device)
    return ids_g is not None and torch.equal(items.of_q, rows) and len(ids_g.unique()) == len(rows)

"""k-reciprocal re-ranking (Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops import sparse
from isometry.ops.geometry import farthest, pair_similarity, squared_distance
from isometry.ops.knn_graph import Items, all_items, around
from isometry.ops.neighbours import nearest
from isometry.ops.overlap import at_least, overlaps
from isometry.ops.ranking import Compare, inner, keys, unpack
from isometry.ops.reciprocal import reciprocal_sets
from isometry.rerank.reranking import Lists, Reranking

Distance = Callable[[Tensor, Tensor], Tensor]
TINY = 2.0**-1000  # so that a distance of 0 can be divided by the largest, which is 0
SPARE = 1e-6  # more than rounding can hide
KNOWN = 2.0  # more than two items can share


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
        deep = max(k, min(k + self.k1, len(g) - twice))  # those beyond k tell which others need no look
        sim, index = nearest(q, g, deep, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        if not len(q) or not len(g):
            return sim[:, :k], index[:, :k]
        first = min(self.k1, len(items.x) - 1)
        others = index[:, :first] if twice else around(items.x, first, similarity=similarity, memory=memory)[1]
        scale = farthest(items.x, similarity, memory).clamp_min(TINY)
        v = self.encoded(items.x, others, scale, similarity, memory)
        of_q, of_g = (v, v) if twice else (v[items.of_q.cpu().numpy()], v[: len(g)])
        far = scale[items.of_q]
        near = index, squared_distance(sim.double(), similarity) / far[:, None]
        known = sparse.from_lists(index, torch.full(index.shape, KNOWN), len(g))
        lists = []
        for rows, sums in overlaps(of_q, of_g, known, memory):
            ids = None if ids_q is None or ids_g is None else (ids_q[rows], ids_g)

            def distance(one: Tensor, other: Tensor, start: int = rows.start) -> Tensor:
                sim = pair_similarity(q, g, one + start, other, similarity, memory)
                return squared_distance(sim, similarity) / far[one + start]

            lists.append(self._best(sums, (near[0][rows], near[1][rows]), ids, distance, turn[rows], k))
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

    def _best(
        self, sums: sparse.CSR, near: Lists, ids: Lists | None, distance: Distance, turn: Tensor, k: int
    ) -> tuple[Tensor, Tensor]:
        """The first k, from what is shared (with the nearest by `KNOWN` more), and the nearest with their D.

        All other items are at least as far as the last of the nearest. So the k-th of any that are known bounds the d_J
        of those that can come before it.
        """
        (n, m), share = sums.shape, 1 - self.weight
        index, order = near[0].sort(1)
        plain, shared = near[1].gather(1, order), torch.zeros_like(near[1])
        last = plain.amax(1, keepdim=True)
        shared[index >= 0] = at_least(sums, torch.full_like(last[:, 0], KNOWN))[2] - KNOWN
        known = share * _jaccard(shared) + torch.where(shared > 0, self.weight, self.weight or 1.0) * plain
        row, item, shared = at_least(sums, self._least(known.kthvalue(k, dim=1).values, last[:, 0]))
        new = shared < KNOWN if ids is None else (shared < KNOWN) & (ids[1][item] != ids[0][row])
        item, jaccard = _lists(row[new], item[new], _jaccard(shared[new]), n, m)
        few, place = jaccard.topk(min(k, jaccard.shape[1]), dim=1, largest=False)
        met = torch.cat([known, self._final(few, item.gather(1, place), distance)], 1)
        worth = share * jaccard + self.weight * last <= met.kthvalue(k, dim=1, keepdim=True).values + SPARE
        row, at = (worth & jaccard.isfinite()).nonzero(as_tuple=True)
        item, jaccard = _lists(row, item[row, at], jaccard[row, at], n, m)
        final = torch.cat([self._final(jaccard, item, distance), known], 1)
        best = keys(-final, torch.cat([item % m, index.clamp_min(0)], 1), turn, m)
        sim, column = unpack(best.topk(k, dim=1).values, turn, m)
        return sim, torch.where(sim.isfinite(), column, -1)

    def _least(self, bound: Tensor, last: Tensor) -> Tensor:
        """What an item must share so that its d can be within the bound, if its D is the last; more than nothing."""
        nearness = 1 - (bound + SPARE - self.weight * last) / max(1 - self.weight, TINY)  # 1 − d_J = s / (2 − s)
        return torch.where(nearness > 0, 2 * nearness / (1 + nearness), TINY)

    def _final(self, jaccard: Tensor, item: Tensor, distance: Distance) -> Tensor:
        """d of the items of lists; ∞ where there is none."""
        final, there = jaccard.clone(), jaccard.isfinite()
        row = there.nonzero(as_tuple=True)[0]
        final[there] = (1 - self.weight) * jaccard[there] + self.weight * distance(row, item[there])
        return final


def _jaccard(shared: Tensor) -> Tensor:
    return 1 - shared / (2 - shared)


def _lists(row: Tensor, item: Tensor, value: Tensor, n: int, m: int) -> Lists:
    """Pairs, by rows, as lists `[n l]` of items and values; m and ∞ where there are none."""
    count = torch.bincount(row, minlength=n)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    index = torch.full((n, max(1, int(count.max()))), m, device=row.device)
    out = torch.full(index.shape, torch.inf, dtype=torch.float64, device=row.device)
    index[row, place], out[row, place] = item, value
    return index, out


def _is_gallery(items: Items, ids_g: Tensor | None) -> bool:
    """Whether the queries are the gallery, in its order, and no two items share an id."""
    rows = torch.arange(len(items.x), device=items.x.device)
    return ids_g is not None and torch.equal(items.of_q, rows) and len(ids_g.unique()) == len(rows)

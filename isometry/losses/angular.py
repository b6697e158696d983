"""Angular loss (Wang, Zhou, Wen, Liu and Lin, "Deep metric learning with angular loss", ICCV 2017)."""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from isometry.cost import Cost, ratio
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.entries import entries
from isometry.relation import Relation


class Angular(Loss):
    """Keeps the angle at the negative small in each triangle of anchor, positive and negative, whatever its size.

    log(1 + Σ_n e^{4 t (z_a + z_p)·z_n − 2 (1 + t) z_a·z_p}), t = tan² alpha, averaged over pairs of a row and a positive of
    it; embeddings are normalised. `alpha` is in degrees; the default is the paper's, which tries 36 … 55. It also adds the
    N-pair loss, with this one twice: `NPair() + 2 * Angular()`. Above 65° a sum may be less than numbers can say, and is then
    taken as e⁻⁸⁰ or so of its largest.

    Σ_n is, for each positive pair, an entry of a product of two matrices: nothing of size n·n·n, nor the other entries. A
    positive's similarities with the negatives are read in its own row: positives are items that are queries as well, and the
    pair matrix is not cut into blocks.

    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> Angular()(z, torch.tensor([0, 0, 1]))  # log(1 + e⁻⁴)
    tensor(0.0181)

    Raises:
        ValueError: for references without ids.
    """

    alpha: float = 45.0
    whole: ClassVar[bool] = True

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        t = math.tan(math.radians(self.alpha)) ** 2
        if not sim.numel():
            return Cost(angular=ratio(sim.sum(1), sim.sum(1)))
        own, query = self._own_rows(rel)
        tiny = torch.finfo(sim.dtype).tiny
        highest = torch.where(masked.some(rel.neg), 4 * t * masked.largest(sim.detach(), rel.neg), 0)
        away = masked.powers(sim, highest, rel.neg, 4 * t)  # e^{4t z_a·z_n}, over its row's largest
        weighed = away if rel.neg.dtype == torch.bool else away * rel.neg
        if torch.compiler.is_compiling():  # the compiler wants to know how many there are
            crowd = (weighed @ away[own].T).clamp_min(tiny).log() + highest[:, None] + highest[own]
            pos = rel.pos.to(sim.dtype) * masked.some(rel.neg)[:, None] * query
            return Cost(angular=ratio(masked.total(softplus(crowd - 2 * (1 + t) * sim, threshold=50), pos), pos.sum(1)))
        row, col = rel.pos.nonzero(as_tuple=True)
        there = masked.some(rel.neg)[row] & query[col]
        row, col = row[there], col[there]
        crowd = entries(weighed, away, row, own[col]).clamp_min(tiny).log() + highest[row] + highest[own[col]]
        pos = rel.pos[row, col].to(sim.dtype)
        cost = softplus(crowd - 2 * (1 + t) * sim[row, col], threshold=50) * pos
        zero = torch.zeros_like(highest)
        return Cost(angular=ratio(zero.index_add(0, row, cost), zero.index_add(0, row, pos)))

    def _own_rows(self, rel: Relation) -> tuple[Tensor, Tensor]:
        """Of each column, the row that is the same item, and whether there is one."""
        if rel.ids is None:
            raise ValueError("Angular finds positives among the queries by their ids: loss(z, y, ids=ids).")
        rows, cols = rel.ids
        order = rows.argsort(stable=True)
        place = torch.searchsorted(rows[order], cols.contiguous()).clamp_max(len(rows) - 1)
        return order[place], rows[order[place]] == cols

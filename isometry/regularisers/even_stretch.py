"""A one-sided penalty of uneven stretch between samples (ours; the question is that of "Determinant regularization for deep
metric learning", OpenReview 2022)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from isometry import distributed, engine
from isometry.cost import Cost, ratio
from isometry.embedded import Embedded, wrap
from isometry.noise import Noise
from isometry.samples import Samples
from isometry.term import Term, everyone, samples

SAME = 1e-10
"""Squared distances below this part of the mean are those of duplicates, or of rounding."""
LOT = 4  # the stream of the draw


class EvenStretch(Term):
    """Keeps any two samples from being torn farther apart than pairs of this batch typically are.

    s_ij = log(‖u_i − u_j‖ / ‖h_i − h_j‖) is how much the head stretches what lies between two samples, with h its input and
    u = z / ‖z‖; their mean over pairs, s̄, is held constant. The cost is the mean over pairs of [s_ij − s̄]₊². The largest e^s_ij
    is a lower bound of the head's Lipschitz constant, taken *between* samples, where new classes lie; pairs that are drawn
    together cost nothing, so that the host may contract classes. A map that stretches all pairs alike costs nothing, and
    the scales of z and of h change nothing.

    It needs nothing of the head but its input, and no derivative. Samples are compared with `partners` of the batch of all ranks,
    drawn anew each step by (seed, step, id): O(n · partners · d). Duplicates are left out.

    Ours, tried against the published volumes in the determinant study.

    >>> import torch
    >>> from isometry.embedded import Embedded
    >>> h = torch.eye(4)
    >>> float(EvenStretch()(Embedded(3 * h, h), torch.arange(4)))  # an isometry but for its scale
    0.0

    Raises:
        ValueError: for embeddings that come without the head's input, or fewer than one partner.
    """

    partners: int = 128
    seed: int = 0

    reads_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.partners < 1:
            raise ValueError(f"{self!r}: a sample has at least one partner.")
        self.noise = Noise(seed=self.seed)

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        self.noise.advance()

    def forward(
        self,
        embedded: Embedded | Tensor,
        y: Tensor,
        *,
        ids: Tensor | None = None,
        weight: Tensor | None = None,
        against: tuple[Tensor, ...] | None = None,
        rows: Tensor | slice | None = None,
    ) -> Tensor:
        whole = wrap(embedded)
        side = samples(whole.z, y, ids, weight)
        if whole.h is None:
            raise ValueError(
                "EvenStretch compares embeddings with the head's input; got embeddings alone: give Embedded(z, h)."
            )
        ids = distributed.own_ids(len(side.z), side.z.device) if ids is None else ids
        with torch.autocast(side.z.device.type, enabled=False):
            z = side.z if side.z.dtype == torch.float64 else side.z.float()
            both = torch.cat([functional.normalize(z, dim=1), whole.h.to(z.dtype)], 1)
            mine = Samples(both, y, ids, weight)
            terms = self.stretch(mine, self.drawn(everyone(mine)), z.shape[1])
            return sum(engine.means(terms, weight).values(), start=z.new_zeros(()))

    def drawn(self, every: Samples) -> Samples:
        """The partners, by lot."""
        column = torch.zeros(1, dtype=torch.int64, device=every.z.device)
        lot = self.noise.numbers(every.ids, column, LOT)[:, 0]  # type: ignore[arg-type]
        return every.take(lot.topk(min(self.partners, len(lot))).indices)

    def stretch(self, rows: Samples, cols: Samples, d: int) -> Cost:
        """[s − s̄]₊² over each row's partners. The first d columns of either side are u, the others h."""
        after, before = (squares(rows.z[:, part], cols.z[:, part]) for part in (slice(d), slice(d, None)))
        there = (after > SAME * after.detach().mean()) & (before > SAME * before.detach().mean())
        there &= rows.ids[:, None] != cols.ids  # type: ignore[index]
        counted = there.to(after.dtype) if cols.weight is None else there * cols.weight.to(after.dtype)
        own = counted if rows.weight is None else counted * rows.weight[:, None].to(after.dtype)
        s = 0.5 * (torch.where(there, after, 1).log() - torch.where(there, before, 1).log())
        pairs = distributed.add_up(own.sum().detach())
        typical = distributed.add_up((s.detach() * own).sum()) / pairs.clamp_min(torch.finfo(s.dtype).tiny)
        excess = (s - typical.detach()).clamp_min(0).square()
        return Cost(stretch=ratio((excess * counted).sum(1), counted.sum(1)))


def squares(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Squared distances."""
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp_min(0)

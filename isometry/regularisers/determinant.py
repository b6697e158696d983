"""Determinant regularisation ("Determinant regularization for deep metric learning", OpenReview, 2022).

Its text is not at hand beyond abstract and introduction: the exact penalty, the flow's size and the constants are not known
to us, and what is here is our reading, by components that can be exchanged.
"""

import math
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from isometry import distributed, engine
from isometry.component import fresh
from isometry.cost import Cost, ratio
from isometry.embedded import Embedded, wrap
from isometry.noise import Noise
from isometry.regularisers.between import Points, Real
from isometry.regularisers.maps import Map, head
from isometry.regularisers.volumes import LocalVolume, Spherical
from isometry.samples import Samples
from isometry.term import Term, samples


class Determinant(Term):
    """Keeps the head from stretching space, at the samples and between them, so that unseen classes stay small.

    [(1/n) Σ_i R(x_i) − R_0 − floor]₊, where R is a log-volume of the map `of` at x_i, and R_0 its mean over the first batch
    (0 for a flow, which starts as the identity). Add it to any loss: `ProxyAnchor() + 0.05 * Determinant()`; 0.05 is the
    factor that is quoted of the paper.

    R has no lower bound, and where nothing holds it all points collapse: hence the hinge, which lets the mean go to `floor`
    from its start (in nats) and pushes no farther. `floor=None` leaves it out, and R_0 with it. −1 is ours: on average,
    distances of directions may shrink to 37 %. `Det` lies above 0; of a flow it starts at 1, and −1 is no hinge.

    No label is read, unless `points` does. Defaults suit any head: exact and cheap for a flow and for `Linear`, by the whole
    Jacobian for others.

    Args:
        of: which map: `head` (a flow after its linear layer; any other head after its layer norm), `second` (the second flow
            of a head that has two), or `model` (pictures to embeddings, run once more).
        volume: what R is. points: further points, which count as the real ones do.
        floor: how far below its start R is let go. detach: trains the head alone, not what is below it.
        seed: of probes and further points; `observe` turns to the next step's. every: in training, only every so many steps,
            and counted as often then: cheaper by as much, and the same on average (as Karras et al., CVPR 2020, do with
            theirs). 1: in every step, as in the paper and in our studies.

    Raises:
        ValueError: for embeddings that do not say which model made them, or `every` below 1.
    """

    of: Map = head
    volume: LocalVolume = fresh(Spherical)
    points: Points = fresh(Real)
    floor: float | None = -1.0
    detach: bool = False
    seed: int = 0
    every: int = 4

    reads_model: ClassVar[bool] = True
    revision: ClassVar[int] = 1  # `every` was 1 before

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"{self!r}: every is 1 or more: a number of steps.")
        if isinstance(self.of, nn.Module) or not callable(self.of):
            raise ValueError(
                f"of={self.of!r} is no map. Write of=head, which finds the model's own; or second, or model."
            )
        self.noise, self.share = Noise(seed=self.seed), 1
        self.start: Tensor
        self.register_buffer("start", torch.tensor(math.nan))

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        if self.every > 1:
            self.share = 0 if int(self.noise.step) % self.every else self.every
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
        z = samples(whole.z, y, ids, weight).z
        share, self.share = self.share, 1  # of one step only
        if not share:
            return z.new_zeros((), dtype=torch.promote_types(z.dtype, torch.float32))
        learns = torch.is_grad_enabled() and self.training and len(z) > 0
        ids = distributed.own_ids(len(z), z.device) if ids is None else ids
        with torch.enable_grad(), torch.autocast(z.device.type, enabled=False):
            r, count = self.values(whole, y, ids)
            value = engine.means(Cost(r=ratio((r * count).sum(1), count.sum(1))), weight)["r"]
            self.seen = value.detach()
            if self.floor is not None:
                start = torch.where(self.start.isnan(), self.seen.to(self.start.dtype), self.start)
                if learns:
                    self.start.copy_(start)
                value = self.hinged(value - (start + self.floor).to(value.dtype))
        value = share * value.to(torch.promote_types(z.dtype, torch.float32))
        return value if torch.is_grad_enabled() else value.detach()

    def values(
        self, whole: Embedded, y: Tensor, ids: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """R at each row's points, and which of them there are."""
        local = self.of(whole, partial(self.drawn, ids), self.detach)
        x, n = local.x, len(local.x)
        more = self.points.between(Samples(x.flatten(1), y, ids), self.noise)
        if more is None:
            return self.volume(local)[:, None], x.new_ones(n, 1)
        further, has = more
        both = local.at(torch.cat([x, further.view_as(x)]), partial(self.drawn, torch.cat([ids, ~ids])))
        here, there = self.volume(both).split(n)
        return torch.stack([here, torch.where(has, there, 0)], 1), torch.stack([torch.ones_like(has), has], 1).to(x)

    def drawn(self, ids: Int[Tensor, " n"], k: int, stream: int) -> Float[Tensor, "n k"]:
        """k numbers in (0, 1) for each item, of this step."""
        return self.noise.numbers(ids, torch.arange(k, device=ids.device), stream)

    def hinged(self, above: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """What is too much."""
        return above.clamp_min(0)

    @property
    def stats(self) -> dict[str, float]:
        """R of the last step, averaged over its points."""
        return {"volume": float(self.seen)} if hasattr(self, "seen") else {}

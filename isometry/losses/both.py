"""A loss in both directions (as Radford et al., CLIP, ICML 2021, train; and Zhang et al., ConVIRT, before them)."""

from typing import Any

from torch import Tensor

from isometry import distributed, engine
from isometry.around import Around
from isometry.component import fresh
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.nt_xent import NTXent
from isometry.term import everyone


class Both(Around):
    """Adds the loss of the references against the queries to that of the queries against the references.

    ℓ(z, r) + ℓ(r, z): pictures find their captions, and captions their pictures, by
    `Both(loss=NTXent())(z, y, against=(r, y_r))`. Where the two are averaged instead of added, as in CLIP, write
    `0.5 * Both(loss=NTXent())`. Compared with the batch itself, by a symmetric similarity, it is twice the loss. Over ranks,
    `against` is the same on all of them, as for every loss.

    Raises:
        ValueError: for a loss whose rows are its references already.
    """

    loss: Loss = fresh(NTXent)

    def __post_init__(self) -> None:
        if self.loss.by_reference:
            raise ValueError(
                f"{type(self.loss).__name__} is a loss of its references already: Both needs one of queries, such as "
                "NTXent()."
            )

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        roles = {"ids": None, "weight": None, "against": None, "rows": None, **roles}
        queries, references = self.loss.sides(wrap(embedded), y, **roles)
        share = references.take(distributed.share(len(references.z)))
        back = engine.mean_cost(self.loss, share, everyone(queries))
        return self.loss(embedded, y, **roles) + self.loss.finish({name: mean for name, (mean, _) in back.items()})

"""A loss on a branch of the embedding, beside that on the embedding itself."""

from typing import Any, ClassVar

from torch import Tensor

from isometry.around import Around
from isometry.component import fresh
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.proxy_anchor import ProxyAnchor


class OnBranch(Around):
    """Trains a branch of the embedding by a loss with references of its own: ℓ(z_b), b = `index`, counted from 0.

    Unlike `EachBranch` it takes losses with proxies, since it serves one branch: two terms have two sets of them.
    `ProxyAnchor() + OnBranch(loss=ProxyAnchor()) + 0.05 * Dueling()` is a loss on both flows of `RealNVP(second=True)`.
    Proxies have the embedding's dimensions; a branch of others needs a loss without.

    Raises:
        ValueError: for an embedding that has no such branch.
    """

    loss: Loss = fresh(ProxyAnchor)
    index: int = 0

    reads_model: ClassVar[bool] = True

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        self.loss.observe(self.branch(embedded), y, ids)

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        return self.loss(self.branch(embedded), y, **roles)

    def branch(self, embedded: Embedded | Tensor) -> Tensor:
        """The branch's embedding."""
        branches = wrap(embedded).branches
        if not 0 <= self.index < len(branches):
            raise ValueError(
                f"{self!r} wants branch {self.index} of an embedding with {len(branches)}: take a head with branches, "
                "such as RealNVP(second=True)."
            )
        return branches[self.index]

"""Simultaneous similarity-based self-distillation (Roth, Milbich, Ommer, Cohen and Ghassemi, ICML 2021)."""

from typing import Any

from torch import Tensor

from isometry.around import Around
from isometry.component import fresh
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.multi_similarity import MultiSimilarity
from isometry.losses.similarity_distillation import SimilarityDistillation
from isometry.ops.safe import normalize


class S2SD(Around):
    """Trains larger embeddings beside the one that is kept, and teaches it how they see the batch.

    ℓ = ½ (ℓ_loss(z) + mean_b ℓ_loss(z_b)) + weight · mean_b KL_b, where z_b are the branches of `Embedded(z, branches=…)`,
    such as those of the head `Beside`, of 512, 1,024, 1,536 and 2,048 dimensions on the same features, and KL_b is
    `SimilarityDistillation` with z_b as teacher: no gradient flows to it. Weight 50 and temperature 1 are the official
    code's. Its second target, the features themselves, joined after 1,000 steps, is not here. An embedding without
    branches has the loss alone.

    Unlabelled rows have no loss and are taught all the same.

    Raises:
        ValueError: for a loss with proxies or a memory, or with `against`: these are references of one head.
    """

    loss: Loss = fresh(MultiSimilarity)
    weight: float = 50.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not getattr(self.loss.reference, "uses_batch", False):
            raise ValueError(
                f"S2SD compares each head's batch with itself; {type(self.loss).__name__} has "
                f"reference={self.loss.reference!r}: leave it out."
            )
        self.target = SimilarityDistillation(temperature=self.temperature)

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        whole = wrap(embedded)
        own = self.loss(whole, y, **roles)
        if not whole.branches:
            return own
        if roles.get("against") is not None:
            raise ValueError("S2SD has a batch of its own for each head: leave `against` out.")
        theirs = [self.loss(branch, y, **roles) for branch in whole.branches]
        taught = [self.target(whole.z, normalize(branch.detach()), **roles) for branch in whole.branches]
        many = len(whole.branches)
        return (own + sum(theirs) / many) / 2 + self.weight * sum(taught) / many

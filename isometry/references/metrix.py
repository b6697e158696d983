"""Mix-up of embeddings ("It takes two to tango: mixup for deep metric learning", Venkataramanan et al., ICLR 2022)."""

from typing import ClassVar

import torch
from torch import Tensor

from isometry.noise import Noise
from isometry.ops.safe import normalize
from isometry.reference import Reference
from isometry.relation import UNKNOWN, Relation
from isometry.samples import Samples


class Metrix(Reference):
    """Compares the batch with mixtures of its own embeddings, which belong in part to either class.

    v = λ z_i + (1 − λ) z_j of normalised embeddings with λ ~ Beta(2, 2), each item mixed with `partners` others by lot. To a
    row of i's class a mixture is a positive of weight λ and a negative of weight 1 − λ, and the other way round for j's class:
    the interpolated label of the paper, in any loss. It says the same by listing v twice, with either label and its weight.
    The paper adds this to the plain loss with a weight of about 0.4:
    `MultiSimilarity() + 0.4 * MultiSimilarity(reference=Metrix(), miner=all_pairs)`.

    The paper mixes, for each anchor, a positive (or the anchor) with its negatives. Here a row sees all mixtures: those of
    two negatives are negatives of weight 1. The official code draws one λ a batch; here each mixture has its own. Call
    `loss.observe` once a step to draw anew; gradients flow to both parts.
    """

    partners: int = 1
    seed: int = 0
    uses_batch: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.partners < 1:
            raise ValueError(f"Metrix.partners is a positive number of mixtures an item; got {self.partners}.")
        self.noise = Noise(seed=self.seed)

    def forward(self, samples: Samples) -> Samples:
        lots = Relation()
        lots.ids = (samples.ids, torch.arange(4 * self.partners, device=samples.z.device))  # type: ignore[assignment]
        mixed = [mix(samples, drawn) for drawn in self.noise(lots).split(4, 1)]
        z, y, weight = (torch.cat(parts) for parts in zip(*mixed, strict=True))
        ids = torch.iinfo(torch.int64).min // 2 + torch.arange(len(z), device=z.device)  # nobody's copies
        return Samples(z, y, ids, weight)


def mix(samples: Samples, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """z, labels and weights of each item mixed with the next by lot; the median of three numbers is Beta(2, 2)."""
    z, y = normalize(samples.z if samples.z.dtype == torch.float64 else samples.z.float()), samples.y
    order = drawn[:, 0].argsort()
    partner = torch.empty_like(order).scatter(0, order, order.roll(-1))
    share = drawn[:, 1:].median(1).values.to(z.dtype)[:, None]
    v = share * z + (1 - share) * z[partner]
    weight = torch.cat([share, 1 - share])[:, 0]
    if y.ndim == 1 and not y.is_floating_point():  # what is mixed with the unknown is unknown
        weight = weight * ((y != UNKNOWN) & (y[partner] != UNKNOWN)).repeat(2)
    if samples.weight is not None:
        weight = weight * samples.weight.repeat(2)
    return torch.cat([v, v]), torch.cat([y, y[partner]]), weight

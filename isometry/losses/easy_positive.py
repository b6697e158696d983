"""Easy positive mining (Xuan, Stylianou and Pless, "Improved embeddings with easy positive triplet mining", WACV 2020)."""

from jaxtyping import Float
from torch import Tensor

from isometry.losses.select import Chosen
from isometry.ops import masked
from isometry.relation import Relation


class EasyPositive(Chosen):
    """The most similar positive and the most similar negative of each row.

    An image has to be near some image of its class and not near all of them, so that a class may spread over several
    places. The paper's loss is −log softmax of the two similarities over a temperature of 0.1:
    `Triplet(select=SoftMargin(select=EasyPositive(), scale=10.0))`. The official code drops rows in which either similarity is
    below 0, or the positive's above 0.9999 (a duplicate); here every row counts that has both.
    """

    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
        both = (masked.some(rel.pos) & masked.some(rel.neg))[:, None]
        gap = (masked.largest(sim, rel.neg) - masked.largest(sim, rel.pos))[:, None]
        return gap.masked_fill(~both, 0), both.to(sim.dtype)


class EasyPositiveSemiHard(Chosen):
    """The most similar positive of each row, and the most similar negative that is less similar than it.

    As `EasyPositive`, but negatives that are nearer than the positive are passed over. A row in which all are costs
    nothing, as in the official code.
    """

    def gaps(self, sim: Float[Tensor, "n m"], rel: Relation) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
        easy = masked.largest(sim, rel.pos)
        beyond = rel.keep(sim < easy[:, None]).neg
        both = (masked.some(rel.pos) & masked.some(beyond))[:, None]
        gap = (masked.largest(sim, beyond) - easy)[:, None]
        return gap.masked_fill(~both, 0), both.to(sim.dtype)

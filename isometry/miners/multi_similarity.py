"""The multi-similarity miner (Wang, Han, Huang, Dong and Scott, CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.miner import Miner
from isometry.ops import masked
from isometry.relation import Relation


class MultiSimilarityMiner(Miner):
    """Keeps the pairs that are hard relative to the other kind.

    A negative stays if s_n + ε > min over the row's positives; a positive stays if s_p − ε < max over its negatives. It
    is unchanged by adding a constant to all similarities. A row without positives keeps no negatives, and the other way
    round. With ε at the width of the similarity's range it keeps everything.
    """

    epsilon: float = 0.1

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Relation:
        easiest_pos = masked.smallest(sim, rel.pos)[:, None]
        hardest_neg = masked.largest(sim, rel.neg)[:, None]
        return rel.keep(sim - self.epsilon < hardest_neg, sim + self.epsilon > easiest_pos)

"""Multi-similarity loss (Wang, Han, Huang, Dong and Scott, CVPR 2019)."""

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.miner import Miners
from isometry.miners import MultiSimilarityMiner
from isometry.ops import masked
from isometry.relation import Relation


class MultiSimilarity(Loss):
    """Weights each pair by how hard it is, by itself and relative to the row's other pairs.

    ℓ_i = (1/α) log[1 + Σ_P e^{−α(s − base)}] + (1/β) log[1 + Σ_N e^{β(s − base)}], over the pairs that the paper's miner
    keeps; averaged over all labelled rows, also those of which it keeps nothing (as the official code divides). The gradient's
    size over a pair is e^{β(s−base)} / (1 + Σ e^{β(s−base)}).

    Defaults are the official code's (α = 2, β = 40, base = 0.5). `MultiSimilarity(miner=all_pairs)` is the loss alone.
    """

    alpha: float = 2.0
    beta: float = 40.0
    base: float = 0.5
    miner: Miners = fresh(MultiSimilarityMiner)

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        above = sim - self.base
        pull = masked.log_sum_exp(-self.alpha * above, rel.pos, plus_one=True) / self.alpha
        push = masked.log_sum_exp(self.beta * above, rel.neg, plus_one=True) / self.beta
        return Cost(pairs=mean(pull + push, where=rel.known))

"""Circle loss (Sun, Cheng, Zhang, Zhang, Zheng, Wang and Wei, CVPR 2020)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.ops.stop import stop
from isometry.relation import Relation


class Circle(Loss):
    """Lets each similarity move at its own pace: the further it is from its optimum, the harder it is pushed.

    ℓ_i = log[1 + Σ_N e^{γ α_n (s_n − m)} · Σ_P e^{−γ α_p (s_p − 1 + m)}] with α_n = [s_n + m]₊ and α_p = [1 + m − s_p]₊, over
    rows with a positive and a negative. One positive and one negative are at the boundary on the circle
    s_n² + (1 − s_p)² = 2m². The paces α carry no gradient, as in the paper.

    With `reference=Proxies()` it is the paper's class-level form: softmax over γα_p(s_y − 1 + m) and γα_n(s_c − m).

    Defaults are those of the paper for retrieval (m = 0.4, γ = 80); for faces it takes 0.25 and 256. Ports that pool all
    pairs of a batch in one logarithm minimise something else; the paper's sums are those of one query.
    """

    margin: float = 0.4
    gamma: float = 80.0

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull = stop((1 + self.margin - sim).clamp_min(0)) * (1 - self.margin - sim)
        push = stop((sim + self.margin).clamp_min(0)) * (sim - self.margin)
        both = masked.some(rel.pos) & masked.some(rel.neg)
        inside = masked.log_sum_exp(self.gamma * pull, rel.pos) + masked.log_sum_exp(self.gamma * push, rel.neg)
        return Cost(circle=mean(F.softplus(inside, threshold=50), where=both))

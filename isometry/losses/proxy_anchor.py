"""Proxy-anchor loss (Kim, Kim, Cho and Kwak, CVPR 2020)."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.reference import References
from isometry.references import Proxies
from isometry.relation import Relation


class ProxyAnchor(Loss):
    """Pulls each proxy's own class towards it and pushes all others away, the hardest most.

    (1/|P⁺|) Σ_{p ∈ P⁺} log(1 + Σ_{x ∈ p} e^{−α(s − margin)}) + (1/|P|) Σ_p log(1 + Σ_{x ∉ p} e^{α(s + margin)}), P⁺ the
    proxies whose class is in the batch. Its rows are the proxies. Batches need not hold several images of a class, and do
    better with many classes (`Plain`). Defaults are the paper's.

    >>> import torch
    >>> ProxyAnchor(num_classes=2, dim=4)(torch.randn(8, 4), torch.tensor([0, 1] * 4)).shape
    torch.Size([])
    """

    margin: float = 0.1
    alpha: float = 32.0
    reference: References = fresh(Proxies)
    by_reference: ClassVar[bool] = True

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull = masked.log_sum_exp(-self.alpha * (sim - self.margin), rel.pos, plus_one=True)
        push = masked.log_sum_exp(self.alpha * (sim + self.margin), rel.neg, plus_one=True)
        return Cost(pull=mean(pull, where=masked.some(rel.pos)), push=mean(push, where=rel.known))

"""A loss of your own: one class, an equation on (similarity, relation).

python examples/own_loss.py
"""

import torch
from jaxtyping import Float
from torch import Tensor

import isometry
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.ops import masked
from isometry.relation import Relation


class Binomial(Loss):
    """Binomial deviance (Yi, Lei and Li, 2014): soft margins on both sides of a similarity.

    ℓ_i = mean_P log(1 + e^{−α(s − base)}) + mean_N log(1 + e^{β(s − base)}).
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5

    def objective(self, sim: Float[Tensor, "n m"], rel: Relation) -> Cost:
        pull = torch.nn.functional.softplus(-self.alpha * (sim - self.base))
        push = torch.nn.functional.softplus(self.beta * (sim - self.base))
        return Cost(
            pull=mean(masked.average(pull, rel.pos), where=masked.some(rel.pos)),
            push=mean(masked.average(push, rel.neg), where=masked.some(rel.neg)),
        )


def main() -> tuple[float, float]:
    """Runs it densely and in blocks, and returns both values."""
    z = torch.nn.functional.normalize(torch.randn(512, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    y = torch.arange(512) % 64
    loss = Binomial(beta=25)
    dense = float(loss(z, y))
    with isometry.memory_budget("64 KB"):  # a pair matrix of 512 × 512 takes 1 MB: rows are worked through in blocks
        blocked = float(loss(z, y))
    print(f"{loss}: {dense:.6f} at once, {blocked:.6f} in blocks")
    print(f"per row: {list(loss.per_row(z, y).shape)}; of the last call: {loss.stats}")
    return dense, blocked


if __name__ == "__main__":
    main()

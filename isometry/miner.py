"""The Miner: re-weights the pairs of a row, and nothing else."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation


class Miner(Component):
    """Maps (sim, rel) to a relation with other weights. It sees similarities without their gradient."""

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Relation:
        raise NotImplementedError


Miners = Callable[[Tensor, Relation], Relation]

"""Random numbers for pairs that do not depend on how the work is cut: blocks, ranks and a resumed run agree."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation


class Noise(Component):
    """A number between 0 and 1 for each pair, hashed from (seed, step, id of the row, id of the column).

    A part of a miner or of a selection: `self.noise = Noise(seed=self.seed)`. `loss.observe` turns to the next step's
    numbers, once a training step; without it they stay as they are. The step is saved and resumes.

    Raises:
        ValueError: for a relation without ids.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        self.step: Tensor
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def advance(self) -> None:
        """Turns to the next step's numbers."""
        self.step += 1

    def forward(self, rel: Relation, stream: int = 0) -> Float[Tensor, "n m"]:
        """Uniform in (0, 1), float32; `stream` tells several draws of one step apart."""
        if rel.ids is None:
            raise ValueError("Random choices among pairs need ids: loss(z, y, ids=ids).")
        return self.numbers(*rel.ids, stream)

    def numbers(self, rows: Int[Tensor, " n"], cols: Int[Tensor, " m"], stream: int = 0) -> Float[Tensor, "n m"]:
        """The same, by the ids themselves."""
        start = hashed(self.step * 1_000_003 + self.seed * 101 + stream)
        bits = hashed(hashed(rows + start)[:, None] + cols[None, :])
        return ((bits >> 40) & 0x7FFFFF).float().add_(0.5) / 2**23


def hashed(x: Int[Tensor, "*s"]) -> Int[Tensor, "*s"]:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014), in wrapping 64-bit arithmetic."""
    x = x + -7046029254386353131
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)

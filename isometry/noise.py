"""Random numbers for pairs that do not depend on how the work is cut: blocks, ranks and a resumed run agree."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import Component
from isometry.ops.hashing import hashed, uniform
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
        rows, cols = self.keys(rel, stream)
        return uniform(rows[:, None] + cols[None, :])

    def keys(self, rel: Relation, stream: int = 0) -> tuple[Int[Tensor, " n"], Int[Tensor, " m"]]:
        """Whole numbers of rows and of columns: `hashing.uniform` of a pair's sum is its number."""
        if rel.ids is None:
            raise ValueError("Random choices among pairs need ids: loss(z, y, ids=ids).")
        return self.numbered(rel.ids[0], stream), rel.ids[1]

    def numbers(self, rows: Int[Tensor, " n"], cols: Int[Tensor, " m"], stream: int = 0) -> Float[Tensor, "n m"]:
        """The same, by the ids themselves."""
        return uniform(self.numbered(rows, stream)[:, None] + cols[None, :])

    def numbered(self, ids: Int[Tensor, " n"], stream: int) -> Int[Tensor, " n"]:
        return hashed(ids + hashed(self.step * 1_000_003 + self.seed * 101 + stream))

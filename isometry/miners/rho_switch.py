"""ρ-regularisation (Roth, Milbich, Sinha, Gupta, Ommer and Cohen, "Revisiting training strategies …", ICML 2020)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.cost import divide
from isometry.miner import Miner, Miners
from isometry.miners.all_pairs import all_pairs
from isometry.noise import Noise
from isometry.relation import Relation


class RhoSwitch(Miner):
    """Now and then pushes apart what belongs together, so that classes keep directions that others may need.

    With `probability`, for each row: its positives become its negatives, and it has no others. Elsewhere it is `miner`.
    The paper switches a triplet's negative for a positive; the official code also puts the anchor in the positive's
    place (else the same two would be pulled as well), and so does this: nothing attracts. Such a pair is pushed as far as
    the loss pushes negatives. The official code draws one positive for an anchor; here each stands once.

    A triplet loss wants something in the positive's place: `itself` puts the row there, where it is among the references.

    The default is the official code's; its runs use 0.4 (CUB), 0.35 (Cars) and 0.15 (Online Products). Rows are drawn by
    (`seed`, step, the row's id): `loss.observe` turns to the next step's numbers.

    Raises:
        ValueError: for a probability outside 0 … 1.
    """

    probability: float = 0.2
    miner: Miners = all_pairs
    itself: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"RhoSwitch.probability lies between 0 and 1; got {self.probability}.")
        self.noise = Noise(seed=self.seed)

    def forward(self, sim: Float[Tensor, "n m"], rel: Relation) -> Relation:
        kept, switched = self.miner(sim, rel), self._switched(rel)
        instead = self._row_itself(rel).to(sim.dtype) if self.itself else torch.zeros_like(rel.other)
        return kept.replace(
            pos=lambda: torch.where(switched, instead, kept.pos), neg=lambda: torch.where(switched, rel.pos, kept.neg)
        )

    def _row_itself(self, rel: Relation) -> Float[Tensor, "n m"]:
        """1 for a row as its own reference, shared out where it stands there several times."""
        itself = ~rel.other & rel.pos.any(1, keepdim=True)
        return divide(itself, itself.sum(1, keepdim=True))

    def _switched(self, rel: Relation) -> Bool[Tensor, "n 1"]:
        row = rel.replace()
        row.ids = None if rel.ids is None else (rel.ids[0], rel.ids[1].new_zeros(1))
        return self.noise(row, stream=1) < self.probability

"""A relation that is written down."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from isometry.component import Component
from isometry.ops.truth import times
from isometry.relation import Relation


class Given(Component):
    """A relation that is written down: labels are row numbers of `affinity [N N]`; negative numbers are unknown."""

    affinity: Any

    def forward(self, rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]) -> Relation:
        affinity = torch.as_tensor(self.affinity, device=rows.device)
        known = (rows >= 0)[:, None] & (cols >= 0)[None, :]
        read = affinity[rows.clamp_min(0)][:, cols.clamp_min(0)]
        return Relation(
            affinity=lambda: read,
            pos=lambda: times(read, known),
            neg=lambda: times(1 - read.float(), known),
            rows=rows,
            cols=cols,
        )

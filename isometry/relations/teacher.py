"""Embeddings of another model as labels."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.relation import Relation, same_width


class Teacher(Component):
    """Embeddings of a teacher (or of captions) as labels: affinity is their cosine; above `above` is a positive."""

    above: float = 0.5

    def forward(self, rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"]) -> Relation:
        same_width("teacher embeddings", rows, cols)
        cosine = torch.nn.functional.normalize(rows, dim=1) @ torch.nn.functional.normalize(cols, dim=1).T
        return Relation(
            affinity=lambda: cosine,
            pos=lambda: cosine > self.above,
            neg=lambda: cosine <= self.above,
            rows=rows,
            cols=cols,
        )


_ABOVE_HALF = Teacher()


def teacher(rows: Float[Tensor, "n d"], cols: Float[Tensor, "m d"]) -> Relation:
    """`Teacher(above=0.5)`: affinity is the cosine of two teacher embeddings."""
    return _ABOVE_HALF(rows, cols)

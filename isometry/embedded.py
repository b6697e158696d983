"""What a model returns: the embedding, and what some terms read besides it."""

from typing import NamedTuple

from torch import Tensor


class Embedded(NamedTuple):
    """Attributes: z: embeddings `[n d]`; h: the head's input `[n p]`; branches: further embeddings `[n d_b]`."""

    z: Tensor
    h: Tensor | None = None
    branches: tuple[Tensor, ...] = ()


def wrap(output: "Embedded | Tensor") -> Embedded:
    """A plain tensor is an embedding and nothing else."""
    return output if isinstance(output, Embedded) else Embedded(output)

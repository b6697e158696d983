"""What a model returns: the embedding, and what some terms read besides it."""

from typing import Any, NamedTuple

from torch import Tensor, nn


class Embedded(NamedTuple):
    """What one batch became.

    Attributes:
        z: embeddings `[n d]`. h: the head's input `[n p]`, before its layer norm. branches: further embeddings `[n d_b]`.
        model: what made them, and has the `head`: for terms that look at the map itself. images: what the model was
            given (features, where a head is trained on them); None where they are not at hand. trace: what the head
            keeps of making z, for terms that need more of it, so that nothing is made twice.
    """

    z: Tensor
    h: Tensor | None = None
    branches: tuple[Tensor, ...] = ()
    model: nn.Module | None = None
    images: Tensor | None = None
    trace: Any = None


def wrap(output: "Embedded | Tensor") -> Embedded:
    """A plain tensor is an embedding and nothing else."""
    return output if isinstance(output, Embedded) else Embedded(output)

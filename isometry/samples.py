"""What stands on one side of the pair matrix."""

from typing import NamedTuple

from jaxtyping import Float, Int, Shaped
from torch import Tensor


class Samples(NamedTuple):
    """Embeddings with their labels.

    Attributes: z `[n d]` (references may be several vectors each: `[n k d]`); y: labels `[n …]`; ids `[n]` whole numbers that
    tell items apart (None: no pair is an item with itself); weight `[n]`: how often each counts (None: once).
    """

    z: Float[Tensor, "n *k d"]
    y: Shaped[Tensor, "n ..."]
    ids: Int[Tensor, " n"] | None = None
    weight: Float[Tensor, " n"] | None = None

    def take(self, rows: slice | Tensor) -> "Samples":
        """Some of them."""
        return Samples(*(None if x is None else x[rows] for x in self))  # type: ignore[arg-type]

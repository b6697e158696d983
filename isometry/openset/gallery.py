"""What open-set calibration asks of a gallery, and the smallest thing that answers: embeddings in memory."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.index import Items
from isometry.index.items import items_of
from isometry.ops.neighbours import nearest
from isometry.protocols.retrieval import geometry


@runtime_checkable
class Searchable(Protocol):
    """A gallery: `isometry.index.Index` is one."""

    @property
    def similarity(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def generation(self) -> int: ...
    def __len__(self) -> int: ...
    def ids(self) -> Int64[Tensor, " n"]: ...
    def items(self, ids: Any) -> Items: ...
    def vectors(self, ids: Any) -> Float[Tensor, "n d"]: ...
    def search_vectors(self, z: Tensor, k: int) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True, eq=False)
class Vectors:
    """A gallery of embeddings in memory, searched exactly.

    Attributes:
        z: embeddings. labels: the name of each one's class; "" where unknown. similarity: what they are compared by.

    >>> gallery = Vectors(torch.eye(2), ["a", "b"])
    >>> gallery.search_vectors(torch.tensor([[1.0, 0.5]]), 1)[1]
    tensor([[0]])
    """

    z: Float[Tensor, "n d"]
    labels: list[str] | tuple[str, ...]
    similarity: str = "cosine"
    kind: str = "Flat()"
    generation: int = 0

    def __post_init__(self) -> None:
        if len(self.z) != len(self.labels) or not len(self.z):
            raise ValueError(f"A gallery has a label for each embedding; got {len(self.z)} and {len(self.labels)}.")

    def __len__(self) -> int:
        return len(self.z)

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.z.shape[1]

    def ids(self) -> Int64[Tensor, " n"]:
        """Positions in `z`."""
        return torch.arange(len(self.z))

    def items(self, ids: Any) -> Items:
        """Labels of these."""
        return items_of(ids, labels=[self.labels[i] for i in torch.as_tensor(ids).tolist()])

    def vectors(self, ids: Any) -> Float[Tensor, "n d"]:
        """Embeddings of these, as the similarity compares them."""
        return geometry(self.similarity)[0](self.z[torch.as_tensor(ids)].float())

    def search_vectors(self, z: Float[Tensor, "q d"], k: int) -> tuple[Tensor, Tensor]:
        """Similarities and positions of the k nearest, nearest first."""
        embed, compare = geometry(self.similarity)
        return nearest(embed(z.float()), embed(self.z.float()), k, similarity=compare)

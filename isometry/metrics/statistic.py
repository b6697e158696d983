"""What a statistic is: a value of a whole set of embeddings, where a metric is a value of each query."""

from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from isometry.component import Component

T = TypeVar("T")


@dataclass(frozen=True)
class Space:
    """Embedded items with their labels, and who searches whom.

    Attributes:
        z: embeddings as they were given, float32.
        y: classes int64 `[n]` (−1 is unknown), or label sets bool `[n L]`.
        ids: tells items apart: a query and a gallery item of one id are the same.
        query, gallery: positions of the queries and of the gallery in `z`; `searches_itself` where both are everything.
        embed, compare: the similarity, as a map of rows and a comparison of mapped rows; larger is closer.
        samples, confidence, seed: of resampling, for statistics that have intervals.
        memory: working memory in bytes or as text, beside one copy of what is given.
    """

    z: Float[Tensor, "n d"]
    y: Shaped[Tensor, "n ..."]
    ids: Int[Tensor, " n"]
    query: Int[Tensor, " q"]
    gallery: Int[Tensor, " g"]
    embed: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor], Tensor]
    samples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    memory: str | int = "512 MB"
    made: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def searches_itself(self) -> bool:
        """Whether every item searches all others."""
        return self.query is self.gallery

    def unit(self) -> Float[Tensor, "n d"]:
        """The embeddings at length one; zero vectors stay."""
        return self.once("unit", lambda: torch.nn.functional.normalize(self.z, dim=1))

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all statistics of one evaluation that ask for it by this name."""
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]


@dataclass(frozen=True)
class Estimate:
    """A value, and its interval where one can be had (NaN else)."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


class Statistic(Component):
    """A value of the whole space. Subclasses write `measure`; costly parts that others share go through `space.once`."""

    @abstractmethod
    def measure(self, space: Space) -> Estimate:
        """The value.

        Raises:
            ValueError: where the space cannot have it: one line with the reason.
        """

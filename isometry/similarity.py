"""How alike a query and a reference are: larger is closer, always. A distance appears only as minus itself.

A similarity is a row-wise map (`embed`) followed by a comparison of all pairs; the engine maps once and compares in
blocks. Without knobs it is a function marked with `@similarity`; with knobs or weights it is a Component that has the
same three attributes.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Similarity(Protocol):
    """Attributes: bounds: the smallest and largest value it takes."""

    bounds: tuple[float, float]

    def embed(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]: ...
    def compare(self, z: Float[Tensor, "n e"], r: Float[Tensor, "m e"]) -> Float[Tensor, "n m"]: ...
    def __call__(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]: ...


class Plain:
    """A similarity without knobs. `distance`: whether minus it is a distance, to the first power and with a gradient.
    `symmetric`: whether it is the same seen from either side.
    """

    def __init__(
        self,
        compare: Callable[..., Tensor],
        embed: Callable[..., Tensor],
        bounds: tuple[float, float],
        distance: bool,
        symmetric: bool,
    ):
        self.compare, self.embed, self.bounds, self.distance, self.symmetric = (
            compare,
            embed,
            bounds,
            distance,
            symmetric,
        )
        self.__name__, self.__doc__, self.__module__ = compare.__name__, compare.__doc__, compare.__module__
        self.__wrapped__ = compare

    def __call__(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return self.compare(self.embed(z), self.embed(r))

    def __repr__(self) -> str:
        return self.__name__


def similarity(
    *,
    bounds: tuple[float, float],
    embed: Callable[..., Tensor] = lambda z: z,
    distance: bool | None = None,
    symmetric: bool = False,
) -> Callable[..., Plain]:
    """Marks a comparison as a similarity; `embed` is applied to every row beforehand.

    `distance` says whether minus it is a distance: by default where it ends at 0. `symmetric` says that s(z, r) = s(r, z),
    which some losses make use of.
    """
    return lambda compare: Plain(compare, embed, bounds, bounds[1] == 0 if distance is None else distance, symmetric)


def refuse_all_but_distances(similarity: Similarity, who: str) -> None:
    """For losses that raise a distance of embeddings to a power of their own.

    Raises:
        ValueError: for a similarity that is not minus a distance, or minus one that is squared already.
    """
    if not getattr(similarity, "distance", similarity.bounds[1] == 0):
        raise ValueError(
            f"{who} raises distances to powers, and {similarity!r} is not minus one: take chord or euclidean."
        )

"""What a report shows besides where labels are at a distance from each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Graded:
    """Distances between labels, beside those between embeddings.

    - `relation`, `similarity`: what labels and embeddings are compared by, as text.
    - `apart(i)` float `[m]`: label distance of query i to every item of what is searched; inf to itself and to unknown ones.
    - `typical`: the mean label distance of a query to another item: what a search at random finds.
    - `curves`: name -> the mean label distance of the first 1, 2, … items found, over `asked` queries.
    - `embedded`, `labelled` `[p]`: distances of some pairs in both spaces; `agreement`: Spearman's correlation of all `pairs`.
    - `groups`, `searched_groups`: the label's place on its first axis, in `group_names`, for the colours of the map;
      `axis` says in words what that is.
    """

    relation: str
    similarity: str
    apart: Callable[[int], Float[Tensor, " m"]]
    typical: float
    curves: Mapping[str, Float[Tensor, " k"]] = field(default_factory=dict)
    asked: int = 0
    embedded: Float[Tensor, " p"] | None = None
    labelled: Float[Tensor, " p"] | None = None
    agreement: float = float("nan")
    groups: Int[Tensor, " n"] | None = None
    searched_groups: Int[Tensor, " m"] | None = None
    group_names: Sequence[str] = ()
    axis: str = ""

    @property
    def by_length(self) -> bool:
        """Whether embeddings are compared by distance, and not by angle."""
        return "euclidean" in self.similarity

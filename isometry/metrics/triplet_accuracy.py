"""Triplet accuracy: the area under the ROC curve of each query (Hanley and McNeil, Radiology 143, 1982)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isometry.metrics.metric import Metric, Ranking, Ties, all_places


class TripletAccuracy(Metric):
    """Of all pairs of a match and another item, in which share is the match nearer to the query?

    (1/(R (m − R))) Σ_i #{items after the i-th match that are none}, where R of the gallery's m items match, the query
    itself left out. Matches at the places 1, 3 and 6 of m = 6 come before 3, 2 and 0 of the 3 others: 5/9. A random order
    gives 1/2 whatever R is. It is the probability that a random triplet is in order, and not sensitive to the top of
    the ranking: in a large gallery .99 may still be a poor search. Without an item that does not match there is no value.

    >>> from isometry.metrics.metric import Ranking
    >>> hits = torch.tensor([[True, False, True]])
    >>> places, m = torch.tensor([[1, 3, 6]]), torch.tensor([6])
    >>> TripletAccuracy().per_query(Ranking(hits, torch.tensor([3]), torch.tensor([1]), ranks=places, others=m))
    tensor([0.5556])
    """

    needs_ranks: ClassVar[bool] = True

    def depth(self, relevant: int) -> int:
        return 1

    def scored(self, ranking: Ranking) -> Bool[Tensor, " n"]:
        return (ranking.relevant > 0) & (_others(ranking) > ranking.relevant)

    def per_query(self, ranking: Ranking) -> Float[Tensor, " n"]:
        rank, held = all_places(ranking)
        negatives = _others(ranking) - ranking.relevant
        before = (rank - held.cumsum(1)) * held  # negatives before each match
        pairs = ranking.relevant.double() * negatives
        return (1 - before.sum(1) / pairs).float()

    def expected(self, ties: Ties) -> Float[Tensor, " n"]:
        """A pair of equals counts a half."""
        others, negatives = _others(ties) - ties.relevant, ties.size - ties.hits
        before = (ties.start - ties.found + negatives / 2) * ties.hits
        value = 1 - before.sum(1) / (ties.relevant.double() * others)
        return value.masked_fill(ties.hits.sum(1) < ties.relevant, torch.nan)


def _others(seen: Ranking | Ties) -> Tensor:
    """How large the gallery is."""
    if seen.others is None:
        raise ValueError("TripletAccuracy() counts pairs with the whole gallery: give its size, others=….")
    return seen.others

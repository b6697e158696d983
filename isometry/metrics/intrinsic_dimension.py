"""How many dimensions do the data fill? From distances to near neighbours.

TwoNN: Facco, d'Errico, Rodriguez and Laio, Scientific Reports 2017. Maximum likelihood: Levina and Bickel, NIPS 2004, with the
average of MacKay and Ghahramani, "Comments on 'Maximum likelihood estimation of intrinsic dimension'", 2005.
"""

import torch

from isometry.metrics.items import distances
from isometry.metrics.statistic import Estimate, Space, Statistic


class TwoNN(Statistic):
    """How many dimensions do the data fill at the smallest scale? From the ratio of two distances.

    μ = r₂/r₁, of each item's distances to its first two neighbours, is distributed as 1 − μ^{−d} where density hardly
    varies. d is the slope of −log(1 − F(μ)) against log μ through the origin, F being the empirical distribution; the
    largest tenth of the ratios is left out of the fit, as in the paper. Distances are Euclidean, of embeddings as the
    similarity sees them (at length one for the cosine: they lie on a sphere of d − 1 dimensions). Items with a
    duplicate (r₁ = 0) have no ratio and are left out; if all have, the space is points: 0. Too low for high
    dimensions and few items. Labels are not read; rotations and scale change nothing. No interval: neighbours are
    shared. On a regular grid all ratios are 1: NaN.

    >>> from isometry import evaluate
    >>> z = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) @ torch.ones(2, 5).tril()
    >>> round(evaluate(z, torch.zeros(2000).long(), "TwoNN()", similarity="euclidean")["TwoNN()"].value, 1)
    2.0
    """

    discard: float = 0.1
    """The share of the largest ratios that is left out."""

    def __post_init__(self) -> None:
        if not 0 <= self.discard < 1:
            raise ValueError(f"{self!r}: the share that is left out is 0 or more, and less than 1.")

    def measure(self, space: Space) -> Estimate:
        near = distances(space, 2)
        near = near[near[:, 0] > 0]
        x = (near[:, 1] / near[:, 0]).log().sort().values
        n = len(x)
        kept = min(n - 1, int((1 - self.discard) * n))  # the last has F = 1
        if kept < 1:
            return Estimate(0.0)
        x, share = x[:kept], torch.arange(1, kept + 1, device=x.device).double() / n
        return Estimate(float(-(x * torch.log1p(-share)).sum() / x.square().sum()))


class LevinaBickel(Statistic):
    """How many dimensions do the data fill at the scale of k neighbours? By maximum likelihood.

    1/d = mean_i 1/(k − 1) Σ_{j<k} log(r_k/r_j), of each item's distances to its first k neighbours. The mean is over
    1/d, the maximum likelihood of all items together (MacKay and Ghahramani); the paper's mean over d is larger, most
    so for small k. Neighbours at distance 0 have no log and are left out; if all are, the space is points: 0. Distances,
    invariances and interval as in `TwoNN`. Larger k vary less and look farther, where density is less even.

    >>> from isometry import evaluate
    >>> z = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) @ torch.ones(2, 5).tril()
    >>> text = "LevinaBickel()"
    >>> round(evaluate(z, torch.zeros(2000).long(), text, similarity="euclidean")[text].value, 1)
    2.0
    """

    k: int = 20

    def __post_init__(self) -> None:
        if self.k < 2:
            raise ValueError(f"{self!r} compares distances to different neighbours: k is 2 or more.")

    def measure(self, space: Space) -> Estimate:
        near = distances(space, self.k)
        there = near[:, :-1] > 0
        logs = torch.where(there, near[:, -1:].log() - torch.where(there, near[:, :-1], 1).log(), 0)
        some = there.any(1)
        if not some.any():
            return Estimate(0.0)
        inverse = (logs.sum(1)[some] / there.sum(1)[some]).mean()
        return Estimate(float(1 / inverse))

"""Hubs: items that are found by very many others (Radovanović, Nanopoulos and Ivanović, JMLR 2010)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.items import found
from isometry.metrics.metric import at_least_one
from isometry.metrics.statistic import Estimate, Space, Statistic


class Hubness(Statistic):
    """Are some items found by very many? Skewness of how often each is found; 0 is even, above 1 there are hubs.

    E[(N − μ)³] / σ³, with N the number of queries among whose first k neighbours an item of the gallery is, itself left
    out, by the similarity of the evaluation. It grows with the dimension of the data: random directions in many
    dimensions have hubs too, so compare spaces of one data set. Labels are not read. 0 where all items are found alike.
    Equals are found in an order of their own by each query, so a collapsed space has no hubs. No interval:
    neighbours are shared between classes.

    >>> from isometry import evaluate
    >>> star, y = torch.cat([torch.zeros(1, 8), torch.eye(8)]), torch.arange(9)
    >>> round(evaluate(star, y, "Hubness(k=1)", similarity="euclidean")["Hubness(k=1)"].value, 4)
    2.4054
    """

    k: int = 10

    def __post_init__(self) -> None:
        at_least_one(self.k, "Hubness")

    def measure(self, space: Space) -> Estimate:
        often = times_found(space, self.k)
        off = often - often.mean()
        spread = off.square().mean()
        return Estimate(float(off.pow(3).mean() / spread**1.5) if spread > 0 else 0.0)


class Antihubs(Statistic):
    """Which share of the gallery is never found? In [0, 1]; e^{−k} if neighbours were drawn at random.

    The share of items that are among the first k neighbours of no query. No search returns them, however good
    the labels are. As in `Hubness`.

    >>> from isometry import evaluate
    >>> star, y = torch.cat([torch.zeros(1, 8), torch.eye(8)]), torch.arange(9)
    >>> round(evaluate(star, y, "Antihubs(k=1)", similarity="euclidean")["Antihubs(k=1)"].value, 4)
    0.7778
    """

    k: int = 10

    def __post_init__(self) -> None:
        at_least_one(self.k, "Antihubs")

    def measure(self, space: Space) -> Estimate:
        return Estimate(float((times_found(space, self.k) == 0).double().mean()))


class RobinHood(Statistic):
    """Which share of places would have to be taken from hubs and given to others, for all to be found alike? In [0, 1).

    Σ |N − μ| / (2 Σ N), the Robin Hood (or Hoover) index of how often items are found, as in `Hubness`. A mean of
    absolute values: less moved by one large hub than the skewness.

    >>> from isometry import evaluate
    >>> star, y = torch.cat([torch.zeros(1, 8), torch.eye(8)]), torch.arange(9)
    >>> round(evaluate(star, y, "RobinHood(k=1)", similarity="euclidean")["RobinHood(k=1)"].value, 4)
    0.7778
    """

    k: int = 10

    def __post_init__(self) -> None:
        at_least_one(self.k, "RobinHood")

    def measure(self, space: Space) -> Estimate:
        often = times_found(space, self.k)
        return Estimate(float((often - often.mean()).abs().sum() / (2 * often.sum())))


def times_found(space: Space, k: int) -> Float[Tensor, " g"]:
    """How many queries have each gallery item among their first k neighbours; float64.

    Raises:
        ValueError: where no query has a neighbour.
    """

    def count() -> Tensor:
        index = found(space, k).flatten()
        return torch.bincount(index[index >= 0], minlength=len(space.gallery)).double().cpu()

    often = space.once(("times found", k), count)
    if not often.sum() > 0:
        raise ValueError("Hubs are counted among neighbours, and no query has one: the gallery holds nothing else.")
    return often

"""Alignment and uniformity of directions on the sphere (Wang and Isola, ICML 2020)."""

import math

from jaxtyping import Float
from torch import Tensor

from isometry.metrics.density import intra
from isometry.metrics.items import classes, items, mean_by_class
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import within
from isometry.ops.safe import normalize, squared_distance
from isometry.ops.uniformity import log_mean_kernel
from isometry.similarities import cosine


class Uniformity(Statistic):
    """How evenly do directions cover the sphere? From −4t to 0; smaller is more even, and 0 is collapse.

    log mean_{i≠j} exp(−t ‖u_i − u_j‖²), over all pairs of different items, with u the embeddings at length one. On a
    sphere of many dimensions even directions are at squared distances about 2, so −2t is about the best there. Labels
    are not read. Rotations and lengths change nothing. Exact: O(n² d) time, as long as one exact search, and
    memory for one tile. No interval: pairs share items, and it is the log of a mean.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([0, 1])
    >>> round(evaluate(z, y, "Uniformity()")["Uniformity()"].value, 4)
    -8.0
    """

    t: float = 2.0
    """The inverse width of the kernel."""

    def __post_init__(self) -> None:
        if not 0 < self.t < math.inf:
            raise ValueError(f"{self!r}: the kernel exp(−t d²) falls with the distance for positive t.")

    def measure(self, space: Space) -> Estimate:
        rows, unit = items(space), space.unit()
        if len(rows) < 2:
            raise ValueError("Uniformity needs two or more items, and there is 1.")
        return Estimate(log_mean_kernel(unit if len(rows) == len(unit) else unit[rows], self.t, memory=space.memory))


class Alignment(Statistic):
    """How far apart are directions that ought to be one? From 0 (classes are points) to 2^α.

    E ‖u_i − u_j‖^α over an item i and another j of its class, with u the embeddings at length one: i is drawn from all
    items that have another of their class, so that the items of the pairs are distributed as the data are (the paper
    asks for that), and j from its class. `IntraDensity` weighs classes alike. With α = 2 it is 2 − 2 cos, in O(n d);
    else pairs within classes, in blocks. Rotations and lengths change nothing. The interval draws classes.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "Alignment()")["Alignment()"].value, 4)
    1.0
    """

    alpha: float = 2.0
    """The power of the distance."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ValueError(f"{self!r}: the power of a distance is positive.")

    def measure(self, space: Space) -> Estimate:
        found = classes(space, "Alignment")
        if self.alpha == 2:  # 2 − 2 cos
            each = 2 * intra(space, "Alignment", cosine)[found.y.cpu()]
        else:
            each = within.over_others(space.z[found.rows], found.size, self.power, within.mean, space.memory).cpu()
        there = ~each.isnan()
        if not there.any():
            raise ValueError(
                f"Alignment needs a class of two or more items, and each of {len(found.size)} classes has one."
            )
        return mean_by_class(space, each[there], found.y.cpu()[there])

    def power(self, z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """‖u_i − u_j‖^α."""
        return squared_distance(normalize(z), normalize(r)).pow(self.alpha / 2)

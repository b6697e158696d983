"""Complexity of a data set from the overlap of its classes (Branchaud-Charron, Achkar and Jodoin, "Spectral metric for
dataset complexity assessment", CVPR 2019).
"""

import math
from abc import abstractmethod
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import Component, fresh
from isometry.metrics.items import classes, mapped
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import csg
from isometry.ops.memory import in_bytes
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import minus_distance, shuffled
from isometry.ops.seeds import t_interval


class Volume(Component):
    """What an item is divided by in `CSG`: the room that its neighbours take."""

    @abstractmethod
    def log(self, apart: Float[Tensor, "q k d"]) -> Float[Tensor, " q"]:
        """Its logarithm, from the differences to the neighbours."""


class BoxVolume(Volume):
    """Makes items of `CSG` count by the density of a box around their neighbours, as published.

    V is the product over the axes of 2 max_j |x − x_j|, and not taken smaller than `floor`. In many dimensions a box with sides
    below 1 is smaller than that, and all items weigh the same, as in `NoVolume()`; with `floor=0.0` instead, the densest
    item of a class decides all. It alters with rotations.
    """

    floor: float = 1e-4

    def log(self, apart: Float[Tensor, "q k d"]) -> Float[Tensor, " q"]:
        return at_least(self.floor, (2 * apart.abs().amax(1)).log().sum(1))


class BallVolume(Volume):
    """Makes items of `CSG` count by the density of the ball that holds their neighbours. Rotations change nothing.

    V = π^{d/2} / Γ(d/2 + 1) max_j ‖x − x_j‖^d, and not taken smaller than `floor`; d is the number of dimensions, filled
    or not. In many dimensions as `BoxVolume`.
    """

    floor: float = 1e-4

    def log(self, apart: Float[Tensor, "q k d"]) -> Float[Tensor, " q"]:
        d = apart.shape[2]
        unit = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
        return at_least(self.floor, unit + d * torch.linalg.vector_norm(apart, dim=2).amax(1).log())


class NoVolume(Volume):
    """Makes all items of `CSG` count alike, whatever the density around them."""

    def log(self, apart: Float[Tensor, "q k d"]) -> Float[Tensor, " q"]:
        return apart.new_zeros(len(apart))


class CSG(Statistic):
    """How much do classes run into each other? From 0 (no neighbour is of another class) to C − 1 (all look alike).

    CSG = Σ_i max_{j≤i} (e_{j+1} − e_j) / (C − j), with 0 = e_0 ≤ e_1 ≤ … the spectrum of the Laplacian diag(W 1) − W. Of the
    neighbours of items drawn from class i the share S_ic is of class c, each item divided by the volume that its
    neighbours take; W_ij = Σ_c min(S_ic, S_jc) says how alike two classes look. For two classes it is W_12. Neighbours are
    the nearest by Euclidean distance among embeddings as the similarity sees them (at length one for the cosine; with
    `similarity="euclidean"` features are taken as they are), the item itself left out by id. Unknown labels (−1) are left out.

    It grows with the number of classes, so compare spaces of one data set, or data sets of as many classes. The paper measures
    features of few dimensions. The value is the mean over draws, and the interval Student's over them: it says
    what other draws would change. With no class larger than `draws`, all items are taken, once, and there is no interval.
    O(C²) memory, O(C³) time for C classes, and a search for each drawn item. Published code draws without a seed.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "CSG(k=1)", similarity="euclidean")["CSG(k=1)"].value, 4)
    0.6667
    """

    k: int = 3
    """Neighbours of an item."""
    draws: int = 250
    """Items of a class, at most."""
    repeats: int = 10
    """How often items are drawn."""
    volume: Volume = fresh(BoxVolume)
    """What each item is divided by."""

    def __post_init__(self) -> None:
        if min(self.k, self.draws, self.repeats) < 1:
            raise ValueError(f"{self!r} looks at nothing: k, draws and repeats are 1 or more.")

    def measure(self, space: Space) -> Estimate:
        once = int(classes(space, "CSG", least=2).size.max()) <= self.draws
        values = [csg.cumulative_spectral_gradient(w) for w in self.overlaps(space, 1 if once else self.repeats)]
        runs = torch.tensor(values, dtype=torch.float64)
        return Estimate(float(runs.mean()), *t_interval(runs, space.confidence))

    def overlaps(self, space: Space, repeats: int = 1) -> Iterator[Float[Tensor, "c c"]]:
        """W of each draw: how alike classes look to their neighbours, in the order of their labels.

        Raises:
            ValueError: where items have no k others, or W does not fit in the memory.
        """
        found = classes(space, "CSG", least=2)
        count, n = len(found.size), len(found.y)
        if n <= self.k:
            raise ValueError(f"{self!r} needs more than {self.k} items with known labels, and there are {n}.")
        if 32 * count**2 > in_bytes(space.memory):
            raise ValueError(
                f"CSG compares all pairs of {count:,} classes and needs {32 * count**2 / 2**30:.1f} GB for that: "
                f"give more than memory={space.memory!r}, or fewer classes."
            )
        x = mapped(space)[found.rows]
        draws = [csg.drawn(found.size, self.draws, space.seed + repeat) for repeat in range(repeats)]
        rows = torch.cat(draws).unique()
        ids = torch.arange(n, device=x.device)
        turn = shuffled(rows, space.seed) % n
        near = nearest(
            x[rows], x, self.k, ids_q=rows, ids_g=ids, similarity=minus_distance, turn=turn, memory=space.memory
        )[1]
        log_volume = torch.cat(
            [self.volume.log(x[near[part]].double() - x[rows[part]].double()[:, None]) for part in pieces(near, x)]
        )
        for chosen in draws:
            at = torch.searchsorted(rows, chosen)
            yield csg.overlap(found.y[chosen], found.y[near[at]], log_volume[at], count)


def at_least(floor: float, log: Float[Tensor, " q"]) -> Float[Tensor, " q"]:
    """Not below the log of the floor; what is 0 counts as the smallest number there is."""
    return log.clamp_min(math.log(max(floor, 5e-324)))


def pieces(near: Int[Tensor, "q k"], x: Float[Tensor, "n d"]) -> list[slice]:
    """Slices of rows whose differences are a few million numbers."""
    step = max(1, 2**22 // (near.shape[1] * x.shape[1]))
    return [slice(start, start + step) for start in range(0, len(near), step)]

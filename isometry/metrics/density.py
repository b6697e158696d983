"""How dense classes are, beside the distance between them (Roth, Milbich, Sinha, Gupta, Ommer and Cohen, ICML 2020)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import Component
from isometry.metrics.items import Classes, classes, mean_by_class
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import within
from isometry.ops.seeds import t_interval
from isometry.similarities import cosine, squared_euclidean
from isometry.similarity import Similarity


class IntraDensity(Statistic):
    """How far apart are items of one class? π_intra; smaller is denser.

    π_intra = mean_c mean_{i≠j∈c} d(z_i, z_j). A mean over classes, whatever their size, of the mean distance within each;
    d is the similarity's largest value minus the similarity: 1 − cos by default, in [0, 2], as the authors' code has it;
    `similarity=chord` is the Euclidean distance of unit vectors. Classes of one item and unknown labels (−1) are left
    out; the authors' code means to replace the former, and replaces them by an arbitrary value. Rotations change nothing,
    nor does scale for `cosine` and `chord`. O(n d) for `cosine` and `squared_euclidean`; else pairs within classes, in
    blocks. The interval draws classes.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "IntraDensity()")["IntraDensity()"].value, 4)
    0.5
    """

    similarity: Similarity = cosine
    """What the distance is made of."""

    def __post_init__(self) -> None:
        needs_distance(self, self.similarity)

    def measure(self, space: Space) -> Estimate:
        values = intra(space, "IntraDensity", self.similarity)
        return mean_by_class(space, values[~values.isnan()])


class InterDensity(Statistic):
    """How far apart are classes? π_inter; larger is more room between them.

    π_inter = mean_{c≠c'} d(μ_c, μ_c'), over the mean of each class's mapped embeddings, mapped again (to length one for
    `cosine` and `chord`). d, items and invariances as in `IntraDensity`. O(n d) for `cosine` and `squared_euclidean`,
    else O(C² d) for C classes, in blocks. The interval is the jackknife's over classes: pairs share classes, so drawing
    pairs would make it too narrow, and a class drawn twice would be a pair at distance 0. NaN for two classes.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "InterDensity()")["InterDensity()"].value, 4)
    0.2929
    """

    similarity: Similarity = cosine
    """What the distance is made of."""

    def __post_init__(self) -> None:
        needs_distance(self, self.similarity)

    def measure(self, space: Space) -> Estimate:
        return jackknife(*between(inter(space, "InterDensity", self.similarity)), space.confidence)


class DensityRatio(Statistic):
    """How much of the room between classes do classes fill? π_ratio = π_intra / π_inter, 0 or more.

    Roth et al. report that spaces of *higher* ratio, which were compressed less, transfer better to new classes. On
    one set of classes it is lower where they are told apart better: so it explains, and chooses no model by itself.
    Items, distance and invariances as in `IntraDensity`. A collapsed space has 0/0: NaN. The interval is the jackknife's
    over classes.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "DensityRatio()")["DensityRatio()"].value, 4)
    1.7071
    """

    similarity: Similarity = cosine
    """What the distance is made of."""

    def __post_init__(self) -> None:
        needs_distance(self, self.similarity)

    def measure(self, space: Space) -> Estimate:
        spread = intra(space, "DensityRatio", self.similarity)
        room, room_without = between(inter(space, "DensityRatio", self.similarity))
        x = self.similarity.embed(space.z)
        if bool(((x - x[0]).abs() <= 1e-6 * x[0].abs().max()).all()):
            return Estimate(torch.nan)
        there = ~spread.isnan()
        total, count = spread[there].sum(), there.sum()
        without = (total - spread.nan_to_num(0)) / (count - there.long())
        return jackknife(total / count / room, without / room_without, space.confidence)


FROM_SUMS: dict[Any, Any] = {
    cosine: lambda product, square, size, squares: product - square,
    squared_euclidean: lambda product, square, size, squares: 2 * product - size * square - squares,
}
"""Σ_{j≠i} of x_i's similarities to the others of a set, from x_i · Σ x, ‖x_i‖², the size of the set and Σ ‖x‖².

Linear in the first two: summed over the set, they are ‖Σ x‖² and Σ ‖x‖², and the last is multiplied by the size.
"""


def mean_within(space: Space, found: Classes, similarity: Any) -> Float[Tensor, " c"]:
    """The mean similarity of two items of each class, NaN for classes of one item; float64, on the CPU."""
    size = found.size
    if similarity in FROM_SUMS:
        total, squares = sums(space, found, similarity)
        mean = FROM_SUMS[similarity](total.square().sum(1), squares, size, size * squares) / size
    else:
        each = within.over_others(space.z[found.rows], size, similarity, within.mean, space.memory)
        mean = each.new_zeros(len(size)).index_add_(0, found.y, each)
        return (mean / size).cpu()
    return (mean / (size - 1)).masked_fill(size == 1, torch.nan).cpu()


def sums(space: Space, found: Classes, similarity: Any) -> tuple[Float[Tensor, "c e"], Float[Tensor, " c"]]:
    """Σ x and Σ ‖x‖² of each class, of embeddings as this similarity sees them."""
    name = ("sums", repr(similarity))
    return space.once(name, lambda: within.sums(space.z[found.rows], found.size, similarity.embed))


def mean_to_others(x: Float[Tensor, "n d"], similarity: Any, memory: str | int) -> Float[Tensor, " n"]:
    """The mean similarity of each row to all others; float64, on the CPU."""
    size = torch.tensor([len(x)], device=x.device)
    if similarity not in FROM_SUMS:
        return within.over_others(x, size, similarity, within.mean, memory).cpu()
    x = similarity.embed(x.double())
    square = x.square().sum(1)
    return (FROM_SUMS[similarity](x @ x.sum(0), square, size, square.sum()) / (size - 1)).cpu()


def intra(space: Space, name: str, similarity: Any) -> Float[Tensor, " c"]:
    """The mean distance within each class, NaN for classes of one item; float64.

    Raises:
        ValueError: where every class has one item only.
    """
    found = classes(space, name)
    if not (found.size > 1).any():
        raise ValueError(f"{name} needs a class of two or more items, and each of {len(found.size)} classes has one.")
    mean = space.once(("within", repr(similarity)), lambda: mean_within(space, found, similarity))
    return (similarity.bounds[1] - mean).clamp_min(0)


def inter(space: Space, name: str, similarity: Any) -> Float[Tensor, " c"]:
    """The mean distance of each class's mean to the others'; float64."""
    found = classes(space, name, least=2)

    def measure() -> Tensor:
        total, _ = sums(space, found, similarity)
        return mean_to_others(total / found.size[:, None], similarity, space.memory)

    return (similarity.bounds[1] - space.once(("between", repr(similarity)), measure)).clamp_min(0)


def between(row: Float[Tensor, " c"]) -> tuple[Tensor, Tensor]:
    """The mean over pairs from the mean of each row; and the same without each class in turn."""
    return row.mean(), (row.sum() - 2 * row) / (len(row) - 2)


def jackknife(value: Tensor, without: Float[Tensor, " c"], confidence: float) -> Estimate:
    """A value, with Student's interval over the values without each class in turn (Tukey, 1958; Efron and Stein, 1981)."""
    reach = [end - float(value) for end in t_interval(value + (len(without) - 1) * (value - without), confidence)]
    centre = sum(reach) / 2
    return Estimate(float(value), float(value) + reach[0] - centre, float(value) + reach[1] - centre)


def needs_distance(statistic: Component, similarity: Similarity) -> None:
    """Refuses similarities without a largest value, of which no distance can be made."""
    if similarity.bounds[1] == float("inf"):
        raise ValueError(
            f"{statistic!r} needs a distance, and {similarity!r} has no largest value: take cosine, chord or euclidean."
        )

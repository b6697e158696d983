"""Is every item of the same class nearer than any other? Eq. (1) of "Determinant regularization for deep metric learning"
(OpenReview 2022): max_{j∈S_i} d(x_i, x_j) < δ₁ < δ₂ < min_{l∈D_i} d(x_i, x_l).
"""

from jaxtyping import Float, Int
from torch import Tensor

from isometry.metrics.items import classes, mapped, mean_by_class
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops.separation import farthest_alike, nearest_unlike


class Separated(Statistic):
    """For which share of the items are all of their class nearer than any other item? In [0, 1].

    The share with δ₁(i) < δ₂(i): δ₁(i) = max_{j∈S_i} d(x_i, x_j) over the others of its class and δ₂(i) = min_{l∈D_i}
    d(x_i, x_l) over other classes; d is Euclidean, of embeddings as the similarity sees them (at length one for the
    cosine). Those are the queries whose R-precision is 1. Items without another of their class are left out as i, and stay as
    l; unknown labels (−1) are left out altogether. A collapsed space has δ₁ = δ₂ = 0, and scores 0. Rotations and
    scale change nothing. The interval draws classes. O(n² d) time, as long as one exact search, shared with `ClassGap`
    and `WorstGap`.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "Separated()", similarity="euclidean")["Separated()"].value, 4)
    0.75
    """

    def measure(self, space: Space) -> Estimate:
        alike, unlike, y = gaps(space, "Separated")
        return mean_by_class(space, (alike < unlike).double(), y)


class ClassGap(Statistic):
    """How much nearer is the farthest of the same class than the nearest of another? A mean over items.

    mean_i (δ₂(i) − δ₁(i)), positive where classes stand apart; d, δ₁, δ₂ and items as in `Separated`. In units of
    distance: at most 2 for the cosine, whose embeddings have length one; otherwise divide it by a `ClassRadius`.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "ClassGap()", similarity="euclidean")["ClassGap()"].value, 4)
    0.75
    """

    def measure(self, space: Space) -> Estimate:
        alike, unlike, y = gaps(space, "ClassGap")
        return mean_by_class(space, unlike - alike, y)


class WorstGap(Statistic):
    """Is there one threshold that tells all pairs apart? min_i δ₂(i) − max_i δ₁(i); positive where there is.

    δ₁ and δ₂ as in `Separated`. Two items decide it: one mislabelled item makes it negative. No interval: it is no
    mean, and drawing classes anew can only leave extremes out.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "WorstGap()", similarity="euclidean")["WorstGap()"].value, 4)
    -2.0
    """

    def measure(self, space: Space) -> Estimate:
        alike, unlike, _ = gaps(space, "WorstGap")
        return Estimate(float(unlike.min() - alike.max()))


def gaps(space: Space, name: str) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Int[Tensor, " n"]]:
    """δ₁, δ₂ and the class of each item that has another of its class; float64, on the CPU.

    Raises:
        ValueError: where there are fewer than two classes, or none of two items.
    """
    found = classes(space, name, least=2)

    def measure() -> tuple[Tensor, Tensor, Tensor]:
        x, there = mapped(space)[found.rows], found.size[found.y] > 1
        alike = farthest_alike(x, found.size, space.memory)
        unlike = nearest_unlike(x, found.size, space.memory)
        return alike[there].cpu(), unlike[there].cpu(), found.y[there].cpu()

    made = space.once("gaps", measure)
    if not len(made[0]):
        raise ValueError(f"{name} needs a class of two or more items, and each of {len(found.size)} classes has one.")
    return made

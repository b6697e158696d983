"""How far classes reach around their middle (r_i of "Determinant regularization for deep metric learning", OpenReview 2022)."""

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.metrics.items import classes, mean_by_class
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import within


class ClassRadius(Statistic):
    """How far does a class reach around its middle? The mean radius over classes.

    r_c is a quantile of ‖x_i − μ_c‖ over the items of class c: the largest for `quantile=1.0`, which one mislabelled item
    decides, and the distance that holds nine tenths for 0.9 (interpolated linearly). x are the embeddings as the
    similarity sees them and μ_c their mean, mapped again (at length one for the cosine): on the sphere, from 0 to 2.
    Classes of one item and unknown labels (−1) are left out. Rotations change nothing.

    The radius of *new* classes is the same statistic on other data. Divided by that of the training classes it says how
    much classes grow when they are new, and what is left of the gap between classes (`ClassGap`) for one of
    that diameter. The interval draws classes.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "ClassRadius()", similarity="euclidean")["ClassRadius()"].value, 4)
    1.25
    """

    quantile: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.quantile <= 1:
            raise ValueError(f"{self!r}: a quantile lies between 0 and 1.")

    def measure(self, space: Space) -> Estimate:
        return mean_by_class(space, quantiles(*radii(space, "ClassRadius"), self.quantile))


class ClassSpread(Statistic):
    """How far from its middle are items of a class, all in all? The root mean square radius, a mean over classes.

    mean_c √(mean_{i∈c} ‖x_i − μ_c‖²); items, middle, range and interval as in `ClassRadius`, and less moved by
    single items.

    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> round(evaluate(z, y, "ClassSpread()", similarity="euclidean")["ClassSpread()"].value, 4)
    1.25
    """

    def measure(self, space: Space) -> Estimate:
        far, size = radii(space, "ClassSpread")
        owner = torch.repeat_interleave(torch.arange(len(size)), size)
        squares = torch.zeros(len(size), dtype=torch.float64).index_add_(0, owner, far.square())
        return mean_by_class(space, (squares / size).sqrt())


def radii(space: Space, name: str) -> tuple[Float[Tensor, " n"], Tensor]:
    """Distances of items to the middle of their class, class by class, and the sizes of the classes; of two items or more.

    Raises:
        ValueError: where every class has one item only.
    """
    found = classes(space, name)

    def measure() -> tuple[Tensor, Tensor]:
        z, large = space.z[found.rows], found.size > 1
        middle = space.embed(within.sums(z, found.size, space.embed)[0] / found.size[:, None])
        far = torch.cat(
            [torch.linalg.vector_norm(space.embed(z[r].double()) - middle[found.y[r]], dim=1) for r in within.chunks(z)]
        )
        return far[large[found.y]].cpu(), found.size[large].cpu()

    far, size = space.once("radii", measure)
    if not len(size):
        raise ValueError(f"{name} needs a class of two or more items, and each of {len(found.size)} classes has one.")
    return far, size


def quantiles(far: Float[Tensor, " n"], size: Tensor, quantile: float) -> Float[Tensor, " c"]:
    """The quantile of each class, from the sorted values of all: linear between neighbours, as numpy's."""
    owner = torch.repeat_interleave(torch.arange(len(size)), size)
    order = far.argsort()
    rising = far[order[owner[order].argsort(stable=True)]]
    at = quantile * (size - 1).double()
    low = at.floor().long()
    start = size.cumsum(0) - size
    high = torch.minimum(low + 1, size - 1)
    return torch.lerp(rising[start + low], rising[start + high], at - low)

"""How many directions does the space use? Spectral decay (Roth et al., ICML 2020), effective rank (Roy and Vetterli, EUSIPCO
2007) and the fraction of principal components (as OpenMetricLearning prints it).
"""

from jaxtyping import Float
from torch import Tensor

from isometry.metrics.items import items, mapped
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import spectrum


class SpectralDecay(Statistic):
    """How unevenly are directions used? ρ, 0 where all are used alike; larger is more compressed.

    ρ = KL(U ‖ S) = (1/r) Σ_i log(1 / (r s_i)), with s_1 ≥ … ≥ s_r the singular values of the n × d embeddings as the
    similarity sees them (at length one for the cosine), not centred and not squared, divided by their sum. Singular
    values 3 and 1 give 0.1438. Infinite where a direction is not used at all, to the precision of float32: so in
    every space of more dimensions than it fills. Roth et al. report that spaces of smaller ρ transfer better to new
    classes. Labels are not read. Rotations and scale change nothing. O(n d²) time, O(d²) memory.

    The authors' `rho_spectrum@k` is `SpectralDecay(drop=k-1)`. No interval: it is no mean over classes.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    >>> round(evaluate(z, y, "SpectralDecay()", similarity="euclidean")["SpectralDecay()"].value, 4)
    0.1438
    """

    drop: int = 0
    """How many of the largest singular values are left out first."""

    def __post_init__(self) -> None:
        if self.drop < 0:
            raise ValueError(f"{self!r} drops the first singular values: drop is 0 or more.")

    def measure(self, space: Space) -> Estimate:
        values = singular(space)
        if self.drop >= len(values):
            raise ValueError(f"{self!r} leaves none of {len(values):,} singular values.")
        return Estimate(spectrum.spectral_decay(values[self.drop :]))


class EffectiveRank(Statistic):
    """How many directions are used, as if all of them alike? From 1 (one line) to d (all alike).

    exp(H(s)), with H the entropy of the singular values of the embeddings (as in `SpectralDecay`), divided by their sum.
    It hardly notices directions that are used a little, of which `SpectralDecay` is full. Labels are not read. Rotations
    and scale change nothing. No interval: it is no mean over classes.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    >>> round(evaluate(z, y, "EffectiveRank()", similarity="euclidean")["EffectiveRank()"].value, 4)
    1.7548
    """

    def measure(self, space: Space) -> Estimate:
        values = singular(space)
        if not values[0] > 0:
            raise ValueError("EffectiveRank needs an embedding that is not 0, and all are.")
        return Estimate(spectrum.effective_rank(values))


class PCF(Statistic):
    """Which share of the principal components holds most of the variance? In [0, 1]; small is compressed.

    The least number of principal components (of the centred embeddings as the similarity sees them) whose variances sum to
    the stated share of the whole, divided by the number of dimensions d. A collapsed space has no variance and gives 0.
    Labels are not read. Rotations and scale change nothing. No interval: it is no mean over classes.

    >>> import torch
    >>> from isometry import evaluate
    >>> z, y = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    >>> round(evaluate(z, y, "PCF()", similarity="euclidean")["PCF()"].value, 4)
    0.5
    """

    variance: float = 0.9
    """The share of the variance that is to be held."""

    def __post_init__(self) -> None:
        if not 0 < self.variance <= 1:
            raise ValueError(f"{self!r} holds a share of the variance: more than 0, at most 1.")

    def measure(self, space: Space) -> Estimate:
        parts = singular(space, centred=True).square()
        enough = parts.cumsum(0) >= self.variance * parts.sum() * (1 - 1e-12)
        needed = 1 + int((~enough).sum()) if parts.sum() > 0 else 0
        return Estimate(needed / mapped(space).shape[1])


def singular(space: Space, *, centred: bool = False) -> Float[Tensor, " r"]:
    """Singular values of the embeddings as the similarity sees them."""

    def find() -> Tensor:
        rows, x = items(space), mapped(space)
        return spectrum.singular_values(x if len(rows) == len(x) else x[rows], centred=centred)

    return space.once(("singular", centred), find)

"""The dueling layer of "Determinant regularization for deep metric learning" (OpenReview, 2022), by second-hand accounts."""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from isometry.component import fresh
from isometry.embedded import Embedded
from isometry.regularisers.between import Points, Real
from isometry.regularisers.determinant import Determinant
from isometry.regularisers.maps import second
from isometry.regularisers.volumes import LocalVolume, Spherical
from isometry.term import Term


class Dueling(Term):
    """Shrinks the volume of one flow and stretches that of another on the same trunk, so that the trunk cannot undo it.

    [R_1 − R_1⁰ − low]₊ + [R_2⁰ + high − R_2]₊, for heads with two flows (`RealNVP(second=True)`), where R_1 and R_2 are the
    batch's means of R, as in `Determinant`, and R⁰ where they start. The paper has λ_1 R(Z_1) − λ_2 R(Z_2), with 0.05 for
    both: `low=None` and `high=None` leave out the hinges, and then both run away. Whether its loss stands on both branches
    is not known to us; `ProxyAnchor() + OnBranch(loss=ProxyAnchor()) + 0.05 * Dueling()` has it on both, with proxies of
    their own.

    The first flow alone is used afterwards. Other factors for the two: a `Determinant` beside it.

    Raises:
        ValueError: for a head without a second flow.
    """

    volume: LocalVolume = fresh(Spherical)
    points: Points = fresh(Real)
    low: float | None = -1.0
    high: float | None = 1.0
    seed: int = 0

    reads_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shared = {"volume": self.volume, "points": self.points, "seed": self.seed, "every": 1}
        self.shrunk = Determinant(floor=self.low, **shared)
        self.grown = _Grown(of=second, floor=self.high, **shared)

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        for each in (self.shrunk, self.grown):
            each.observe(embedded, y, ids)

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        grown = self.grown(embedded, y, **roles)
        return self.shrunk(embedded, y, **roles) + (-grown if self.high is None else grown)

    @property
    def stats(self) -> dict[str, float]:
        """R of both flows in the last step."""
        return {**self.shrunk.stats, **{f"second {k}": v for k, v in self.grown.stats.items()}}


class _Grown(Determinant):
    """What is too small."""

    def hinged(self, above: Float[Tensor, ""]) -> Float[Tensor, ""]:
        return (-above).clamp_min(0)

"""What `Determinant` keeps small: log-volumes of a map, from its determinant ("Determinant regularization for deep metric
learning", OpenReview, 2022; the spherical ones are ours).
"""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from isometry.component import Component, fresh
from isometry.ops import volume
from isometry.regularisers.estimates import Estimate, Exact
from isometry.regularisers.local import Local


class LocalVolume(Component):
    """Says how much a map stretches space around each point."""

    @abstractmethod
    def forward(self, local: Local) -> Float[Tensor, " n"]:
        """One number a point, in nats unless it says otherwise."""


class LogDet(LocalVolume):
    """The log-volume per dimension: ℓ/d = (1/d) log |det J|, or (1/2d) log det JJᵀ where J is not square.

    The "log-det" reading of the paper. It is the log of the geometric mean of the singular values of J, a lower bound of
    log σ_max and no upper one: diag(10, 0.01) has ℓ < 0 and stretches by 10. z → c z shifts it by log c and changes nothing
    that a cosine sees, so that a loss can be paid in scale alone: `Spherical` cannot. Without a hinge it has no lower bound.
    """

    by: Estimate = fresh(Exact)

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        return local.log_volume(self.by)


class Det(LocalVolume):
    """The determinant per dimension: |det J|^{1/d} = e^{ℓ/d}, the geometric mean of the singular values of J.

    The "det" reading of the paper; it lies above 0, and its gradient fades there. Scale lowers it as it does `LogDet`.
    """

    by: Estimate = fresh(Exact)

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        return local.log_volume(self.by).exp()


class Spherical(LocalVolume):
    """The log-volume of x → u = F(x)/‖F(x)‖ per direction: what is compared are directions, so their volume is what counts.

    R = (1/(d − 1)) (ℓ + log ‖J⁻¹u‖ − (d − 1) log ‖F‖) + log ‖x‖, exactly the mean log of the d − 1 singular values of
    J_u = (I − uuᵀ) J/‖F‖, where ℓ = log |det J| and J = ∂F/∂x. F → c F changes nothing. log ‖x‖ measures lengths at x in units
    of x, so that x → c x changes nothing either (a layer before F could pay in it); `relative=False` leaves it out. A flow that
    is the identity has R = 0, or −log ‖x‖. For other maps ℓ is ½ log det JJᵀ and ‖J⁻¹u‖² is uᵀ(JJᵀ)⁻¹u.

    Ours; the default. A flow pays about two passes for it. Unbounded below: without a hinge it runs away.
    """

    by: Estimate = fresh(Exact)
    relative: bool = True

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        r = local.on_sphere(self.by)
        return r + volume.log_length(local.x) if self.relative else r


class Conditioned(LocalVolume):
    """The spherical log-volume, and how far the largest singular value lies above it: R + gamma (log σ_max(J_u) − R).

    A volume alone does not bound a stretch: one direction may be stretched while others shrink. The gap is 0 only where J_u
    is conformal. σ_max is found by `steps` power steps, from below.

    Raises:
        ValueError: for a gamma below 0 or fewer than one step.
    """

    gamma: float = 0.1
    steps: int = 4
    by: Estimate = fresh(Exact)
    relative: bool = True

    def __post_init__(self) -> None:
        if self.gamma < 0 or self.steps < 1:
            raise ValueError(f"{self!r}: gamma is 0 or more, and steps 1 or more.")

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        r = local.on_sphere(self.by)
        largest = log_stretch(local, volume.on_sphere(local.f), self.steps)
        value = r + self.gamma * (largest - r)
        return value + volume.log_length(local.x) if self.relative else value


def log_stretch(local: Local, f: volume.Map, steps: int) -> Float[Tensor, " n"]:
    """log σ_max of f at the points, by power steps from random vectors that go with the rows."""
    d = local.width
    start = local.signs(1, d, stream=1)[0]
    return volume.largest_stretch(f, local.x, start, steps).clamp_min(volume.LEAST).log()

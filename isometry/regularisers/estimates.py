"""How the volume of a map that is no flow is found: from its Jacobian, or by random probes of it.

Stochastic Lanczos quadrature: Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", 2017.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from isometry.component import Component
from isometry.ops import volume
from isometry.regularisers.local import Local, directions


class Estimate(Component):
    """Finds log-volumes of a map at points, per dimension."""

    @abstractmethod
    def log_volume(self, local: Local) -> Float[Tensor, " n"]:
        """(1/d) Σ log s_i of J."""

    @abstractmethod
    def on_sphere(self, local: Local) -> Float[Tensor, " n"]:
        """(1/(d − 1)) Σ log s_i of J_u."""


class Exact(Estimate):
    """Reads a volume off the whole Jacobian: d reverse derivatives, and a Cholesky factor of JJᵀ for each row.

    Memory is n d (p + what the map keeps): right for heads of up to some 128 dimensions. Singular values of 0 count as
    10⁻³ of the root mean square of all. Flows and linear heads do not need it, and are exact without.
    """

    def log_volume(self, local: Local) -> Float[Tensor, " n"]:
        _, j = volume.jacobian(local.f, local.x)
        return volume.log_volume(j) / min(j.shape[1:])

    def on_sphere(self, local: Local) -> Float[Tensor, " n"]:
        z, j = volume.jacobian(local.f, local.x)
        return volume.spherical_log_volume(j, z) / directions(*j.shape[1:])


class Lanczos(Estimate):
    """Estimates a volume by random probes, without ever making the Jacobian: ½ E[vᵀ log(JJᵀ) v].

    Each probe takes `steps` products with J and with Jᵀ. Few probes are noisy: 32 and more for a value to be read, one or
    two to train on. For maps into fewer dimensions than they come from.

    Raises:
        ValueError: for fewer than one probe or step.
    """

    probes: int = 4
    steps: int = 12

    def __post_init__(self) -> None:
        if min(self.probes, self.steps) < 1:
            raise ValueError(f"{self!r}: probes and steps are 1 or more.")

    def log_volume(self, local: Local) -> Float[Tensor, " n"]:
        d = local.width
        return volume.lanczos_log_volume(local.f, local.x, local.signs(self.probes, d), self.steps) / d

    def on_sphere(self, local: Local) -> Float[Tensor, " n"]:
        with torch.no_grad():
            u = functional.normalize(local.f(local.x), dim=1)
            v = local.signs(self.probes, u.shape[1])
            v = v - (v * u).sum(2, keepdim=True) * u
        steps, d = max(1, min(self.steps, u.shape[1] - 1)), u.shape[1]
        return volume.lanczos_log_volume(volume.on_sphere(local.f), local.x, v, steps) / max(1, d - 1)

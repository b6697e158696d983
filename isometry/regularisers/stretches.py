"""What `Determinant` is compared with: other measures of how much a map stretches, which need no determinant.

Frobenius norm by random probes: Hoffman, Roberts and Yaida, "Robust learning with Jacobian regularization", 2019. Spectral
norms of layers: Yoshida and Miyato, "Spectral norm regularization for improving the generalizability of deep learning", 2017.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from isometry.ops import volume
from isometry.regularisers.local import Local
from isometry.regularisers.volumes import LocalVolume, log_stretch


class Frobenius(LocalVolume):
    """The root mean square of the singular values, as a log: ½ log (‖J_u‖_F² / (d − 1)) + log ‖x‖, from random probes.

    By the inequality of the means it lies above `Spherical`, and √(d − 1) times it bounds σ_max: a stronger demand on the
    largest stretch than a volume, for one reverse derivative a probe, of any map. J_u is the Jacobian of x → u = f(x)/‖f(x)‖,
    so that z → c z changes nothing; `sphere=False` takes f itself, and d for d − 1. ‖J‖_F² is estimated without bias, its log
    lies a little low for few probes. `relative=False` leaves out log ‖x‖.

    Raises:
        ValueError: for fewer than one probe.
    """

    probes: int = 1
    sphere: bool = True
    relative: bool = True

    def __post_init__(self) -> None:
        if self.probes < 1:
            raise ValueError(f"{self!r}: probes are 1 or more.")

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        d = local.width
        f = volume.on_sphere(local.f) if self.sphere else local.f
        squared = volume.frobenius_squared(f, local.x, local.signs(self.probes, d))
        value = (squared / max(1, d - self.sphere)).clamp_min(volume.LEAST**2).log() / 2
        return value + volume.log_length(local.x) if self.relative else value


class LargestStretch(LocalVolume):
    """The largest singular value, as a log: log σ_max(J_u) + log ‖x‖, by `steps` power steps from a random vector.

    This is the local Lipschitz constant itself, from below. J_u is the Jacobian of x → u = f(x)/‖f(x)‖; `sphere=False` takes f
    itself. `relative=False` leaves out log ‖x‖.

    Raises:
        ValueError: for fewer than one step.
    """

    steps: int = 4
    sphere: bool = True
    relative: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self!r}: steps are 1 or more.")

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        value = log_stretch(local, volume.on_sphere(local.f) if self.sphere else local.f, self.steps)
        return value + volume.log_length(local.x) if self.relative else value


class SpectralNorm(LocalVolume):
    """How much the layers may stretch wherever one looks: mean_k log(1 + σ_max(W_k)) over the map's weight matrices.

    Where linear layers stand one after the other, Π σ_max(W_k) bounds the stretch of all; the layers of a flow stand beside an
    identity and start at 0, which a log of the product would not take: hence 1 +. A proxy and no bound (a coupling multiplies by
    what it has read), of the weights only: the same for every point, blind to the scale of z. Kernels of convolutions are
    taken as matrices. σ_max is found by `steps` power steps.

    Raises:
        ValueError: for fewer than one step.
    """

    steps: int = 8

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self!r}: steps are 1 or more.")

    def forward(self, local: Local) -> Float[Tensor, " n"]:
        weights = [p.flatten(1) for p in local.module.parameters() if p.ndim > 1]
        if not weights:
            return local.x.new_zeros(len(local.x))
        bound = torch.stack([torch.log1p(norm(w, self.steps)) for w in weights]).mean()
        return bound.to(local.x.dtype).expand(len(local.x))


def norm(w: Float[Tensor, "d p"], steps: int) -> Float[Tensor, ""]:
    """σ_max(W), by power steps from the row sums' direction and a fixed unevenness.

    >>> norm(torch.diag(torch.tensor([3.0, 1.0])), 20)
    tensor(3.)
    """
    with torch.no_grad():
        v = functional.normalize(torch.cos(torch.arange(w.shape[1], device=w.device, dtype=w.dtype)), dim=0)
        for _ in range(steps):
            v = functional.normalize(w.T @ (w @ v), dim=0)
        u = functional.normalize(w @ v, dim=0)
    return u @ w @ v

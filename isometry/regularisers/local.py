"""A map at some points, and how it changes volumes there: what the volumes of `Determinant` are read from.

Heads differ in what is known of them. A flow knows its determinant; the Jacobian of a linear head is its matrix, the same
everywhere; of any other map an estimator finds out.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.ops import volume

Draw = Callable[[int, int], Tensor]
"""(k, stream) → numbers uniform in (0, 1) `[n k]`, which go with the rows' ids."""


class Local:
    """A map f at points x.

    Attributes: f: takes rows to rows `[n d]`. x `[n …]`: requires a gradient. width: d. module: whose weights f has. draw: random
        numbers of each row.
    """

    def __init__(self, f: volume.Map, x: Float[Tensor, "n *p"], width: int, module: nn.Module, draw: Draw) -> None:
        self.f, self.width, self.module, self.draw = f, width, module, draw
        self.x = x if x.requires_grad else x.detach().requires_grad_()

    def at(self, x: Tensor, draw: Draw) -> "Local":
        """The same map at other points."""
        return Local(self.f, x, self.width, self.module, draw)

    def log_volume(self, by: Any) -> Float[Tensor, " n"]:
        """(1/d) Σ log s_i: the log of the geometric mean of the Jacobian's singular values."""
        return by.log_volume(self)

    def on_sphere(self, by: Any) -> Float[Tensor, " n"]:
        """The same of x → u = f(x)/‖f(x)‖, over its d − 1 directions."""
        return by.on_sphere(self)

    def moments(self, probes: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """tr JJᵀ = Σ s_i² and ‖JJᵀ‖_F² = Σ s_i⁴ at each point, by random probes."""
        return volume.moments(self.f, self.x, self.signs(probes, self.width))

    def signs(self, k: int, d: int, stream: int = 0) -> Float[Tensor, "k n d"]:
        """k random vectors of ±1 for each row."""
        drawn = self.draw(k * d, stream).view(len(self.x), k, d).transpose(0, 1)
        return torch.where(drawn < 0.5, -1.0, 1.0).to(self.x.dtype)


class FlowLocal(Local):
    """A flow at points: exact, in about two passes; one of them is saved where what it `made` of them is at hand."""

    def __init__(self, flow: Any, x: Float[Tensor, "n d"], draw: Draw, made: Any = None) -> None:
        super().__init__(flow.flow, x, x.shape[1], flow, draw)
        self.flow, self.made = flow, made

    def at(self, x: Tensor, draw: Draw) -> "FlowLocal":
        return FlowLocal(self.flow, x, draw)

    def log_volume(self, by: Any) -> Float[Tensor, " n"]:
        log_det = self.flow.with_log_det(self.x)[1] if self.made is None else self.made.log_det
        return log_det / self.x.shape[1]

    def on_sphere(self, by: Any) -> Float[Tensor, " n"]:
        """log vol J_u = log |det J| + log ‖J⁻¹u‖ − (d − 1) log ‖z‖."""
        made = self.made
        z, log_det, back = (
            self.flow.pulled_back(self.x) if made is None else (made.z, made.log_det, self.flow.pull(made))
        )
        directions = z.shape[1] - 1
        return (log_det + volume.log_length(back)) / directions - volume.log_length(z)


class LinearLocal(Local):
    """An affine map at points: one Jacobian serves all rows. z: what it made of them, where that is at hand."""

    def __init__(
        self,
        f: volume.Map,
        slope: Tensor,
        x: Float[Tensor, "n p"],
        module: nn.Module,
        draw: Draw,
        z: Float[Tensor, "n d"] | None = None,
    ) -> None:
        super().__init__(f, x, len(slope), module, draw)
        self.slope, self.z = slope.to(x.dtype), z

    def at(self, x: Tensor, draw: Draw) -> "LinearLocal":
        return LinearLocal(self.f, self.slope, x, self.module, draw)

    def log_volume(self, by: Any) -> Float[Tensor, " n"]:
        return (volume.log_volume(self.slope) / min(self.slope.shape)).expand(len(self.x))

    def on_sphere(self, by: Any) -> Float[Tensor, " n"]:
        z = self.f(self.x) if self.z is None else self.z
        return volume.spherical_log_volume(self.slope, z) / directions(z.shape[1], self.slope.shape[1])

    def moments(self, probes: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        g = self.slope @ self.slope.T
        return g.diagonal().sum().expand(len(self.x)), g.square().sum().expand(len(self.x))


def directions(d: int, p: int) -> int:
    """How many directions on the sphere of R^d a map from R^p can move in; 1 for none, to divide by."""
    return max(1, min(d - 1, p))

"""Steps of a normalising flow: maps of R^d onto itself with a known inverse, determinant and derivative of the inverse.

All are made of operations that can be differentiated as often as asked. At its start every step is the identity, or a
permutation.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from isometry.ops.mixed import full_precision, single

Rows = Float[Tensor, "n d"]
Traced = tuple[Tensor, Tensor | float, Any]


class Step(nn.Module, ABC):
    """An invertible map of rows."""

    @abstractmethod
    def traced(self, x: Rows) -> Traced:
        """y, log |det ∂y/∂x| of each row (or one for all), and what `pulled` reads."""

    @abstractmethod
    def inverse(self, y: Rows) -> Rows:
        """x."""

    @abstractmethod
    def pulled(self, v: Rows, kept: Any) -> Rows:
        """(∂y/∂x)⁻¹ v, at the x that was traced."""

    def forward(self, x: Rows) -> Rows:
        return self.traced(x)[0]


class Permutation(Step):
    """y = x in another order of its columns."""

    order: Tensor
    back: Tensor

    def __init__(self, order: Int64[Tensor, " d"]) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def traced(self, x: Rows) -> Traced:
        return x.index_select(1, self.order), 0.0, None

    def inverse(self, y: Rows) -> Rows:
        return y.index_select(1, self.back)

    def pulled(self, v: Rows, kept: None) -> Rows:
        return self.inverse(v)


class Subnet(nn.Module):
    """What a coupling reads off the first half: Linear, SiLU, Linear, SiLU, Linear; the last starts at zero."""

    def __init__(self, size: int, width: int, out: int) -> None:
        super().__init__()
        last = nn.Linear(width, out)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.ModuleList([nn.Linear(size, width), nn.Linear(width, width), last])

    def forward(self, a: Rows) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The output, and the inputs of the two SiLU."""
        first, second, last = self.layers
        p = _linear(first, a)
        q = _linear(second, functional.silu(p))
        return _linear(last, functional.silu(q)), (p, q)

    def tangent(self, v: Rows, before: tuple[Tensor, ...]) -> Tensor:
        """The derivative of the output along v."""
        for layer, p in zip(self.layers, (*before, None), strict=True):
            v = v @ layer.weight.to(v.dtype).mT  # type: ignore[operator, union-attr]
            v = v if p is None else v * _slope(p)
        return v


def _linear(layer: Any, x: Tensor) -> Tensor:
    return functional.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


def _slope(p: Tensor) -> Tensor:
    """The derivative of SiLU: σ + p σ (1 − σ), σ the sigmoid of p."""
    sigmoid = torch.sigmoid(p)
    return torch.addcmul(sigmoid, p * sigmoid, 1 - sigmoid)


class Coupling(Step):
    """One half of the columns, b, moves as the other, a, says; a stays. a comes first, or last if flipped."""

    def __init__(self, dim: int, width: int, *, outputs: int, flipped: bool = False) -> None:
        super().__init__()
        self.sizes, self.flipped = [dim // 2, dim - dim // 2], flipped
        stays, moves = reversed(self.sizes) if flipped else self.sizes
        self.subnet = Subnet(stays, width, outputs * moves)

    def halves(self, x: Rows) -> tuple[Tensor, Tensor]:
        """a and b."""
        first, last = x.split(self.sizes, 1)
        return (last, first) if self.flipped else (first, last)

    def joined(self, a: Tensor, b: Tensor) -> Rows:
        """The halves in their places."""
        return torch.cat([b, a] if self.flipped else [a, b], 1)


class Affine(Coupling):
    """Affine coupling: b becomes b eˢ + t, where (s, t) is read off a. log |det| = Σ s, and s = c tanh(ŝ/c)."""

    def __init__(self, dim: int, width: int, clamp: float, *, flipped: bool = False) -> None:
        super().__init__(dim, width, outputs=2, flipped=flipped)
        self.clamp = clamp

    def traced(self, x: Rows) -> Traced:
        a, b = self.halves(x)
        s, t, bent, before = self.read(a)
        return self.joined(a, torch.addcmul(t, b, s.exp())), s.sum(1), (b, s, bent, before)

    def inverse(self, y: Rows) -> Rows:
        a, b = self.halves(y)
        s, t, _, _ = self.read(a)
        return self.joined(a, (b - t) * (-s).exp())

    def pulled(self, v: Rows, kept: Any) -> Rows:
        """In the second half: (v_b − dt) e⁻ˢ − b ds, where ds and dt are the derivatives along v_a."""
        b, s, bent, before = kept
        along, rest = self.halves(v)
        ds, dt = self.subnet.tangent(along, before).chunk(2, 1)
        ds = torch.addcmul(ds, ds * bent, bent, value=-1)
        return self.joined(along, torch.addcmul((rest - dt) * (-s).exp(), b, ds, value=-1))

    def read(self, a: Rows) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
        """s, t, s/c, and what the tangent reads."""
        out, before = self.subnet(a)
        raw, t = out.chunk(2, 1)
        bent = torch.tanh(raw / self.clamp)
        return self.clamp * bent, t, bent, before


class Additive(Coupling):
    """Additive coupling: b becomes b + t(a). Its determinant is 1."""

    def __init__(self, dim: int, width: int, *, flipped: bool = False) -> None:
        super().__init__(dim, width, outputs=1, flipped=flipped)

    def traced(self, x: Rows) -> Traced:
        a, b = self.halves(x)
        t, before = self.subnet(a)
        return self.joined(a, b + t), 0.0, before

    def inverse(self, y: Rows) -> Rows:
        a, b = self.halves(y)
        return self.joined(a, b - self.subnet(a)[0])

    def pulled(self, v: Rows, kept: Any) -> Rows:
        along, rest = self.halves(v)
        return self.joined(along, rest - self.subnet.tangent(along, kept))


class Diagonal(Step):
    """y = eˢ x with a learned s of each dimension, clamped as in `Affine`. log |det| = Σ s, the same everywhere."""

    def __init__(self, dim: int, clamp: float) -> None:
        super().__init__()
        self.clamp, self.scale = clamp, nn.Parameter(torch.zeros(dim))

    def traced(self, x: Rows) -> Traced:
        s = self.log_scale(x)
        return x * s.exp(), s.sum(), None

    def inverse(self, y: Rows) -> Rows:
        return y * (-self.log_scale(y)).exp()

    def pulled(self, v: Rows, kept: None) -> Rows:
        return self.inverse(v)

    def log_scale(self, x: Rows) -> Float[Tensor, " d"]:
        """s, in the precision of x."""
        return bounded(self.scale.to(x.dtype), self.clamp)


class Triangular(Step):
    """y = L U x: L lower triangular with ones on its diagonal, U upper triangular with eˢ on it, s clamped.

    Both lie in one matrix, as LAPACK keeps them. log |det| = Σ s, the same everywhere.
    """

    def __init__(self, dim: int, clamp: float) -> None:
        super().__init__()
        self.clamp, self.weight = clamp, nn.Parameter(torch.zeros(dim, dim))

    def traced(self, x: Rows) -> Traced:
        lower, upper, s = self.factors(x)
        return functional.linear(functional.linear(x, upper), lower), s.sum(), (lower, upper)

    def inverse(self, y: Rows) -> Rows:
        return self.pulled(y, self.factors(y)[:2])

    def pulled(self, v: Rows, kept: Any) -> Rows:
        lower, upper = kept
        v = torch.linalg.solve_triangular(lower.mT, v, upper=True, left=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper.mT, v, upper=False, left=False)

    def factors(self, x: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """L, U and s, in the precision of x."""
        weight = self.weight.to(x.dtype)
        s = bounded(weight.diagonal(), self.clamp)
        lower = weight.tril(-1) + torch.eye(len(weight), dtype=x.dtype, device=x.device)
        return lower, weight.triu(1) + s.exp().diag(), s


def bounded(raw: Tensor, clamp: float) -> Tensor:
    """c tanh(raw/c): within ± c, and raw where that is small."""
    return clamp * torch.tanh(raw / clamp)


class Made(NamedTuple):
    """What a flow made of points: z, log |det J|, and what each step keeps for the derivative of the inverse."""

    z: Rows
    log_det: Float[Tensor, " n"]
    kept: list[Any]


class Chain(nn.Module):
    """Steps one after the other: a flow F of R^d onto itself. In float32 under autocast, in float64 for float64."""

    def __init__(self, dim: int, steps: Iterable[Step]) -> None:
        super().__init__()
        self.dim, self.steps = dim, nn.ModuleList(steps)

    def forward(self, x: Rows) -> Rows:
        return self.flow(x)

    def flow(self, x: Rows) -> Rows:
        """z = F(x)."""
        return self.traced(x)[0]

    def with_log_det(self, x: Rows) -> tuple[Rows, Float[Tensor, " n"]]:
        """z, and log |det ∂F/∂x| of each row, exactly."""
        z, log_det, _ = self.traced(x)
        return z, log_det

    def inverse(self, z: Rows) -> Rows:
        """x = F⁻¹(z)."""
        z = single(z)
        with full_precision(z):
            for step in self.backwards():
                z = step.inverse(z)
        return z

    def pulled_back(self, x: Rows) -> tuple[Rows, Float[Tensor, " n"], Rows]:
        """z, log |det J| and J⁻¹u, where J = ∂F/∂x and u = z/‖z‖: the inverse differentiated along u.

        The steps' own derivatives are taken in reverse order, at the points that the way there went through, so that it
        costs about one pass more.
        """
        made = self.traced(x)
        return *made[:2], self.pull(made)

    def pull(self, made: "Made") -> Rows:
        """J⁻¹u at points that were traced."""
        z, _, kept = made
        with full_precision(z):
            v = functional.normalize(z)
            for step, held in zip(self.backwards(), reversed(kept), strict=True):
                v = step.pulled(v, held)
        return v

    def traced(self, x: Rows) -> "Made":
        """z, log |det J|, and what each step keeps."""
        x, kept = single(x), []
        log_det: Any = x.new_zeros(x.shape[0])
        with full_precision(x):
            for step in reversed(self.backwards()):
                x, term, held = step.traced(x)
                log_det = log_det + term
                kept.append(held)
        return Made(x, log_det, kept)

    def backwards(self) -> list[Step]:
        """The steps, last first."""
        return list(self.steps)[::-1]  # type: ignore[return-value]

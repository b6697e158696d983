"""How much a map stretches where no sample lies: its derivative at points and on the segments between samples."""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from isometry.ops.lipschitz import stretch_at

Map = Callable[[Tensor], Tensor]
QUARTERS = 4
ROWS = 512  # rows of Jacobians at once
LARGEST = 1024  # dimensions of an embedding beyond which its Jacobian is not taken
RANK = 1e-5  # singular values below this part of the largest are zero but for rounding


def onto_sphere(f: Map) -> Map:
    """The map to u = f(x) / ‖f(x)‖, which can be differentiated as often as f."""
    return lambda x: functional.normalize(f(x).float() if x.dtype != torch.float64 else f(x), dim=1)


@torch.no_grad()
def longest_quarter(f: Map, x: Float[Tensor, "n *p"], other: Float[Tensor, "n *p"]) -> Float[Tensor, " n"]:
    """The largest stretch of the four quarters of each segment from x to other, by values of the map alone.

    At least the stretch of the pair, at most the largest σ_max on the segment. NaN where both ends are one point.
    """
    ends = [f(torch.lerp(x, other, k / QUARTERS)) for k in range(QUARTERS + 1)]
    steps = torch.stack([torch.linalg.vector_norm((b - a).double(), dim=1) for a, b in itertools.pairwise(ends)])
    return (steps.amax(0) * QUARTERS / torch.linalg.vector_norm((other - x).double().flatten(1), dim=1)).cpu()


def steepest(
    f: Map, x: Float[Tensor, "n *p"], other: Float[Tensor, "n *p"], *, at: tuple[float, ...], steps: int, seed: int
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """σ_max of the Jacobian at x, and the largest on the way to other, at these shares of it.

    Raises:
        ValueError: where the map can be differentiated once only.
    """
    points = torch.cat([x, *(torch.lerp(x, other, share) for share in at)])
    try:
        found = stretch_at(f, points, steps=steps, seed=seed).double().cpu().view(1 + len(at), len(x))
    except RuntimeError as error:  # autograd's own words for a missing second derivative
        raise ValueError(f"The map cannot be differentiated twice: {' '.join(str(error).split()[:20])} …") from None
    return found[0], found[1:].amax(0)


def anisotropy(f: Map, x: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
    """σ_max / (∏ σ_k)^(1/r) over the r singular values of the Jacobian of f at each row that are not zero; 1 is conformal.

    Exact: d rows of the Jacobian by as many derivatives, and the eigenvalues of JJᵀ. The map to the sphere loses the
    direction of u, and a layer norm two more: such values are left out. float64.
    """
    with torch.enable_grad():
        d = f(x[:1]).shape[1]
        rows = x.detach().repeat_interleave(d, 0).requires_grad_()
        jacobian = torch.autograd.grad(f(rows), rows, torch.eye(d, dtype=x.dtype, device=x.device).repeat(len(x), 1))[0]
    j = jacobian.view(len(x), d, -1).double()
    gram = j @ j.mT if d <= j.shape[2] else j.mT @ j
    squares = torch.linalg.eigvalsh(gram)
    top = squares[:, -1:]
    there = squares > RANK**2 * top
    logs = torch.where(there, squares.clamp_min(1e-300).log(), 0).sum(1) / there.sum(1)
    return torch.where(top[:, 0] > 0, (0.5 * (top[:, 0].log() - logs)).exp(), torch.nan).cpu()

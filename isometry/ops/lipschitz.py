"""How much a map stretches: estimates of local Lipschitz constants, from derivatives and from pairs of samples.

A map takes rows to rows, each by itself: a head, or a whole model in evaluation mode (`lambda images: model(images).z`,
through `torch.nn.functional.normalize` if lengths do not count). A batch norm in training mode mixes rows, and nothing
here is true of it.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def stretch_at(f: Map, x: Float[Tensor, "n *p"], *, steps: int = 20, seed: int = 0) -> Float[Tensor, " n"]:
    """σ_max of the Jacobian of f at each row of x: the local Lipschitz constant there, for Euclidean lengths.

    Power iteration, v ← Jᵀ(J v) / ‖·‖ from a random v. The value ‖J v‖ never lies above σ_max and rises to it, the faster the
    farther the second singular value lies below. The map is run once; each step is two reverse derivatives of it, J v being
    the derivative of uᵀJ by u, so its operations need two derivatives.

    Args:
        x: points, of any shape after the first dimension.
        steps: of the power iteration.

    Raises:
        ValueError: where f does not give one row for each row, or can be differentiated only once.

    >>> double_and_halve = lambda x: x * torch.tensor([2.0, 0.5])
    >>> stretch_at(double_and_halve, torch.randn(3, 2))
    tensor([2., 2., 2.])
    """
    if steps < 1:
        raise ValueError(f"Power iteration takes 1 or more steps; got {steps}.")
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        z = f(x)
        if z.shape[:1] != x.shape[:1]:
            raise ValueError(f"The map gives one row for each of {len(x)} rows; it gave {list(z.shape)}.")
        u = torch.zeros_like(z, requires_grad=True)
        pulled = torch.autograd.grad(z, x, u, create_graph=True)[0]

    def push(v: Tensor) -> Tensor:
        found = (
            torch.autograd.grad(pulled, u, v, retain_graph=True, allow_unused=True)[0] if pulled.requires_grad else None
        )
        return torch.zeros_like(z) if found is None else found

    v = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype).to(x.device)
    for _ in range(steps):
        v = torch.autograd.grad(z, x, push(_unit(v)), retain_graph=True)[0]
    _refuse_once_differentiable(z, x, push)
    return _lengths(push(_unit(v)))


def _refuse_once_differentiable(z: Tensor, x: Tensor, push: Map) -> None:
    """Raises where uᵀ(J v) is not (uᵀJ) v: there a second derivative is missing, which autograd does not always say."""
    u, v = torch.ones_like(z), torch.linspace(1, 2, x.numel(), dtype=x.dtype, device=x.device).view(x.shape)
    one = (torch.autograd.grad(z, x, u, retain_graph=True)[0] * v).flatten(1)
    other = (push(v) * u).flatten(1)
    if ((one.sum(1) - other.sum(1)).abs() > 1e-3 * (one.abs().sum(1) + other.abs().sum(1))).any():
        raise ValueError(
            "The map uses an operation that can be differentiated once only (isometry.ops.safe has such): "
            "write it with torch's own, for example torch.nn.functional.normalize."
        )


def stretch_between(
    f: Map,
    x: Float[Tensor, "n *p"],
    other: Float[Tensor, "n *p"],
    *,
    at: Sequence[float] = (0.25, 0.5, 0.75),
    steps: int = 20,
    seed: int = 0,
) -> Float[Tensor, "n s"]:
    """σ_max of the Jacobian on the segments from x to other, at these shares of the way: what holds between samples.

    No pair of points is stretched more than the largest value on the segment that joins them (the mean value inequality).

    >>> stretch_between(lambda x: x.square(), torch.tensor([[0.0]]), torch.tensor([[4.0]]))
    tensor([[2., 4., 6.]])
    """
    return torch.stack([stretch_at(f, torch.lerp(x, other, share), steps=steps, seed=seed) for share in at], 1)


def stretch_of_pairs(
    x: Float[Tensor, "n *p"], z: Float[Tensor, "n *q"], i: Int[Tensor, " s"], j: Int[Tensor, " s"]
) -> Float[Tensor, " s"]:
    """‖z_i − z_j‖ / ‖x_i − x_j‖ of pairs of samples: how much a map x → z stretched what lies between them; float64.

    A lower bound of the Lipschitz constant wherever the map is known by its values only. NaN for a pair that coincides on
    both sides, infinite for one that was torn apart.

    >>> x, z = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [2.0], [2.0]])
    >>> stretch_of_pairs(x, z, torch.tensor([0, 1]), torch.tensor([1, 2]))
    tensor([2., 0.], dtype=torch.float64)
    """
    step = max(1, 2**22 // max(1, x[0].numel() + z[0].numel()))
    parts = [
        _lengths(z[a].double() - z[b].double()) / _lengths(x[a].double() - x[b].double())
        for a, b in zip(i.split(step), j.split(step), strict=True)
    ]
    return torch.cat(parts)


def _lengths(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x.flatten(1), dim=1)


def _unit(v: Tensor) -> Tensor:
    """Rows at length one; a row of zeros stays."""
    length = _lengths(v).view(-1, *[1] * (v.ndim - 1))
    return v / torch.where(length > 0, length, 1)

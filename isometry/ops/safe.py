"""Functions whose gradients misbehave at a point, made to behave there."""

import torch
from jaxtyping import Float
from torch import Tensor


def sqrt(x: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """√max(x, 0), whose gradient at 0 is 0 instead of infinite."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


def normalize(x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    """x / ‖x‖; a row of zeros stays zero, with a finite gradient."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * norm.clamp_min(1e-12 if x.dtype == torch.float64 else 1e-8).reciprocal()


def squared_distance(z: Float[Tensor, "n d"], r: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """‖z_i − r_j‖², from one matrix product; both are centred first, so that offsets cost no digits."""
    centre = r.mean(0, keepdim=True).detach() if len(r) else 0
    z, r = z - centre, r - centre
    near = torch.addmm(r.square().sum(1)[None, :], z, r.T, alpha=-2)
    return (near + z.square().sum(1)[:, None]).clamp_min(0)

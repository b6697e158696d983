"""Ranks: gathering with gradient, summing with gradient. On one process everything is the identity."""

import torch
import torch.distributed as dist
from torch import Tensor

from isometry.samples import Samples


def ranks() -> int:
    """How many processes take part."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number."""
    return dist.get_rank() if ranks() > 1 else 0


def lengths(n: int, device: torch.device) -> list[int]:
    """How many rows each rank has: they may differ."""
    if ranks() == 1:
        return [n]
    mine = torch.tensor([n], device=device)
    every = [torch.zeros_like(mine) for _ in range(ranks())]
    dist.all_gather(every, mine)
    return [int(x) for x in every]


def gather(samples: Samples) -> Samples:
    """The samples of all ranks, in rank order; gradients of embeddings return to where they came from."""
    if ranks() == 1:
        return samples
    sizes = lengths(len(samples.z), samples.z.device)
    z = _Gather.apply(samples.z, sizes)
    rest = (None if x is None else _collect(x, sizes) for x in samples[1:])
    return Samples(z, *rest)  # type: ignore[arg-type]


def share(n: int) -> slice:
    """This rank's part of n things that every rank has."""
    return slice(n * rank() // ranks(), n * (rank() + 1) // ranks())


def joined(x: Tensor) -> Tensor:
    """Rows of all ranks, in rank order; their gradients return to where they came from."""
    return x if ranks() == 1 else _Gather.apply(x, lengths(len(x), x.device))


def gather_rows(x: Tensor) -> Tensor:
    """Rows of all ranks, in rank order, without gradient."""
    return x if ranks() == 1 else _collect(x.detach(), lengths(len(x), x.device))


def own_ids(n: int, device: torch.device) -> Tensor:
    """0, 1, 2, …, going on from rank to rank."""
    start = sum(lengths(n, device)[: rank()]) if ranks() > 1 else 0
    return torch.arange(start, start + n, device=device)


def add_up(x: Tensor) -> Tensor:
    """Sum over ranks, for a loss whose parameters' gradients are then averaged over ranks (as DDP does).

    Every rank has the whole value. The gradient that goes back into `x` is multiplied by the number of ranks, which
    undoes that averaging.
    """
    return x if ranks() == 1 else _AddUp.apply(x)


def _collect(x: Tensor, sizes: list[int]) -> Tensor:
    padded = x.new_zeros(max(sizes), *x.shape[1:])
    padded[: len(x)] = x
    every = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(every, padded.contiguous())
    return torch.cat([part[:n] for part, n in zip(every, sizes, strict=True)])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return _collect(x, sizes)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        grad = grad.contiguous()
        dist.all_reduce(grad)
        start = sum(ctx.sizes[: rank()])
        return grad[start : start + ctx.sizes[rank()]], None


class _AddUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad * ranks()

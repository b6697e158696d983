"""Gradient caching: batches larger than the trunk's memory (Gao et al., 2021; Cakir et al., CVPR 2019).

Embed all chunks without a graph, take the loss's gradient with respect to the embeddings, then embed chunk by chunk again,
with the same random numbers, and send that gradient through. The result is that of one large batch, except that batch
norm sees chunks (freeze it, and it is exact); its running statistics are updated in the second pass only.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isometry.embedded import Embedded, wrap


def backward(
    model: nn.Module,
    chunks: Sequence[Tensor],
    loss: Callable[[Embedded], Tensor],
    send_back: Callable[[Tensor], None] = Tensor.backward,
) -> Tensor:
    """Adds to the gradients of `model` those of `loss(model(all chunks))`; returns its value, detached.

    `loss` sees one `Embedded` of all chunks and may have parameters of its own; `send_back` is what runs backward on a scalar
    (`accelerator.backward` where gradients are scaled).
    """
    states, outputs = [], []
    with torch.no_grad(), running_statistics_held(model):
        for chunk in chunks:
            states.append(_random_state(chunk.device))
            outputs.append(wrap(model(chunk)))
    whole = _joined(outputs)
    leaves = whole._replace(**_map(lambda x: x.detach().requires_grad_(), whole))
    value = loss(leaves)
    send_back(value)
    after = _random_state(chunks[0].device)
    start = 0
    for k, (chunk, state) in enumerate(zip(chunks, states, strict=True)):
        _set_random_state(state, chunk.device)
        last = k == len(chunks) - 1
        with contextlib.nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():  # type: ignore[operator]
            again = wrap(model(chunk))
            rows = slice(start, start + len(again.z))
            pairs = [(x, y.grad[rows]) for x, y in zip(_flat(again), _flat(leaves), strict=True) if y.grad is not None]
            if pairs:
                torch.autograd.backward([x for x, _ in pairs], [g for _, g in pairs])
        start += len(again.z)
    _set_random_state(after, chunks[0].device)
    return value.detach()


def _flat(embedded: Embedded) -> list[Tensor]:
    return [x for x in (embedded.z, embedded.h, *embedded.branches) if x is not None]


def _map(f: Callable[[Tensor], Tensor], embedded: Embedded) -> dict[str, Any]:
    h = None if embedded.h is None else f(embedded.h)
    return {"z": f(embedded.z), "h": h, "branches": tuple(map(f, embedded.branches))}


def _joined(outputs: list[Embedded]) -> Embedded:
    h = None if outputs[0].h is None else torch.cat([o.h for o in outputs])  # type: ignore[misc]
    branches = tuple(map(torch.cat, zip(*(o.branches for o in outputs), strict=True)))
    return Embedded(torch.cat([o.z for o in outputs]), h, branches, outputs[0].model)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)


@contextlib.contextmanager
def running_statistics_held(model: nn.Module) -> Iterator[None]:
    """Inside, batch norms in training mode leave their running statistics as they are."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats]
    kept = [(m, m.momentum, None if m.num_batches_tracked is None else m.num_batches_tracked.clone()) for m in norms]
    for m in norms:
        m.momentum = 0.0
    yield
    for m, momentum, tracked in kept:
        m.momentum = momentum
        if tracked is not None and m.num_batches_tracked is not None:
            m.num_batches_tracked.copy_(tracked)

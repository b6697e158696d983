"""Two references at once (the "mixed" ranking of a batch within a memory)."""

import torch
from torch import Tensor

from isometry.component import fresh
from isometry.reference import Reference, References
from isometry.references.batch import batch
from isometry.references.memory import Memory
from isometry.samples import Samples


class Mixed(Reference):
    """Compares the batch with everything that two references hold, as if it were one.

    `Mixed()` is the batch, with gradient, and the memory of earlier batches: a list-wise loss ranks both in one list, a
    log-sum-exp adds both up. That is not the sum of two losses, which is `Triplet() + Triplet(reference=Memory(…))`.
    """

    first: References = batch
    second: References = fresh(Memory, include_current=False)

    def __post_init__(self) -> None:
        parts = (self.first, self.second)
        self.uses_batch = any(getattr(part, "uses_batch", False) for part in parts)  # type: ignore[misc]
        self.needs_pairs = all(getattr(part, "needs_pairs", True) for part in parts)  # type: ignore[misc]

    def forward(self, samples: Samples) -> Samples:
        a, b = self.first(samples), self.second(samples)
        weight = None
        if a.weight is not None or b.weight is not None:
            weight = torch.cat([_weights(a), _weights(b)])
        ids = None
        if a.ids is not None or b.ids is not None:
            ids = torch.cat([_ids(a, 0), _ids(b, len(a.z))])
        return Samples(torch.cat([a.z, b.z.to(a.z)]), torch.cat([a.y, b.y]), ids, weight)

    def observe(self, samples: Samples) -> None:
        for part in (self.first, self.second):
            if isinstance(part, Reference):
                part.observe(samples)

    def own_cost(self) -> Tensor | float:
        return sum(part.own_cost() for part in (self.first, self.second) if isinstance(part, Reference))


def _weights(side: Samples) -> Tensor:
    return side.z.new_ones(len(side.z)) if side.weight is None else side.weight


def _ids(side: Samples, start: int) -> Tensor:
    """Ids of a side; those that have none (proxies) are nobody's copies."""
    if side.ids is not None:
        return side.ids
    return torch.arange(start, start + len(side.z), device=side.z.device) + torch.iinfo(torch.int64).min // 2

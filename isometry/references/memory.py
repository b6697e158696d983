"""Cross-batch memory (Wang, Zhang, Huang and Scott, CVPR 2020)."""

import torch
from torch import Tensor

from isometry.component import from_data
from isometry.reference import Reference
from isometry.samples import Samples


class Memory(Reference):
    """Compares the batch with the last `size` embeddings, kept without gradient.

    Embeddings drift slowly, so those of earlier batches are still nearly right, and cost no forward pass. The paper adds the
    memory's loss to the batch's own, L(batch, batch) + w·L(batch, memory), once the network has settled. Its official code
    does `Contrastive() + 1.0 * Contrastive(reference=Memory(size=55000, start=1000))` on Stanford Online Products: w = 1, and
    nearly as many embeddings as training images. `start` is 0 here, so that a memory can also stand alone.

    A ring: `observe` writes the newest over the oldest, also when it wraps. (The official code overwrites the newest batch
    when a batch does not fit before the end, and finds its memory empty when label 0 stands last.) What it holds, and where it
    stands, is saved and resumes. Call `loss.observe(z, y, ids)` once a step before `loss(z, y, ids=ids)`; `isometry.train` does.

    Shapes: size × (d floats, a label, an id).

    Raises:
        ValueError: when nothing has been observed, or ids are missing.
    """

    size: int = 8192
    start: int = 0
    """Steps in which nothing is remembered, and the term costs nothing."""
    include_current: bool = True
    """Whether the current batch is among its own references (its items are told from their own copies by id)."""
    include_past_self: bool = True
    """Whether an item's embeddings from earlier batches count for it, as positives: they do in the official code."""
    dim: int = from_data()

    def __post_init__(self) -> None:
        if self.size < 1 or self.start < 0:
            raise ValueError(f"Memory.size is above 0 and start is not below; got {self.size} and {self.start}.")
        self.embeddings: Tensor
        self.labels: Tensor
        self.ids: Tensor
        self.counts: Tensor
        self.register_buffer("embeddings", torch.zeros(self.size, self.dim))
        self.register_buffer("labels", torch.zeros(self.size, dtype=torch.int64))
        self.register_buffer("ids", torch.full((self.size,), -1, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(3, dtype=torch.int64))
        self.steps = self.written = self.newest = 0

    @property
    def held(self) -> int:
        """How many embeddings it holds."""
        return min(self.written, self.size)

    def forward(self, samples: Samples) -> Samples:
        if not self.steps:
            raise ValueError("The memory is empty: call loss.observe(z, y, ids) before loss(z, y, ids=ids).")
        if samples.ids is None:
            raise ValueError("Memory needs ids to tell items from their own copies: loss(z, y, ids=ids).")
        slots = torch.arange(self.held, device=self.ids.device)
        current = (self.written - 1 - slots) % self.size < self.newest
        ids = self.ids[: self.held]
        if self.include_past_self:  # an earlier embedding of an item is an item of its own
            ids = torch.where(current, ids, torch.iinfo(torch.int64).min + slots)
        held = Samples(self.embeddings[: self.held], self.labels[: self.held], ids)
        if self.include_current:
            return held
        earlier = (self.written - self.newest - 1 - slots[: self.held - self.newest]) % self.size
        return held.take(earlier)

    @torch.no_grad()
    def observe(self, samples: Samples) -> None:
        if samples.ids is None:
            raise ValueError("Memory needs ids to tell items from their own copies: loss.observe(z, y, ids).")
        if samples.y.ndim != 1 or samples.y.is_floating_point():
            raise ValueError(f"Memory keeps class labels, whole numbers [n]; got {list(samples.y.shape)}.")
        self.steps += 1
        if self.steps > self.start:
            self._write(samples.take(slice(-self.size, None)))
        self.counts.copy_(torch.tensor([self.steps, self.written, self.newest]))

    def _write(self, newest: Samples) -> None:
        self.newest = len(newest.z)
        slots = (self.written + torch.arange(self.newest, device=self.labels.device)) % self.size
        self.embeddings[slots] = newest.z.to(self.embeddings)
        self.labels[slots] = newest.y.to(self.labels)
        self.ids[slots] = newest.ids.to(self.ids)  # type: ignore[union-attr]
        self.written += self.newest

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[arg-type]
        self.steps, self.written, self.newest = (int(n) for n in self.counts)

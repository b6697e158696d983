"""Cross-batch memory (Wang, Zhang, Huang and Scott, CVPR 2020)."""

import torch
from torch import Tensor

from isometry.component import from_data
from isometry.reference import Reference
from isometry.samples import Samples


class Memory(Reference):
    """Compares the batch with the last `size` embeddings, kept without gradient.

    Embeddings drift slowly, so those of earlier batches are still nearly right, and cost no forward pass. A ring:
    `observe` writes the newest over the oldest, also when it wraps. What it holds (and how full it is) is saved and resumes.
    Call `loss.observe(z, y, ids)` once a step before `loss(z, y, ids=ids)`; `isometry.train` does. The ids tell the current
    batch from its own copies in the memory, and an item from its earlier embedding.

    Shapes: size × (d floats, a label, an id).

    Raises:
        ValueError: when nothing has been observed, or ids are missing.
    """

    size: int = 8192
    dim: int = from_data()

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"Memory.size is a positive number of embeddings; got {self.size}.")
        self.embeddings: Tensor
        self.labels: Tensor
        self.ids: Tensor
        self.observed: Tensor
        self.register_buffer("embeddings", torch.zeros(self.size, self.dim))
        self.register_buffer("labels", torch.zeros(self.size, dtype=torch.int64))
        self.register_buffer("ids", torch.full((self.size,), -1, dtype=torch.int64))
        self.register_buffer("observed", torch.zeros((), dtype=torch.int64))
        self.held = 0

    def forward(self, samples: Samples) -> Samples:
        if not self.held:
            raise ValueError("The memory is empty: call loss.observe(z, y, ids) before loss(z, y, ids=ids).")
        if samples.ids is None:
            raise ValueError("Memory needs ids to tell items from their own copies: loss(z, y, ids=ids).")
        return Samples(self.embeddings[: self.held], self.labels[: self.held], self.ids[: self.held])

    @torch.no_grad()
    def observe(self, samples: Samples) -> None:
        if samples.ids is None:
            raise ValueError("Memory needs ids to tell items from their own copies: loss.observe(z, y, ids).")
        if samples.y.ndim != 1 or samples.y.is_floating_point():
            raise ValueError(f"Memory keeps class labels, whole numbers [n]; got {list(samples.y.shape)}.")
        newest = samples.take(slice(-self.size, None))
        start = int(self.observed) + len(samples.z) - len(newest.z)
        slots = (start + torch.arange(len(newest.z), device=self.labels.device)) % self.size
        self.embeddings[slots] = newest.z.to(self.embeddings)
        self.labels[slots] = newest.y.to(self.labels)
        self.ids[slots] = newest.ids.to(self.ids)  # type: ignore[union-attr]
        self.observed += len(samples.z)
        self.held = min(int(self.observed), self.size)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[arg-type]
        self.held = min(int(self.observed), self.size)

"""References that do not change."""

from typing import Any

import torch

from isometry.component import from_data
from isometry.reference import Reference
from isometry.samples import Samples


class Fixed(Reference):
    """Compares the batch with embeddings given once: a gallery, class descriptions, another model's output.

    `Fixed(embeddings=r, labels=y_r)`; `ids` names items, so that a query that is in the gallery is not compared with
    itself. No gradient flows to them. They are saved with the loss.
    """

    embeddings: Any = from_data()
    labels: Any = from_data()
    ids: Any = from_data(None)

    def __post_init__(self) -> None:
        r, y = torch.as_tensor(self.embeddings), torch.as_tensor(self.labels)
        if r.ndim != 2 or len(r) != len(y):
            raise ValueError(f"Fixed needs embeddings [m d] and m labels; got {list(r.shape)} and {list(y.shape)}.")
        known = None if self.ids is None else torch.as_tensor(self.ids)
        del self.embeddings, self.labels, self.ids
        self.register_buffer("embeddings", r.detach())
        self.register_buffer("labels", y)
        self.register_buffer("ids", known)

    def forward(self, samples: Samples) -> Samples:
        return Samples(self.embeddings, self.labels, self.ids)

"""Class signatures learned online (Suh, Han, Kim and Lee, "Stochastic class-based hard example mining", CVPR 2019)."""

from typing import ClassVar

import torch
from torch import Tensor

from isometry.component import from_data
from isometry.reference import Reference
from isometry.samples import Samples


class Signatures(Reference):
    """Compares the batch with a running mean of each class's embeddings, kept without gradient.

    `observe` moves the signature of each class of the batch by 1 − `momentum` towards the mean of its embeddings there;
    the first time, all the way. Classes that have not come yet are unknown: neither positive nor negative. The paper's
    signatures are learned as proxies are (`Proxies`); these are for losses without any. Labels are 0 … C − 1.
    """

    needs_pairs: ClassVar[bool] = False
    momentum: float = 0.9
    num_classes: int = from_data()
    dim: int = from_data()

    def __post_init__(self) -> None:
        self.embeddings: Tensor
        self.seen: Tensor
        self.register_buffer("embeddings", torch.zeros(self.num_classes, self.dim))
        self.register_buffer("seen", torch.zeros(self.num_classes, dtype=torch.bool))

    def forward(self, samples: Samples) -> Samples:
        classes = torch.arange(self.num_classes, device=self.seen.device)
        return Samples(self.embeddings, classes.where(self.seen, -1))

    @property
    def class_vectors(self) -> Tensor | None:
        return self.embeddings

    @torch.no_grad()
    def observe(self, samples: Samples) -> None:
        if samples.y.ndim != 1 or samples.y.is_floating_point():
            raise ValueError(f"Signatures are of class labels, whole numbers [n]; got {list(samples.y.shape)}.")
        own = (samples.y[None, :] == torch.arange(self.num_classes, device=samples.y.device)[:, None]).to(
            self.embeddings
        )
        many = own.sum(1, keepdim=True)
        mean = own @ samples.z.to(self.embeddings) / many.clamp_min(1)
        keep = torch.where(self.seen[:, None], self.momentum, 0.0)
        self.embeddings.copy_(torch.where(many > 0, keep * self.embeddings + (1 - keep) * mean, self.embeddings))
        self.seen |= many[:, 0] > 0

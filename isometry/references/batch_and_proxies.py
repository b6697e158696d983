"""The batch and learned points among it (Bhatnagar and Ahuja, "Potential field based deep metric learning", CVPR 2025)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from isometry.component import from_data
from isometry.reference import Reference
from isometry.relation import UNKNOWN
from isometry.samples import Samples


class BatchAndProxies(Reference):
    """Compares the batch with itself and with `per_class` learned points of each class, every one an item of its own.

    A class's points stand for its images that are not in the batch, and spread over what the class looks like:
    `Proxies(centres=K)` merges its vectors into one similarity instead. `weight` `[per_class·C d]`, of which row k is of class
    k mod C, is drawn as that of `Proxies` is. 2 a class is the paper's for products, which have 11,318 classes; it takes 15 for
    birds and cars, which have 100. `lr_multiple` is the paper's. Batches should hold several images of a class, as for `batch`.

    A batch without a labelled row finds points without labels: nothing is drawn or pushed then.

    Shapes: references `[n + per_class·C d]`, the batch first.

    Raises:
        ValueError: for labels that are not whole numbers 0 … C − 1 (−1 is unknown), and for another number of dimensions.
    """

    uses_batch: ClassVar[bool] = True
    needs_pairs: ClassVar[bool] = True
    mutual: ClassVar[bool] = True
    """Whether what it returns may stand on both sides: as queries its points are drawn and pushed by each other."""
    per_class: int = 2
    lr_multiple: float = 100.0  # type: ignore[misc]
    num_classes: int = from_data()
    dim: int = from_data()

    def __post_init__(self) -> None:
        if self.per_class < 1:
            raise ValueError(f"BatchAndProxies.per_class is a positive number; got {self.per_class}: or take `batch`.")
        many = torch.empty(self.per_class * self.num_classes, self.dim)
        self.weight = nn.Parameter(nn.init.kaiming_normal_(many, mode="fan_out"))

    def forward(self, samples: Samples) -> Samples:
        z, y, ids, weight = samples
        if z.shape[1] != self.dim:
            raise ValueError(f"The proxies have {self.dim} dimensions and the embeddings {z.shape[1]}.")
        if y.ndim != 1 or y.is_floating_point():
            raise ValueError(f"BatchAndProxies wants class labels, whole numbers [n]; got {list(y.shape)}.")
        if (
            not torch.compiler.is_compiling()
            and y.numel()
            and y.device.type == "cpu"
            and int(y.max()) >= self.num_classes
        ):
            raise ValueError(
                f"Label {int(y.max())} has no proxy: labels are 0 … {self.num_classes - 1} (num_classes={self.num_classes})."
            )
        m = len(self.weight)
        classes = torch.arange(m, device=y.device) % self.num_classes
        own = torch.where((y >= 0).any(), classes, UNKNOWN).to(y.dtype)
        nobodys = torch.arange(m, device=z.device) + torch.iinfo(torch.int64).min // 2
        return Samples(
            torch.cat([z, self.weight]),
            torch.cat([y, own]),
            None if ids is None else torch.cat([ids, nobodys]),
            None if weight is None else torch.cat([weight, weight.new_ones(m)]),
        )

    @property
    def class_vectors(self) -> Tensor | None:
        return self.weight.view(self.per_class, self.num_classes, self.dim).mean(0)

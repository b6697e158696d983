"""Learned representatives of classes (Movshovitz-Attias et al., ICCV 2017; initialised as Kim et al., CVPR 2020, do)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from isometry.component import from_data
from isometry.reference import Reference
from isometry.references.penalty import Penalty
from isometry.samples import Samples


class Proxies(Reference):
    """Compares the batch with learned vectors, one a class or several.

    `weight` `[C d]` is drawn from N(0, 2/C) (He et al., fan out, as Proxy-Anchor's code does). Labels are 0 … C − 1.
    Proxies need a larger learning rate than a pretrained trunk, or they hardly learn: `lr_multiple` declares it. They
    also need batches of many classes: from batches of few, all others learn only to flee what batches have in common
    (`Plain` batches are what `isometry.train` takes).

    With `centres=K` a class has K vectors, `weight` is `[C K d]`, and the loss needs a similarity over them:
    `SoftOverCentres()` or `MaxOverCentres()`. `penalty` is a cost of the proxies themselves, added once a call, whatever
    the number of blocks or ranks (`per_row` leaves it out); a batch without a labelled row costs nothing.

    Raises:
        ValueError: for labels outside 0 … C − 1 (−1 is unknown, and compared with nothing).
    """

    needs_pairs: ClassVar[bool] = False
    lr_multiple: float = 100.0  # type: ignore[misc]
    centres: int = 1
    penalty: Penalty | None = None
    num_classes: int = from_data()
    dim: int = from_data()

    def __post_init__(self) -> None:
        if self.centres < 1:
            raise ValueError(f"Proxies.centres is a positive number of vectors a class; got {self.centres}.")
        weight = nn.init.kaiming_normal_(torch.empty(self.num_classes * self.centres, self.dim), mode="fan_out")
        several = weight.view(self.num_classes, self.centres, self.dim)
        self.weight = nn.Parameter(several if self.centres > 1 else weight)

    def forward(self, samples: Samples) -> Samples:
        if samples.z.shape[1] != self.dim:
            raise ValueError(f"The proxies have {self.dim} dimensions and the embeddings {samples.z.shape[1]}.")
        if not torch.compiler.is_compiling() and samples.y.numel() and samples.y.device.type == "cpu":
            highest = int(samples.y.max())
            if highest >= self.num_classes:
                raise ValueError(
                    f"Label {highest} has no proxy: labels are 0 … {self.num_classes - 1} (num_classes={self.num_classes})."
                )
        return Samples(self.weight, torch.arange(self.num_classes, device=self.weight.device))

    @property
    def class_vectors(self) -> Tensor | None:
        return self.weight if self.weight.ndim == 2 else self.weight.mean(1)

    def own_cost(self) -> Tensor | float:
        if self.penalty is None:
            return 0.0
        with torch.autocast(self.weight.device.type, enabled=False):
            return self.penalty(self.weight if self.weight.dtype == torch.float64 else self.weight.float())

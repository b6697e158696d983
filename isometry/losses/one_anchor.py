"""One anchor a batch: dense triplet mining (Kim et al., "Deep metric learning beyond binary supervision", CVPR 2019)."""

from typing import Any, ClassVar

from torch import Tensor

from isometry import distributed
from isometry.around import Around
from isometry.component import fresh
from isometry.embedded import Embedded, wrap
from isometry.loss import Loss
from isometry.losses.log_ratio import LogRatio


class OneAnchor(Around):
    """Takes the first item of the batch for the only query: the published form of dense triplets, `DenseTriplets()` put it there.

    The value is the loss of that row alone, so that all triplets (a, i, j) of the step share the anchor a. Without it every item
    is an anchor, which costs no more embeddings and is what we recommend. Over ranks the anchor is the first rank's first item.

    >>> import torch
    >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> OneAnchor()(z, torch.tensor([0.0, 1.0, -1.0]))  # (log 4)²
    tensor(1.9218)
    """

    loss: Loss = fresh(LogRatio)

    ordered: ClassVar[bool] = True
    """Whether the order of the batch says anything."""

    def forward(self, embedded: Embedded | Tensor, y: Tensor, **roles: Any) -> Tensor:
        first = slice(1 if distributed.rank() == 0 else 0)
        return self.loss(wrap(embedded), y, **{"rows": first, **{k: v for k, v in roles.items() if v is not None}})

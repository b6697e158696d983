"""The Reference: what a batch is compared against."""

from collections.abc import Callable
from typing import ClassVar

from isometry.component import Component
from isometry.samples import Samples


class Reference(Component):
    """Maps the batch (over all ranks) to the samples it is compared against; never a pair matrix.

    `forward` is pure. What it remembers is told to it once a training step through `observe`.
    """

    uses_batch: ClassVar[bool] = False
    """Whether `forward` reads the batch; only then is it gathered over ranks."""

    needs_pairs: ClassVar[bool] = True
    """Whether a batch must hold several items of a class for it to find positives."""

    def forward(self, samples: Samples) -> Samples:
        raise NotImplementedError

    def observe(self, samples: Samples) -> None:
        """Takes in one training batch, gathered over ranks. Nothing by default."""


References = Callable[[Samples], Samples]

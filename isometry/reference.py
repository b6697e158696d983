"""The Reference: what a batch is compared against."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

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

    @property
    def class_vectors(self) -> Tensor | None:
        """A vector for each class `[C d]`, where it has some: samplers that look for hard classes read it."""
        return None

    def own_cost(self) -> Tensor | float:
        """What it costs by itself, added once a call to a loss in which any row counts; such as a penalty on proxies.

        0.0 where there is nothing.
        """
        return 0.0

    def observe(self, samples: Samples) -> None:
        """Takes in one training batch, gathered over ranks. Nothing by default."""


References = Callable[[Samples], Samples]

"""What terms around a loss have in common."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

from isometry.embedded import Embedded
from isometry.loss import Loss
from isometry.term import Term


class Around(Term):
    """Base of terms that hand a `loss` other embeddings, other roles or a part of its cost: of labels they say what it says."""

    if TYPE_CHECKING:
        loss: Loss

    @property
    def relate(self) -> Any:
        """The loss's."""
        return self.loss.relate

    @property
    def label_free(self) -> bool:
        """Whether the loss reads no labels."""
        return self.loss.label_free

    @property
    def stats(self) -> dict[str, float]:
        """The loss's."""
        return self.loss.stats

    def observe(self, embedded: Embedded | Tensor, y: Tensor, ids: Tensor | None = None) -> None:
        self.loss.observe(embedded, y, ids)

"""What the loop does with a sampler: which labels it is bound to, and what it may learn of the classes on the way."""

from typing import Any

from torch import Tensor, nn

from isometry import distributed
from isometry.data import Data
from isometry.reference import Reference
from isometry.scheme import LABELS
from isometry.supervision import labels as labels_by
from isometry.supervision import named as labels


def bound(sampler: Any, data: Data, scheme: nn.Module) -> Any:
    """The batches of this rank.

    Raises:
        ValueError: for a sampler that cannot be filled from these data, or wants what the loss does not learn.
    """
    if getattr(sampler, "needs_signatures", False) and signatures(scheme) is None:
        raise ValueError(
            f"{sampler!r} needs a vector for each class: add a loss with proxies, such as + NormSoftmax(), "
            "or one with reference=Signatures()."
        )
    who, relate = type(sampler).__name__, getattr(sampler, "relate", None)
    read = labels(data, getattr(sampler, "reads", LABELS), who) if relate is None else labels_by(data, relate, who)
    return sampler.bind(read, rank=distributed.rank(), ranks=distributed.ranks())


def heed(sampler: Any, scheme: nn.Module, epoch: int) -> None:
    """After an epoch: shows the sampler what the loss has learned of the classes, to be heeded from the next one on."""
    if getattr(sampler, "needs_signatures", False):
        found = signatures(scheme)
        if found is not None:
            sampler.take(found, epoch)


def signatures(scheme: nn.Module) -> Tensor | None:
    """A vector for each class `[C d]`, of the first reference that has some."""
    for part in scheme.modules():
        if isinstance(part, Reference) and part.class_vectors is not None:
            return part.class_vectors.detach()
    return None

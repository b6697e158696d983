"""The Scheme: one training step, and what happens between steps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isometry.component import Component
from isometry.embedded import Embedded
from isometry.label_metric import LabelMetric, metric_of
from isometry.term import Sum, Term

Model = Callable[[Tensor], Embedded | Tensor]
LABELS = "labels"


class Scheme(Component):
    """Makes the objective of one batch. Extra networks are fields or sub-modules: the loop trains all its parameters."""

    reads: str = LABELS

    def step(self, model: Model, images: Tensor, y: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Values of one step; `"loss"` is what is trained, the others are shown."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after the optimizer's step."""


class Supervised(Scheme):
    """Embeds the batch and trains one Term on it. The default."""

    loss: Term

    def __post_init__(self) -> None:
        self.reads = reads(self.loss)

    def step(self, model: Model, images: Tensor, y: Tensor, ids: Tensor) -> dict[str, Tensor]:
        embedded = model(images)
        self.loss.observe(embedded, y, ids)
        return {"loss": self.loss(embedded, y, ids=ids)}

    @property
    def relate(self) -> Any:
        """What the loss's labels say of pairs: that of its first term that reads labels; None where none does."""
        return next(iter(relations(self.loss)), None)

    @property
    def stats(self) -> dict[str, float]:
        """The loss's statistics of the last step."""
        return getattr(self.loss, "stats", {})


def relations(term: Term) -> list[Any]:
    """The relations of the terms that read labels."""
    terms: list[Any] = list(term.terms) if isinstance(term, Sum) else [term]
    return [t.relate for t in terms if hasattr(t, "relate") and not t.label_free]


def reads(term: Term) -> str:
    """Which labels of the data a term wants: `labels`, `hierarchy`, `multi`, `targets` or `captions`, as `relate` says.

    Raises:
        ValueError: when the terms of a sum want different ones.
    """
    found = relations(term)
    wanted = {getattr(relate, "reads", LABELS) for relate in found}
    if len(wanted) > 1:
        raise ValueError(
            f"The terms of {term!r} read different labels: {', '.join(sorted(wanted))}. Give all one `relate`."
        )
    if len(forms := {form for relate in found if (form := _form(relate)) is not None}) > 1:
        names = ", ".join(sorted(form.__name__ for form in forms))
        raise ValueError(f"The terms of {term!r} read labels in different forms: {names}. Give all one `relate`.")
    return wanted.pop() if wanted else LABELS


def _form(relate: Any) -> type | None:
    """The class that turns labels of the data into numbers of its own; None where they are read as they are."""
    metric = metric_of(relate)
    return None if metric is None or type(metric).labels is LabelMetric.labels else type(metric)


def detached(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values of a step without their graph."""
    return {name: torch.as_tensor(value).detach() for name, value in values.items()}

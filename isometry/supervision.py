"""What the labels of a run say of pairs: one relation, named once, for training, mining, selection and evaluation."""

from dataclasses import MISSING
from typing import Any

from torch import Tensor, nn

from isometry.component import Component, default_text, fields, show
from isometry.data import Data
from isometry.expression import parse
from isometry.label_metric import metric_of
from isometry.scheme import relations

SELECTED_BY = "MAPAtR()"
"""What selects the best weights where labels are classes, sets or paths."""
GRADED_BY = "NDCG(k=100, gain=DistanceGain())"
"""What does where labels are at a distance; in a smaller gallery it looks at all of it."""


def relation(text: str) -> Any:
    """The relation that `text` names; None for no text.

    >>> relation("CloseTargets(radius=2)"), relation("")
    (CloseTargets(radius=2.0), None)

    Raises:
        ValueError: for text that names none.
    """
    if not text.strip():
        return None
    found = parse(text)
    home = getattr(found, "__module__", "")
    foreign = home.startswith("isometry.") and not home.startswith("isometry.relations")
    if not callable(found) or (foreign and metric_of(found) is None):
        raise ValueError(
            f"relate is a relation of labels, such as 'CloseTargets(radius=2)' or 'label_tree'; got {text!r}."
        )
    return found


def labels(data: Data, relate: Any, who: str) -> Tensor:
    """The labels that a relation reads of the data, a row for each image; the classes where there is no relation.

    Raises:
        ValueError: when the data have none of that kind.
    """
    metric, reads = metric_of(relate), getattr(relate, "reads", "labels")
    return _there(getattr(data, reads) if metric is None else metric.labels(data), data, reads, who)


def named(data: Data, name: str, who: str) -> Tensor:
    """One kind of labels of the data: `labels`, `hierarchy`, `multi` or `targets`.

    Raises:
        ValueError: when the data have none of that kind.
    """
    return _there(getattr(data, name), data, name, who)


def _there(found: Tensor | None, data: Data, name: str, who: str) -> Tensor:
    if found is None:
        raise ValueError(
            f"{who} reads {name}, and {data.name} has none: choose another, or add the labels (for a loss, also `relate`)."
        )
    return found


def give(to: nn.Module, relate: Any) -> None:
    """Gives the relation to every part that has the `relate` of its class; what was chosen by name stays.

    >>> from isometry.expression import parse
    >>> loss = parse("LogRatio() + 0.1 * LogRatio(relate=CloseTargets(radius=3))")
    >>> give(loss, parse("CloseTargets(radius=2)"))
    >>> loss
    LogRatio(relate=CloseTargets(radius=2.0)) + 0.1 * LogRatio(relate=CloseTargets(radius=3.0))
    """
    if relate is None:
        return
    for part in list(to.modules()):
        field = fields(type(part)).get("relate")
        if field is not None and show(part.relate) == default_text(field):
            delattr(part, "relate")  # a module cannot take the place of a function, nor a function that of a module
            part.relate = relate


def refuse_classless(data: Data, relate: Any) -> None:
    """Refuses a relation of classes where labels are numbers alone.

    Raises:
        ValueError: for such a relation.
    """
    reads_classes = relate is not None and metric_of(relate) is None and getattr(relate, "reads", "labels") == "labels"
    if reads_classes and data.targets is not None and not len(data.present()):
        raise ValueError(
            f"{show(relate)} reads classes, and the labels of {data.name} are numbers: choose a relation such as "
            "'close_targets', or name a column of classes (label)."
        )


def refuse_unfit(data: Data, loss: str, relate: Any) -> None:
    """Refuses a loss or a relation that reads classes where labels are numbers.

    Raises:
        ValueError: for such a loss or relation.
    """
    if data.targets is None:
        return
    refuse_classless(data, relate)
    built = parse(loss, num_classes=2, dim=2048)  # built to be looked at; as wide as any prefix that it may name
    give(built, relate)
    for part in built.modules():
        numbers = hasattr(part, "relate") and (metric_of(part.relate) is not None or not len(data.present()))
        if numbers and any(_has_vectors(inner) for inner in part.modules()):
            raise ValueError(
                f"{loss} has a vector for each class, and the labels of {data.name} are numbers: choose a loss over pairs, "
                "such as LogRatio()."
            )
    for found in relations(built):
        refuse_classless(data, found)


def _has_vectors(part: nn.Module) -> bool:
    """Whether it cannot be built without the number of classes."""
    field = fields(type(part)).get("num_classes") if isinstance(part, Component) else None
    return field is not None and field.default is MISSING


def width(data: Data) -> int:
    """How many numbers a continuous label has; 0 where there are none."""
    return 0 if data.targets is None else data.targets.shape[1]


def is_continuous(data: Data, relate: Any = None) -> bool:
    """Whether similarity is a matter of degree: labels at a distance from each other, and not classes."""
    if relate is not None:
        return metric_of(relate) is not None
    return data.targets is not None and not bool((data.labels >= 0).any())


def selected_by(data: Data, relate: Any = None) -> str:
    """The metric that selects the best weights, the larger the better."""
    return GRADED_BY if is_continuous(data, relate) else SELECTED_BY


def shown_by(data: Data, relate: Any = None) -> str:
    """The metrics of each validation: the one that selects, and what a reader wants beside it."""
    if is_continuous(data, relate):
        return f"{GRADED_BY}, LabelDistance(k=1), LabelDistance(k=10)"
    return f"Recall(k=1), {SELECTED_BY}"


def measured_by() -> str:
    """The metrics of the test where labels are at a distance, unless others are named."""
    several = ", ".join(f"NDCG(k={k}, gain=DistanceGain())" for k in (1, 10, 100))
    return f"{several}, LabelDistance(k=1), LabelDistance(k=10)"

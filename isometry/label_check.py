"""Continuous labels looked at before anything is trained on them or measured by them."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.component import show
from isometry.data import Data, Splits
from isometry.label_metric import LabelMetric, metric_of
from isometry.relations import close_targets
from isometry.supervision import is_continuous, labels

SHOWN = 3
"""Rows that a message names."""


def check_all(data: Data, splits: Splits, relate: Any = None) -> list[str]:
    """`check` of the data, and that labels differ within every part.

    Raises:
        ValueError: as `check` does.
    """
    notes = check(data, relate)
    for part in ("train", "validation", "test"):
        check(getattr(splits, part), relate, part)
    return notes


def check(data: Data, relate: Any = None, part: str = "") -> list[str]:
    """What to say of the labels, in time proportional to their number; nothing where they are classes.

    Rows are counted from 1 in the order of the source: row 1 of a table is the first below its header.

    Raises:
        ValueError: when the data lack what `relate` reads, for rows with NaN or infinity or that the relation's own metric
            finds faulty, for labels of the wrong width, and when all labels are equal.
    """
    if relate is not None:
        labels(data, relate, show(relate))
    if not is_continuous(data, relate):
        return []
    metric = metric_of(relate if relate is not None else close_targets)
    return _check(data, metric, part) if metric is not None else []


def _check(data: Data, metric: LabelMetric, part: str) -> list[str]:
    name = f"{data.name} ({part} part)" if part else data.name
    given = labels(data, metric, show(metric))
    if not len(given):
        return []
    try:
        y = metric.prepared(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if metric.reads == "targets" and len(bad := _rows(~torch.isfinite(y).all(1))):
        raise ValueError(f"{name}: labels that are not finite numbers in {_listed(data, bad)}. Leave these rows out.")
    try:
        faults = metric.faults(y)
        metric.distances(given[:1], given[:1])
    except ValueError as error:
        raise ValueError(f"{name} has labels of {y.shape[1]} numbers: {error}") from None
    if faults:
        _, why = next(iter(sorted(faults.items())))
        raise ValueError(f"{name}: {why} (in {_listed(data, sorted(faults))}).")
    known = y[metric.known(y)]
    notes = [f"{len(y) - len(known):,} of {len(y):,} labels are unknown to {metric!r}: they say nothing"]
    return notes * (len(known) < len(y)) + _worth(known, name, metric.reads == "targets")


def _worth(y: Float[Tensor, "n t"], name: str, own: bool) -> list[str]:
    """Whether labels differ, and how many do not; places in the label are told where they are the user's own."""
    if not len(y):
        raise ValueError(f"{name}: no label is known, so there is nothing to learn.")
    same = (y == y[:1]).all(0)
    if len(y) > 1 and bool(same.all()):
        shown = ", ".join(f"{value:g}" for value in y[0, :4].tolist()) + ", …" * (y.shape[1] > 4)
        raise ValueError(f"{name}: all {len(y):,} labels are equal ({shown}), so nothing is nearer than anything else.")
    notes = []
    if own and len(constant := _rows(same)) and len(y) > 1:
        listed = ", ".join(str(column + 1) for column in constant[:8]) + ", …" * (len(constant) > 8)
        notes.append(f"numbers that never vary, at these places of the label: {listed} (of {y.shape[1]})")
    _, counts = torch.unique(y, dim=0, return_counts=True)
    if copies := int(counts[counts > 1].sum()):
        notes.append(
            f"{copies / len(y):.1%} of the labels equal another one exactly: their distance is 0, and losses of ratios take the "
            "least distance that they know in its place"
        )
    return notes


def _rows(mask: Tensor) -> list[int]:
    return mask.nonzero()[:, 0].tolist()


def _listed(data: Data, rows: list[int]) -> str:
    """The rows of the source: how many, and the first."""
    at = [int(data.ids[row]) + 1 for row in rows]
    return f"row{'s' if len(at) > 1 else ''} {', '.join(map(str, at[:SHOWN]))}" + (
        f", … ({len(at):,} in all)" if len(at) > SHOWN else ""
    )

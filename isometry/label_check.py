"""Continuous labels looked at before anything is trained on them or measured by them."""

import hashlib
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry.component import show
from isometry.data import Data, Splits
from isometry.label_metric import LabelMetric, metric_of
from isometry.relations import close_targets
from isometry.supervision import is_continuous, labels

SHOWN = 3
"""Rows, or pairs of them, that a message names."""
LOOKED_AT, AMONG = 256, 64
"""How many suspicious pairs of labels are looked at; and of how many labels all pairs, where nothing makes any suspicious."""
PIECE = 2**20
"""Numbers of labels whose vectors are made together."""


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

    Equal labels are named, and different ones at distance 0: those whose vectors agree where the metric has a `bound`, else
    those among 64 labels.

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
    rows = metric.known(y).nonzero()[:, 0]
    notes = [f"{len(y) - len(rows):,} of {len(y):,} labels are unknown to {metric!r}: they say nothing"]
    notes = notes * (len(rows) < len(y)) + _worth(y[rows], name, metric.reads == "targets")
    first = _first_equals(*y[rows].split(4096))
    single = first == torch.arange(len(first))
    if len(again := (~single).nonzero()[:, 0]):
        share = (len(again) + len(first[again].unique())) / len(rows)
        notes.append(
            f"{share:.1%} of the labels equal another one exactly ({_pairs_of(data, rows[first[again]], rows[again])}): their "
            "distance is 0, and losses of ratios take the least distance that they know in its place"
        )
    one, other = _at_zero(y, rows[single], metric)
    if len(one):
        notes.append(
            f"different labels at distance 0 ({_pairs_of(data, one, other)}): {metric!r} cannot tell them apart"
        )
    return notes


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
    return notes


def _first_equals(*pieces: Float[Tensor, "n t"]) -> Int[Tensor, " n"]:
    """For each row of the pieces, the first that equals it; NaN equals NaN here."""
    seen: dict[bytes, int] = {}
    rows = (row for piece in pieces for row in (piece.cpu() + 0.0).numpy())  # −0 is 0
    found = [seen.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), i) for i, row in enumerate(rows)]
    return torch.tensor(found, dtype=torch.int64)


def _at_zero(y: Float[Tensor, "n t"], rows: Int[Tensor, " r"], metric: LabelMetric) -> tuple[Tensor, Tensor]:
    """Pairs of these rows, all of different labels, whose distance is 0."""
    pieces = rows.split(max(1, PIECE // max(1, y.shape[1])))
    vectors = [bound.vectors for piece in pieces if (bound := metric.bound(y[piece])) is not None and bound.least > 0]
    if len(vectors) == len(pieces):
        first = _first_equals(*vectors)
        again = (first != torch.arange(len(first))).nonzero()[:LOOKED_AT, 0]
        one, other = rows[first[again]], rows[again]
    else:
        some = rows[:: max(1, len(rows) // AMONG)][:AMONG]
        one, other = (some[at] for at in torch.triu_indices(len(some), len(some), 1))
    if not len(one):
        return one, other
    apart = metric.gap(metric.filled(y[one])[:, None], metric.filled(y[other])[:, None])[:, 0, 0]
    return one[apart == 0], other[apart == 0]


def _pairs_of(data: Data, one: Int[Tensor, " p"], other: Int[Tensor, " p"]) -> str:
    """The rows of the source that belong together: the first pairs."""
    pairs = zip(*((data.ids[at[:SHOWN]] + 1).tolist() for at in (one, other)), strict=True)
    return "rows " + ", ".join(f"{a} and {b}" for a, b in pairs) + ", …" * (len(one) > SHOWN)


def _rows(mask: Tensor) -> list[int]:
    return mask.nonzero()[:, 0].tolist()


def _listed(data: Data, rows: list[int]) -> str:
    """The rows of the source: how many, and the first."""
    at = [int(data.ids[row]) + 1 for row in rows]
    return f"row{'s' if len(at) > 1 else ''} {', '.join(map(str, at[:SHOWN]))}" + (
        f", … ({len(at):,} in all)" if len(at) > SHOWN else ""
    )

"""What copies mean: leaks between parts, labels that contradict each other, and pictures that count twice."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from isometry.audit.copies import MIRRORED, Copies, Pair
from isometry.audit.findings import Finding

SURE = 0.6
"""How alike two pictures are at least that are surely one; below, another drawing may be meant."""


def doubles(
    copies: Copies, twice: Sequence[tuple[int, int]], labels: Sequence[str], parts: Sequence[str]
) -> list[Finding]:
    """A finding for each pair of copies, and for each file that is listed twice."""
    listed = {pair: Pair(*pair, "one file", 1.0) for pair in twice}
    again = {second for _, second in twice}
    found = [_of(pair, "listed twice", labels, parts) for pair in listed.values()]
    return found + [_of(pair, "copy", labels, parts) for pair in copies.pairs if not _is_listed(pair, again)]


def _is_listed(pair: Pair, again: set[int]) -> bool:
    return pair.score == 1.0 and pair.second in again


def _of(pair: Pair, kind: str, labels: Sequence[str], parts: Sequence[str]) -> Finding:
    first, second = pair.first, pair.second
    known = bool(labels[first]) and bool(labels[second])
    disputed = known and labels[first] != labels[second]
    leaked = bool(parts[first]) and parts[first] != parts[second]
    severity, advice = "low", "keep one of them"
    if leaked:
        kind, severity, advice = "leaked copy", "high", "drop it from the training part"
    if disputed:
        kind, advice = "disputed copy", "find out which label is right"
        severity = "high" if sure(pair) else "medium"
    what = pair.kind + (f", {pair.what}" if pair.what else "")
    if leaked and disputed:
        what += f", and in two parts ({parts[first]}, {parts[second]})"
    return Finding(
        kind=kind, severity=severity, rows=(first, second), labels=(labels[first], labels[second]), score=pair.score,
        detail=what, suggestion=advice,
    )  # fmt: skip


def certain(copies: Copies, labels: Sequence[str]) -> list[Pair]:
    """Pairs that are acted on: equals, copies of one label, and others that are surely one picture."""
    return [p for p in copies.pairs if sure(p) or labels[p.first] == labels[p.second]]


def sure(pair: Pair) -> bool:
    """Whether two labels of the pair contradict each other: left and right may be two classes, so not for mirror images."""
    return pair.score >= SURE and pair.what != MIRRORED


def groups_of(group: np.ndarray) -> list[list[int]]:
    """The groups of two or more copies, by position."""
    found: dict[int, list[int]] = defaultdict(list)
    for i, first in enumerate(group.tolist()):
        found[first].append(i)
    return [rows for rows in found.values() if len(rows) > 1]

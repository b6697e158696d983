"""What is odd about classes and parts: few pictures, names that are nearly the same, and what stands on both sides."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from isometry.audit.files import names
from isometry.audit.findings import Finding
from isometry.data import Data

FEW = 3
"""Pictures below which a class is tiny."""


def classes(data: Data, few: int = FEW) -> list[Finding]:
    """Classes of one picture and of very few, and names that differ by case, blanks or underscores only."""
    labels = data.labels.numpy()
    counts = np.bincount(labels[labels >= 0], minlength=len(data.classes))
    found = []
    for c in np.flatnonzero((counts > 0) & (counts < few)).tolist():
        kind, severity = ("singleton", "medium") if counts[c] == 1 else ("tiny class", "low")
        why = "nothing can be found for it, nor is it a positive pair" if counts[c] == 1 else f"{counts[c]} pictures"
        rows = tuple(np.flatnonzero(labels == c).tolist())
        found.append(
            Finding(
                kind=kind, severity=severity, rows=rows, labels=(data.classes[c],) * len(rows), detail=why,
                suggestion="add pictures, merge it or drop it",
            )
        )  # fmt: skip
    present = [data.classes[c] for c in np.flatnonzero(counts).tolist()]
    for alike in alike_names(present):
        found.append(
            Finding(
                kind="alike names", severity="high", labels=tuple(alike),
                detail=f"{len(alike)} classes of nearly one name", suggestion="merge them if they are one",
            )
        )  # fmt: skip
    return found


def alike_names(names: Sequence[str]) -> list[list[str]]:
    """Names that are one but for case, blanks, underscores, hyphens, and how accents are coded.

    Names of one character are compared by the character alone: a and A are two letters.

    >>> alike_names(["Barn owl", "barn_owl", "gull", "A", "a"])
    [['Barn owl', 'barn_owl']]
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        whole = unicodedata.normalize("NFC", name)
        folded = "".join(ch for ch in whole.casefold() if not (ch.isspace() or ch in "_-"))
        groups[whole if len(whole.strip()) == 1 else folded or whole].append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def on_both_sides(data: Data, parts: Sequence[str]) -> list[Finding]:
    """Classes that stand in the training part and in another, where every class is meant to be in one."""
    found = []
    for label, where in sorted(_parts_of(names(data), parts).items()):
        if "train" in where and len(where) > 1:
            counts = ", ".join(f"{count} in {part}" for part, count in where.items())
            found.append(
                Finding(
                    kind="class in two parts", severity="medium", labels=(label,), detail=counts,
                    suggestion="a test of unseen classes needs it in one part; as classification it is in order",
                )
            )  # fmt: skip
    return found


def sources(data: Data, parts: Sequence[str], origin: Sequence[str]) -> list[Finding]:
    """Sources (a film, a patient, a place, a file that pictures were cut from) that stand in two parts."""
    found = []
    for source, where in sorted(_parts_of(origin, parts).items()):
        if len(where) > 1:
            rows = tuple(i for i, own in enumerate(origin) if own == source) if len(where) > 1 else ()
            found.append(
                Finding(
                    kind="source in two parts", severity="high", rows=rows[:8], labels=(source,),
                    detail=", ".join(f"{count} in {part}" for part, count in where.items()),
                    suggestion="put all pictures of a source into one part",
                )
            )  # fmt: skip
    return found


def _parts_of(names: Sequence[str], parts: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many pictures of each name every part has; pictures without a name or a part are passed over."""
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name, part in zip(names, parts, strict=True):
        if name and part:
            counted[name][part] += 1
    return {name: dict(where) for name, where in counted.items()}

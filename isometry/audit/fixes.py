"""What to do about an audit's findings, as tables: each step with its reason, and the data as they are after all steps."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from isometry import checkpoint
from isometry.audit.audit import Audit
from isometry.audit.copies import grouped
from isometry.audit.doubles import certain, groups_of
from isometry.audit.findings import plain
from isometry.audit.suspects import SURE
from isometry.data import Paths

DROP, RELABEL = "drop", "relabel"
FIXES, FIXED = "fixes.csv", "fixed.csv"
BROKEN = ("unreadable", "truncated", "empty", "huge", "blank")
KEPT_FIRST = ("test", "validation", "train", "")


class Fix(NamedTuple):
    """One step: the position of a picture, what to do with it, its new label where it gets one, and why."""

    row: int
    action: str
    why: str
    label: str = ""


def fixes(audit: Audit) -> list[Fix]:
    """Drops what is broken and all copies but one; relabels what is surely wrong.

    Of copies the one in the test part stays, then that in validation, then the first. Where their labels differ, one of
    the label that most of them have stays; without such a label all go.
    """
    steps: dict[int, Fix] = {}
    for one in audit.findings:
        if one.kind in BROKEN:
            steps.setdefault(one.rows[0], Fix(one.rows[0], DROP, one.kind))
    label = [audit.data.classes[y] if y >= 0 else "" for y in audit.data.labels.tolist()]
    for rows in groups_of(grouped(len(label), certain(audit.copies, label))):
        left = [i for i in rows if i not in steps]
        known = Counter(label[i] for i in left if label[i])
        agreed = [name for name, count in known.items() if 2 * count > sum(known.values())]
        if known and not agreed:
            steps |= {i: Fix(i, DROP, f"copies under {len(known)} labels") for i in left}
            continue
        right = [i for i in left if not known or label[i] == agreed[0]]
        kept = min(right, key=lambda i: (KEPT_FIRST.index(audit.parts[i]), i), default=-1)
        name = audit.names[kept] if right else ""
        steps |= {i: Fix(i, DROP, f"copy of {name}") for i in left if i != kept}
    for one in audit.findings:
        if one.kind == "mislabel" and (one.score or 0) >= SURE and one.rows[0] not in steps:
            steps[one.rows[0]] = Fix(one.rows[0], RELABEL, f"wrong with chance {one.score:.2f}", one.other)
    return [steps[row] for row in sorted(steps)]


def write(audit: Audit, out: str | Path) -> tuple[Path, Path | None]:
    """Writes the steps as `fixes.csv`, and what is left as `fixed.csv`, a table to train on, where the pictures are files."""
    out, steps = Path(out), fixes(audit)
    out.mkdir(parents=True, exist_ok=True)
    names, label = audit.names, audit.data.classes
    given = [label[y] if y >= 0 else "" for y in audit.data.labels.tolist()]
    rows = [(plain(names[s.row]), s.action, given[s.row], s.label, s.why) for s in steps]
    checkpoint.write(out / FIXES, as_csv(("path", "action", "label", "new_label", "why"), rows))
    images = audit.data.images
    if not isinstance(images, Paths):
        return out / FIXES, None
    gone = {s.row for s in steps if s.action == DROP}
    new = {s.row: s.label for s in steps if s.action == RELABEL}
    columns: dict[str, Sequence[Any]] = {
        "path": [relative(images.where(i), out) for i in range(len(images))],
        "label": [new.get(i, given[i]) for i in range(len(images))],
    }
    if audit.data.split is not None:
        columns["split"] = audit.data.split
    for name in ("is_query", "is_gallery"):
        if (role := getattr(audit.data, name)) is not None:
            columns[name] = role.int().tolist()
    if images.boxes is not None:
        columns |= {side: images.boxes[:, k].tolist() for k, side in enumerate(("x_1", "y_1", "x_2", "y_2"))}
    kept = [i for i in range(len(images)) if i not in gone]
    checkpoint.write(
        out / FIXED, as_csv(tuple(columns), [tuple(column[i] for column in columns.values()) for i in kept])
    )
    return out / FIXES, out / FIXED


def relative(path: str, folder: Path) -> str:
    """The path as seen from the folder: tables are read so."""
    return os.path.relpath(os.path.abspath(path), os.path.abspath(folder))


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue()

"""A finding: what was noticed, how bad it is, which pictures it is about, and what to do."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEVERITIES = ("low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was noticed.

    Attributes:
        kind: what it is, a key of `KINDS`.
        severity: low, medium or high.
        rows: positions in the data of the pictures that it is about; none where it is about classes.
        labels: the labels concerned, in the order of the rows where there are rows.
        score: how sure or how bad, as the kind says; None where there is no such thing.
        detail: what exactly, in words.
        suggestion: what to do about it.
        other: the class that is suggested, for a label that may be wrong.
    """

    kind: str
    severity: str
    rows: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    score: float | None = None
    detail: str = ""
    suggestion: str = ""
    other: str = ""


KINDS = {
    "leaked copy": "one picture in two parts",
    "disputed copy": "one picture under different labels",
    "listed twice": "one file twice in the data",
    "copy": "one picture several times in a part",
    "class in two parts": "a class on both sides of the division",
    "source in two parts": "a source on both sides of the division",
    "mislabel": "a label that the neighbourhood contradicts",
    "outlier": "a picture unlike all others",
    "unreadable": "a file that is no picture",
    "truncated": "a picture that is not whole",
    "empty": "a file without bytes",
    "huge": "more pixels than are decoded",
    "blank": "a picture that shows nothing",
    "orientation": "an EXIF orientation that no picture can have",
    "turned": "a picture turned by its EXIF orientation",
    "odd size": "a size far from that of the others",
    "odd shape": "a shape far from that of the others",
    "odd mode": "another kind of pixels than the others have",
    "frames": "several pictures in one file, of which the first is read",
    "singleton": "a class of one picture",
    "tiny class": "a class of very few pictures",
    "alike names": "class names that differ by case, blanks or underscores only",
}
"""All kinds, in the order of the summary, and what they mean."""

COLUMNS = ("kind", "severity", "paths", "parts", "labels", "score", "detail", "suggestion")


def at_least(findings: Iterable[Finding], severity: str) -> list[Finding]:
    """Findings as bad as this or worse.

    Raises:
        ValueError: for a severity that is none.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"A severity is {', '.join(SEVERITIES)}; got {severity!r}.")
    return [one for one in findings if SEVERITIES.index(one.severity) >= SEVERITIES.index(severity)]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first: by severity, kind and score."""
    kinds = list(KINDS)

    def key(one: Finding) -> tuple:
        return -SEVERITIES.index(one.severity), kinds.index(one.kind), -(one.score or 0.0), one.rows, one.labels

    return sorted(findings, key=key)


def table(findings: Sequence[Finding], paths: Sequence[str], parts: Sequence[str]) -> str:
    """Findings as CSV. Several paths, parts or labels are separated by " | "."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in findings:
        writer.writerow(
            (
                one.kind,
                one.severity,
                " | ".join(plain(paths[i]) for i in one.rows),
                " | ".join(parts[i] for i in one.rows),
                " | ".join(map(plain, one.labels)),
                "" if one.score is None else f"{one.score:.4f}",
                plain(one.detail),
                plain(one.suggestion),
            )
        )
    return text.getvalue()


def plain(text: str) -> str:
    """Text that every file can hold: bytes of a name that are no UTF-8 are written as \\x…"""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

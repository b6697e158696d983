"""A comparison as a table: for the terminal, Markdown, CSV and JSON."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isometry import checkpoint
from isometry.fingerprint import Protocol

nan = math.nan


@dataclass(frozen=True, kw_only=True)
class Row:
    """A metric of a run, or of a group of runs that differ by their seed.

    Attributes:
        metric, run: of what.
        runs, seed: how many there are in the group, and the seed of one that stands for itself.
        value, low, high: the mean, and its interval from drawing classes (and seeds, where there are several).
        spread, spread_low, spread_high: standard deviation over seeds, and Student's interval of the mean over seeds.
        difference, difference_low, difference_high: from the first run on the same queries, and its interval.
        p, p_holm: chance of a difference as large if the two were alike; and corrected for all that the table tests.
        detectable: the smallest true difference that would be found (p < 0.05) four times in five.
    """

    metric: str
    run: str
    runs: int = 1
    seed: int | None = None
    value: float
    low: float = nan
    high: float = nan
    spread: float = nan
    spread_low: float = nan
    spread_high: float = nan
    difference: float = nan
    difference_low: float = nan
    difference_high: float = nan
    p: float = nan
    p_holm: float = nan
    detectable: float = nan


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `compare` found.

    Attributes:
        rows: one for each metric and each group of runs; the first run's differences are empty.
        each: one for each metric and each run of a group of several.
        protocol: how all of it was measured.
        folders: of each group, by its name.
        notes: what a reader must know, a line each.
    """

    rows: tuple[Row, ...]
    each: tuple[Row, ...]
    protocol: Protocol
    folders: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def table(self, *, seeds: bool = False) -> tuple[list[str], list[list[str]]]:
        """Titles and cells, as text; with `seeds`, also a row for each run of a group. Empty columns are left out."""
        shown = [s for row in self.rows for s in (row, *(self._seeds_of(row) if seeds else ()))]
        columns = {title: [cell(row) for row in shown] for title, cell in COLUMNS.items()}
        kept = {title: cells for title, cells in columns.items() if any(cells)}
        return list(kept), [list(cells) for cells in zip(*kept.values(), strict=True)]

    def _seeds_of(self, row: Row) -> list[Row]:
        return [one for one in self.each if (one.metric, one.run) == (row.metric, row.run)]

    def markdown(self, *, seeds: bool = False) -> str:
        """A table, then the notes, and the fingerprint of the protocol."""
        titles, rows = self.table(seeds=seeds)
        marks = ["---" if title in ("metric", "run") else "---:" for title in titles]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (titles, marks, *rows)]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), f"- {self.measured()}", ""])

    def measured(self) -> str:
        """How, in a line."""
        p = self.protocol
        part = "" if p.part == "all" else f"{p.part} "
        return (
            f"Measured on {p.images:,} {part}images of {p.classes:,} classes ({p.data}), {p.queries:,} queries; "
            f"protocol {p.fingerprint()}."
        )

    def csv(self, *, seeds: bool = False) -> str:
        """All digits, a line for each row; cells that hold nothing are empty."""
        text = io.StringIO()
        lines = csv.DictWriter(text, [f.name for f in dataclasses.fields(Row)], lineterminator="\n")
        lines.writeheader()
        lines.writerows(_plain(row, "") for row in (*self.rows, *(self.each if seeds else ())))
        return text.getvalue()

    def json(self, *, seeds: bool = False) -> str:
        """All digits, with the protocol and the notes; what holds nothing is null."""
        found = {
            "fingerprint": self.protocol.fingerprint(),
            "protocol": self.protocol.as_json(),
            "folders": self.folders,
            "rows": [_plain(row, None) for row in self.rows],
            "notes": self.notes,
        }
        if seeds:
            found["seeds"] = [_plain(row, None) for row in self.each]
        return json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def write(self, path: str | Path, *, seeds: bool = False) -> None:
        """Writes a .md, .csv or .json file, whole or not at all.

        Raises:
            ValueError, OSError: for a path that cannot be written to.
        """
        checkpoint.write(Path(path), form_of(path)(self, seeds=seeds))

    def __repr__(self) -> str:
        return self.markdown()


FORMS: dict[str, Callable[..., str]] = {
    ".md": Comparison.markdown,
    ".csv": Comparison.csv,
    ".json": Comparison.json,
}


def form_of(path: str | Path) -> Callable[..., str]:
    """What makes the text of this file.

    Raises:
        ValueError, FileNotFoundError: for another suffix, or a folder that is not there.
    """
    path = Path(path)
    if path.suffix not in FORMS:
        raise ValueError(f"A comparison is written to a {', '.join(FORMS)} file; got {path}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} to.")
    return FORMS[path.suffix]


def _plain(row: Row, nothing: Any) -> dict[str, Any]:
    return {k: nothing if v is None or v != v else v for k, v in dataclasses.asdict(row).items()}


def _interval(low: float, high: float, form: str) -> str:
    return f" [{low:{form}}, {high:{form}}]" if low == low and high == high else ""


def _number(x: float, form: str) -> str:
    return f"{x:{form}}" if x == x else ""


def _chance(p: float) -> str:
    return "" if p != p else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _name(row: Row) -> str:
    if row.seed is not None:
        return f"… seed {row.seed}"
    return row.run + (f" ({row.runs} seeds)" if row.runs > 1 else "")


def _difference(row: Row) -> str:
    return _number(row.difference, "+.4f") + _interval(row.difference_low, row.difference_high, "+.4f")


COLUMNS: dict[str, Callable[[Row], str]] = {
    "metric": lambda row: row.metric,
    "run": _name,
    "value": lambda row: (_number(row.value, ".4f") or "–") + _interval(row.low, row.high, ".3f"),
    "over seeds": lambda row: (
        (f"± {row.spread:.4f}" + _interval(row.spread_low, row.spread_high, ".3f")) if row.spread == row.spread else ""
    ),
    "difference": _difference,
    "p": lambda row: _chance(row.p),
    "p (Holm)": lambda row: _chance(row.p_holm),
    "detectable": lambda row: _number(row.detectable, ".4f"),
}

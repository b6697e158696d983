"""Findings, looked up: who stands where, who is told apart from whom. The page and the tables are written from this."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from isometry.bench.findings import CONCATENATED, SEPARATED, Findings, Method, Pair, Row
from isometry.report.text import metric_name

CONTRASTIVE = "tuned contrastive"
LEVEL = 0.05
"""Differences with p (Holm) below it are called differences, all others noise."""


def told(pair: Pair) -> bool:
    """Whether two methods are told apart."""
    return pair.p_holm < LEVEL


@dataclass(frozen=True)
class View:
    """The order of the methods, and every look-up that more than one part of the page needs."""

    findings: Findings

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], Row]:
        return {(row.method, row.metric, row.reading): row for row in self.findings.rows}

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], Pair]:
        found = {}
        for pair in self.findings.pairs:
            found[pair.second, pair.first] = _turned(pair)
            found[pair.first, pair.second] = pair
        return found

    @cached_property
    def readings(self) -> tuple[str, ...]:
        """Those that there are values of."""
        seen = {row.reading for row in self.findings.rows}
        return tuple(reading for reading in (SEPARATED, CONCATENATED) if reading in seen)

    @property
    def reading(self) -> str:
        """What the page ranks by: one model as it is, where there are such values."""
        return (*self.readings, SEPARATED)[0]

    @property
    def chosen_by(self) -> str:
        """What validation chose by, in short: "MAP@R"."""
        return metric_name(self.findings.held.get("validation", "").rpartition(", by ")[2] or "MAP@R")

    @property
    def whole(self) -> tuple[str, str]:
        """What a test draws anew as a whole, one and many: classes, or items where labels lie at a distance."""
        return ("class", "classes") if self.chosen_by == "MAP@R" else ("item", "items")

    def row(self, name: str, metric: str = "", reading: str = "") -> Row | None:
        """Where a method stands on a metric: the study's own, unless given."""
        return self._rows.get((name, metric or self.findings.metric, reading or self.reading))

    @cached_property
    def methods(self) -> dict[str, Method]:
        """By name, best first; those without a value last, as the recipe has them."""
        return {m.name: m for m in sorted(self.findings.methods, key=lambda m: -_value(self.row(m.name)))}

    @cached_property
    def places(self) -> dict[str, int]:
        """A method's place in the order, from 0."""
        return {name: k for k, name in enumerate(self.methods)}

    @cached_property
    def standing(self) -> list[Row]:
        """Rows of trained methods that have a value on the study's metric, best first."""
        rows = [self.row(name) for name in self.methods]
        return [row for row in rows if row is not None and math.isfinite(row.value)]

    @cached_property
    def controls(self) -> list[Row]:
        """Rows of what is not trained, best first. What a control has no such value of stands as it does elsewhere."""
        names = dict.fromkeys(row.method for row in self.findings.rows if row.control)
        rows = [next((r for e in self._order if (r := self.row(name, reading=e))), None) for name in names]
        return sorted((row for row in rows if row is not None), key=lambda row: (-_value(row), row.method))

    @property
    def _order(self) -> tuple[str, ...]:
        return (self.reading, *(r for r in self.readings if r != self.reading))

    @property
    def best(self) -> Row | None:
        return self.standing[0] if self.standing else None

    @property
    def rival(self) -> str:
        """The tuned contrastive control; the reference of a study that has none."""
        return CONTRASTIVE if CONTRASTIVE in self.methods else self.findings.reference

    def against(self, first: str, second: str) -> Pair | None:
        """first − second, whichever way round it was measured."""
        return self._pairs.get((first, second))

    def over(self, first: str, second: str) -> Pair | None:
        """first − second as the leaderboard has it: from the study's reference, corrected for the other methods alone."""
        row = self.row(first)
        if row is None or second != self.findings.reference or not math.isfinite(row.difference):
            return self.against(first, second)
        return Pair(
            first=first, second=second, difference=row.difference, low=row.difference_low, high=row.difference_high,
            p=row.p, p_holm=row.p_holm, detectable=row.detectable,
        )  # fmt: skip

    @cached_property
    def from_best(self) -> dict[str, Pair]:
        """best − each other method, where that was tested; from the reference as the leaderboard has it."""
        if self.best is None:
            return {}
        pairs = {row.method: self.over(self.best.method, row.method) for row in self.standing[1:]}
        return {name: pair for name, pair in pairs.items() if pair is not None and math.isfinite(pair.p_holm)}

    @property
    def tied(self) -> list[str]:
        """Methods that cannot be told from the best."""
        return [name for name, pair in self.from_best.items() if not told(pair)]

    def place(self, name: str) -> str:
        """In a word: "best", "noise" (cannot be told from the best), "below" or "" (not tested)."""
        if self.best is not None and name == self.best.method:
            return "best"
        pair = self.from_best.get(name)
        return "" if pair is None else "below" if told(pair) else "noise"


def _value(row: Row | None) -> float:
    return row.value if row is not None and math.isfinite(row.value) else -math.inf


def _turned(pair: Pair) -> Pair:
    return Pair(
        first=pair.second, second=pair.first, difference=-pair.difference, low=-pair.high, high=-pair.low, p=pair.p,
        p_holm=pair.p_holm, detectable=pair.detectable,
    )  # fmt: skip


def finite(values: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return [value for value in values if math.isfinite(value)]

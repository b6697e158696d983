"""Scatter plots and bundles of lines as SVG text, on top of the report's frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from isometry.report.svg import BOTTOM, LEFT, RIGHT, TOP, Frame, ticks
from isometry.report.text import compact, escape

from .numbers import short
from .view import finite


@dataclass(frozen=True)
class Scale:
    """An axis from low to high, in logarithms or not."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], log: bool = False, margin: float = 0.06) -> "Scale":
        """One that holds these values with some room; logarithmic only where all are positive."""
        known = finite(values) or [0.0, 1.0]
        log = log and min(known) > 0
        ends = [math.log(v) if log else v for v in (min(known), max(known))]
        room = margin * (ends[1] - ends[0]) or (0.1 if log else abs(ends[0]) * 0.05 or 0.5)
        low, high = ends[0] - room, ends[1] + room
        return cls(math.exp(low), math.exp(high), True) if log else cls(low, high)

    def at(self, value: float) -> float:
        return math.log(value) if self.log else value

    @property
    def ends(self) -> tuple[float, float]:
        return self.at(self.low), self.at(self.high)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values; for logarithms 1, 2, 5, or whole powers of ten where there are many.

        >>> Scale(0.9, 25, log=True).ticks(), Scale(1e-5, 1, log=True).ticks()
        ([1.0, 3.0, 10.0], [1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0])
        """
        if not self.log:
            return ticks(self.low, self.high, about)
        powers = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
            found = [float(f"{m}e{k}") for k in powers for m in steps]
            found = [v for v in found if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9)]
            if len(found) >= 3:
                return found
        return ticks(self.low, self.high, about)


@dataclass(frozen=True)
class Plane:
    """Two scales and a size: places points, draws axes."""

    x: Scale
    y: Scale
    width: int = 520
    height: int = 350

    @cached_property
    def frame(self) -> Frame:
        return Frame(self.x.ends, self.y.ends, self.width, self.height)

    def px(self, x: float) -> float:
        return self.frame.px(self.x.at(x))

    def py(self, y: float) -> float:
        return self.frame.py(self.y.at(y))

    def line(self, points: Sequence[tuple[float, float]], kind: str, more: str = "") -> str:
        spots = "L".join(f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in points)
        return f'<path class="{kind}" d="M{spots}"{more}/>' if points else ""

    def axes(self, x_title: str, y_title: str, about: tuple[int, int] = (5, 4)) -> str:
        floor, right = self.height - BOTTOM, self.width - RIGHT
        parts = []
        for v in self.y.ticks(about[1]):
            at = f"{self.py(v):.1f}"
            parts.append(f'<path class="grid" d="M{LEFT} {at}H{right}"/><text class="tick" x="{LEFT - 8}" y="{at}" ')
            parts.append(f'dy=".35em" text-anchor="end">{_tick(v)}</text>')
        for v in self.x.ticks(about[0]):
            at = f"{self.px(v):.1f}"
            parts.append(f'<text class="tick" x="{at}" y="{floor + 18}" text-anchor="middle">{_tick(v)}</text>')
        parts.append(f'<path class="axis" d="M{LEFT} {floor}H{right}"/>')
        x, y = (LEFT + right) / 2, (floor + TOP) / 2
        parts.append(
            f'<text class="title" x="{x:.0f}" y="{self.height - 6}" text-anchor="middle">{escape(x_title)}</text>'
        )
        turned = f"translate(5 {y:.0f}) rotate(-90)"
        parts.append(f'<text class="title" transform="{turned}" text-anchor="middle">{escape(y_title)}</text>')
        return "".join(parts)

    def picture(self, body: str, label: str, kind: str = "chart") -> str:
        return (
            f'<svg class="{kind}" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(label)}" '
            f'data-readings="{{&quot;x&quot;:[]}}">{body}</svg>'
        )


class Spot(NamedTuple):
    """A point: its class, who it is, what the pointer reads, and whether its name must be written."""

    x: float
    y: float
    kind: str
    name: str
    more: str
    must: bool = False


def spots(plane: Plane, points: Sequence[Spot], off: Sequence[tuple[float, float]] = ()) -> str:
    """Points with as many names as fit, in the order given: the first matter most. Names keep off the line through `off`."""
    places = [(plane.px(p.x), plane.py(p.y)) for p in points]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    bends = [(plane.px(x), plane.py(y)) for x, y in off]
    taken += [(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in pairwise(bends)]
    drawn, names = [], []
    for p, (x, y) in zip(points, places, strict=True):
        drawn.append(f'{_mark(p.kind, x, y)} data-tip="{escape(p.name)}" data-more="{escape(p.more)}"/>')
        name = short(p.name, 30)
        spot = _room(plane, x, y, len(name), taken)
        if spot is None and p.must:  # over other points, but over no other name
            spot = _room(plane, x, y, len(name), taken[len(points) :])
        if spot is not None:
            box, anchor, at_x, at_y = spot
            taken.append(box)
            names.append(
                f'<text class="name halo" x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
            )
    return "".join([*reversed(drawn), *names])


def _mark(kind: str, x: float, y: float) -> str:
    if "reference" in kind:
        return f'<path class="{kind}" d="M{x - 5:.1f} {y - 5:.1f}h10v10h-10Z"'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5.5"'


Box = tuple[float, float, float, float]


def _room(plane: Plane, x: float, y: float, letters: int, taken: Sequence[Box]) -> tuple[Box, str, float, float] | None:
    """Where a name fits beside its point without covering another; None where it does not."""
    wide = 6.8 * letters
    for anchor, at_x, at_y in (
        ("start", x + 10, y + 4), ("end", x - 10, y + 4), ("middle", x, y - 11), ("middle", x, y + 20),
        ("start", x + 8, y - 8), ("start", x + 8, y + 16), ("end", x - 8, y - 8), ("end", x - 8, y + 16),
    ):  # fmt: skip
        left = at_x - {"start": 0.0, "end": wide, "middle": wide / 2}[anchor]
        box = (left, at_y - 11, left + wide, at_y + 3)
        inside = box[0] > LEFT and box[2] < plane.width - 2 and box[1] > 2 and box[3] < plane.height - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            return box, anchor, at_x, at_y
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _tick(value: float) -> str:
    text = f"{value:.0e}".replace("e-0", "e-") if 0 < abs(value) < 1e-3 else compact(value)
    return text.replace("-", "−")

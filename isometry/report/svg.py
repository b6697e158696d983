"""Small charts as SVG text: axes, lines and areas, coloured by the page's style sheet."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .text import Number, compact, escape

LEFT, RIGHT, TOP, BOTTOM = 60, 14, 14, 44


def ticks(low: Number, high: Number, about: int = 5) -> list[float]:
    """Round numbers within [low, high], about as many as asked for.

    >>> ticks(0, 1), ticks(0, 700, 3)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 200.0, 400.0, 600.0])
    """
    if not high > low:
        return [float(low)]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = min((1, 2, 5, 10), key=lambda k: abs(math.log(k * unit / raw))) * unit
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


@dataclass(frozen=True)
class Frame:
    """Maps data within (x0, x1) × (y0, y1) to a drawing of `width` × `height`."""

    x: tuple[Number, Number]
    y: tuple[Number, Number]
    width: int = 500
    height: int = 290

    def px(self, x: Number) -> float:
        return LEFT + (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1) * (self.width - LEFT - RIGHT)

    def py(self, y: Number) -> float:
        return self.height - BOTTOM - (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1) * (self.height - TOP - BOTTOM)

    def path(self, xs: Sequence[Number], ys: Sequence[Number], kind: str, closed: bool = False) -> str:
        """A line through the points; closed, the area between it and the horizontal axis."""
        spots = [f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in zip(xs, ys, strict=True)]
        if closed:
            floor = self.py(self.y[0])
            spots = [f"{self.px(xs[0]):.1f} {floor:.1f}", *spots, f"{self.px(xs[-1]):.1f} {floor:.1f}Z"]
        return f'<path class="{kind}" d="M{"L".join(spots)}"/>'

    def band(self, xs: Sequence[Number], low: Sequence[Number], high: Sequence[Number], kind: str) -> str:
        """The area between two lines."""
        across = [*zip(xs, high, strict=True), *reversed(list(zip(xs, low, strict=True)))]
        return f'<path class="{kind}" d="M{"L".join(f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in across)}Z"/>'

    def axes(self, x_title: str, y_title: str, y_ticks: bool = True, x_ticks: Sequence[tuple[Number, str]] = ()) -> str:
        """Both axes; `x_ticks` are places and what stands there, where they are not those of round numbers."""
        floor, middle = self.py(self.y[0]), (self.height - TOP - BOTTOM) / 2 + TOP
        parts = []
        for value in ticks(*self.y, 4) if y_ticks else []:
            at = f"{self.py(value):.1f}"
            parts.append(f'<path class="grid" d="M{LEFT} {at}H{self.width - RIGHT}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 8}" y="{at}" dy=".35em" text-anchor="end">{compact(value)}</text>'
            )
        for value, text in x_ticks or [(value, _signed(value)) for value in ticks(*self.x, 5)]:
            at = f"{self.px(value):.1f}"
            parts.append(f'<text class="tick" x="{at}" y="{floor + 18:.1f}" text-anchor="middle">{text}</text>')
        parts.append(f'<path class="axis" d="M{LEFT} {floor:.1f}H{self.width - RIGHT}"/>')
        centre = (LEFT + self.width - RIGHT) / 2
        parts.append(
            f'<text class="title" x="{centre:.0f}" y="{self.height - 6}" text-anchor="middle">{escape(x_title)}</text>'
        )
        parts.append(
            f'<text class="title" transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_title)}</text>"
        )
        return "".join(parts)

    def upright(self, x: Number, kind: str) -> str:
        return f'<path class="{kind}" d="M{self.px(x):.1f} {TOP}V{self.py(self.y[0]):.1f}"/>'


@dataclass(frozen=True)
class Reading:
    """What the pointer reads at one place: where it is, the lines of text, and the heights of the dots."""

    x: Number
    lines: Sequence[str]
    y: Sequence[Number] = ()


def chart(frame: Frame, body: str, label: str, readings: Sequence[Reading]) -> str:
    """The whole drawing, with a description for those who cannot see it and readings for the pointer and arrow keys."""
    data = {
        "x": [round(frame.px(r.x), 1) for r in readings],
        "y": [[round(frame.py(y), 1) for y in r.y] for r in readings],
        "text": [list(r.lines) for r in readings],
        "top": TOP,
        "bottom": round(frame.py(frame.y[0]), 1),
    }
    return (
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img" tabindex="0" aria-label="{escape(label)}" '
        f'data-readings="{escape(json.dumps(data, separators=(",", ":"), ensure_ascii=False))}">{body}</svg>'
    )


def _signed(value: Number) -> str:
    return compact(value).replace("-", "−")

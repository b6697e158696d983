"""Batches of small colour pictures, painted from the back to the front, all of a batch at a time.

Nothing but + − × ÷ and √ touches the pixels, and random numbers are Philox's own bits: other machines and other versions of
numpy draw the same pictures.
"""

from collections.abc import Sequence

import numpy as np

Field = np.ndarray
"""float32 `[b h w]`."""


class Stream:
    """Random numbers of one batch, by seed and number of the batch."""

    def __init__(self, seed: int, batch: int, size: int) -> None:
        self.generator = np.random.Generator(np.random.Philox(key=[seed, batch]))
        self.size = size

    def between(self, least: float, most: float, *shape: int) -> np.ndarray:
        """Evenly spread `[size, *shape]`."""
        return least + (most - least) * self.generator.random((self.size, *shape))

    def bell(self, *shape: int) -> np.ndarray:
        """Bell-shaped: mean 0, standard deviation 1, never beyond 3 (the sum of three even ones)."""
        return 2 * (self.between(0, 1, *shape) + self.between(0, 1, *shape) + self.between(0, 1, *shape)) - 3

    def chance(self, share: float, *shape: int) -> np.ndarray:
        """True this often."""
        return self.between(0, 1, *shape) < share

    def one_of(self, weights: Sequence[float], *shape: int) -> np.ndarray:
        """Positions in `weights`, as often as these say."""
        upto = np.cumsum(weights) / np.sum(weights)
        return np.minimum(np.searchsorted(upto, self.between(0, 1, *shape), side="right"), len(weights) - 1)

    def fine(self, *shape: int) -> np.ndarray:
        """float32 noise between −½ and ½."""
        return self.generator.random((self.size, *shape), dtype=np.float32) - np.float32(0.5)

    def colours(self, *shape: int) -> np.ndarray:
        """Colours `[size, *shape, 3]` between 0 and 1: any hue, from grey to loud and from dark to light."""
        hue = self.between(0, 6, *shape)[..., None] + np.array([0.0, 4.0, 2.0])
        pure = np.clip(np.abs(hue % 6 - 3) - 1, 0, 1)
        loud = self.between(0, 1, *shape)[..., None]
        return self.between(0.08, 1, *shape)[..., None] * (1 - loud * (1 - pure))


class Canvas:
    """Pictures `pixels` float32 `[b 3 side side]` between 0 and 1. Points are in pixels, x to the right and y down."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels.astype(np.float32)
        self.side = pixels.shape[-1]
        self.x = (np.arange(self.side, dtype=np.float32) + np.float32(0.5))[None, None, :]
        self.y = (np.arange(self.side, dtype=np.float32) + np.float32(0.5))[None, :, None]

    def paint(self, cover: Field, colour: np.ndarray) -> None:
        """Lays `colour [b 3 1 1]` or `[b 3 h w]` over the pictures, `cover` of it in each pixel."""
        cover = cover[:, None]
        self.pixels += cover * (colour - self.pixels)

    def capsule(
        self, a: np.ndarray, b: np.ndarray, thick_a: np.ndarray, thick_b: np.ndarray, light: np.ndarray
    ) -> tuple[Field, Field]:
        """A limb from `a [b 2]` to `b [b 2]` of these half widths: how much of each pixel it covers, and how bright it is."""
        ax, ay, run, rise, ra, rb = (
            v.astype(np.float32)[:, None, None] for v in (a[:, 0], a[:, 1], *(b - a).T, thick_a, thick_b)
        )
        length = np.maximum(run * run + rise * rise, np.float32(1e-3))
        along = (self.x - ax) * (run / length) + (self.y - ay) * (rise / length)
        np.clip(along, 0, 1, out=along)
        right = (self.x - ax) - along * run
        down = (self.y - ay) - along * rise
        along *= rb - ra
        along += ra
        bright = right * light[:, 0].astype(np.float32)[:, None, None]
        bright += down * light[:, 1].astype(np.float32)[:, None, None]
        bright /= np.maximum(along, np.float32(0.6))
        np.clip(bright, -1, 1, out=bright)
        right *= right
        down *= down
        right += down
        np.sqrt(right, out=right)
        along -= right
        along += np.float32(0.5)
        return np.clip(along, 0, 1, out=along), bright

    def block(self, centre: np.ndarray, half: np.ndarray, turn: np.ndarray, round_: np.ndarray) -> Field:
        """A rectangle, or an ellipse where `round_`: `centre [b 2]`, half its size `half [b 2]`, turned by an angle."""
        cx, cy, w, h = (v.astype(np.float32)[:, None, None] for v in (*centre.T, *half.T))
        cos, sin = (v.astype(np.float32)[:, None, None] for v in (np.cos(turn), np.sin(turn)))
        u = np.abs((self.x - cx) * cos + (self.y - cy) * sin)
        v = np.abs((self.y - cy) * cos - (self.x - cx) * sin)
        box = np.maximum(u - w, v - h)
        u /= w
        v /= h
        oval = (np.sqrt(u * u + v * v) - 1) * np.minimum(w, h)
        return np.clip(np.float32(0.5) - np.where(round_[:, None, None], oval, box), 0, 1)

    def soften(self, share: np.ndarray) -> None:
        """Gives each of the four neighbours this share `[b]` of a pixel, at most a third."""
        share = share.astype(np.float32)[:, None, None, None]
        for axis in (2, 3):
            one = np.take(self.pixels, np.maximum(np.arange(self.side) - 1, 0), axis)
            other = np.take(self.pixels, np.minimum(np.arange(self.side) + 1, self.side - 1), axis)
            self.pixels += share * (one + other - 2 * self.pixels)

    def finish(self, stream: Stream, noise: float = 0.1) -> np.ndarray:
        """The uint8 pictures: lit from one side, tinted, a little out of focus, with the noise of a sensor."""
        slope = stream.between(-0.35, 0.35, 2)[:, :, None, None].astype(np.float32)
        gain = stream.between(0.8, 1.2, 1).astype(np.float32)[:, :, None]
        gain = gain + (slope[:, 0] * (self.x / self.side - 0.5) + slope[:, 1] * (self.y / self.side - 0.5))
        self.pixels *= gain[:, None] * stream.between(0.85, 1.1, 3).astype(np.float32)[:, :, None, None]
        self.soften(stream.between(0, 0.28) * stream.chance(0.4))
        strength = stream.between(0.02, noise).astype(np.float32)[:, None, None, None]
        self.pixels += strength * stream.fine(*self.pixels.shape[1:])
        return (np.clip(self.pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


KINDS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, -2], [0, 0, 1], [0.5, 0.5, 0]], dtype=np.float32)
"""Plain, stripes, checks, dots and tartan, as shares of two families of stripes and of their product."""


def pattern(canvas: Canvas, stream: Stream, weights: Sequence[float], least: float = 3, most: float = 10) -> Field:
    """A pattern between 0 and 1, `[b h w]`: plain, striped, checked, dotted or tartan, at any angle; repeats in pixels."""
    of = KINDS[stream.one_of(weights)][:, :, None, None]
    angle, period = stream.between(0, np.pi), stream.between(least, most)
    cos, sin = (v.astype(np.float32)[:, None, None] for v in (np.cos(angle) / period, np.sin(angle) / period))
    start = stream.between(0, 1, 2).astype(np.float32)[:, :, None, None]
    return weave(of, canvas.x * cos + canvas.y * sin + start[:, 0], canvas.y * cos - canvas.x * sin + start[:, 1])


def weave(of: np.ndarray, u: Field, v: Field) -> Field:
    """The pattern with these shares, rows `[b 3 1 1]` of `KINDS`, at coordinates in repeats."""
    one, other = stripes(u), stripes(v)
    return of[:, 0] * one + of[:, 1] * other + of[:, 2] * (one * other)


def stripes(phase: Field) -> Field:
    """Soft stripes between 0 and 1 that repeat with the whole numbers."""
    wave = np.abs(2 * (phase - np.floor(phase)) - 1)
    return np.clip((wave - np.float32(0.5)) * 3 + np.float32(0.5), 0, 1)


def clouds(stream: Stream, side: int, cells: int = 6) -> Field:
    """Smooth noise between −½ and ½, `[b side side]`."""
    grid = stream.fine(cells, cells)
    place = np.linspace(0, cells - 1.001, side)
    low = place.astype(int)
    share = (place - low).astype(np.float32)
    rows = grid[:, low] * (1 - share)[None, :, None] + grid[:, low + 1] * share[None, :, None]
    return rows[:, :, low] * (1 - share)[None, None] + rows[:, :, low + 1] * share[None, None]

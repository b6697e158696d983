"""The drawn figures' looks: skin, hair and clothes, what lies behind them and what stands in front of them."""

import numpy as np

from isometry.data.canvas import Canvas, Stream, clouds, pattern
from isometry.data.poses_body import AT, Build

SKINS = np.array([
    (0.98, 0.86, 0.76), (0.95, 0.79, 0.66), (0.90, 0.70, 0.54), (0.80, 0.60, 0.43), (0.67, 0.47, 0.32), (0.53, 0.36, 0.24),
    (0.40, 0.26, 0.17), (0.28, 0.18, 0.12),
])  # fmt: skip
HAIRS = np.array([
    (0.08, 0.06, 0.05), (0.18, 0.11, 0.07), (0.33, 0.20, 0.11), (0.50, 0.33, 0.17), (0.78, 0.62, 0.34), (0.62, 0.25, 0.10),
    (0.70, 0.69, 0.67),
])  # fmt: skip
SKIN, SHIRT, TROUSERS, SHOES, HAIR, HAT, BAG, EYES = range(8)

TORSO = (
    ("left shoulder", "left hip", 0.085, 0.085), ("right shoulder", "right hip", 0.085, 0.085),
    ("neck", "chest", 0.08, 0.115), ("chest", "pelvis", 0.115, 0.105), ("left shoulder", "right shoulder", 0.075, 0.075),
)  # fmt: skip
"""Points, half widths at both in metres. The legs, the arms and the head follow in `parts`."""


Numbers = np.ndarray | float


class Parts:
    """Pieces of all figures, from `a [n k]` to `b [n k]` in the picture, to be painted in the order of their depth."""

    def __init__(self, at: np.ndarray, depth: np.ndarray, metre: np.ndarray, width: np.ndarray) -> None:
        self.at, self.depth, self.metre, self.width = at, depth, metre, width
        self.rows: list[tuple[np.ndarray, ...]] = []

    def add(
        self, a: str, b: str, thick_a: Numbers, thick_b: Numbers, of: Numbers, *, upto: Numbers = 1.0,
        depth: np.ndarray | None = None, there: np.ndarray | bool = True, lean: bool = False,
    ) -> None:  # fmt: skip
        """From the point `a` to the share `upto` of the way to `b`; `depth` replaces the depth of its middle; not where it is not
        `there`; `lean` parts are as thick on broad figures as on slim ones."""
        n, width = len(self.at), 1.0 if lean else self.width
        start, upto = self.at[:, AT[a]], np.broadcast_to(np.asarray(upto, dtype=float), (n,))
        end = start + upto[:, None] * (self.at[:, AT[b]] - start)
        ra, rb = (
            np.where(there, np.maximum(np.asarray(r) * width * self.metre[:, AT[p]], 0.0), -9.0)
            for r, p in ((thick_a, a), (thick_b, b))
        )
        middle = (self.depth[:, AT[a]] + upto * self.depth[:, AT[b]]) / (1 + upto) if depth is None else depth
        garment = np.broadcast_to(np.asarray(of), (n,))
        self.rows.append((start, end, ra, rb, np.broadcast_to(middle, (n,)), garment))

    def sorted(self) -> tuple[np.ndarray, ...]:
        """`a`, `b`, both half widths and the garment of every piece, the farthest first."""
        a, b, ra, rb, depth, of = (np.stack(column, 1) for column in zip(*self.rows, strict=True))
        order = np.argsort(depth, 1, kind="stable")
        return tuple(np.take_along_axis(v, order[..., None] if v.ndim == 3 else order, 1) for v in (a, b, ra, rb, of))


def parts(stream: Stream, build: Build, at: np.ndarray, depth: np.ndarray, metre: np.ndarray) -> Parts:
    """What figures are made of, in what they wear: sleeves of three lengths, trousers, shorts or a skirt, hair, hats, bags."""
    made = Parts(at, depth, metre, build.width)
    sleeve, legs = stream.one_of([1, 3, 4]), stream.one_of([5, 3, 2])  # none, short, long; trousers, shorts, skirt
    skirt, trunk = legs == 2, depth[:, [AT["pelvis"], AT["neck"], AT["chest"]]].mean(1)
    for piece in TORSO:
        made.add(*piece, SHIRT, depth=trunk)
    made.add("left hip", "right hip", 0.095, 0.095, TROUSERS, depth=trunk - 0.002)
    upper, lower = np.where(sleeve > 0, SHIRT, SKIN), np.where(sleeve == 2, SHIRT, SKIN)
    thigh, shin = np.where(skirt, SKIN, TROUSERS), np.where(legs == 0, TROUSERS, SKIN)
    loose = 1 + 0.25 * stream.between(0, 1)
    flare = 0.10 + 0.10 * stream.between(0, 1)
    for side in ("left", "right"):
        made.add(f"{side} shoulder", f"{side} elbow", 0.056 * np.where(sleeve > 0, loose, 1), 0.047, upper)
        made.add(f"{side} elbow", f"{side} wrist", 0.047, 0.034 * np.where(sleeve == 2, loose, 1), lower)
        made.add(f"{side} wrist", f"{side} hand", 0.040, 0.042, SKIN, lean=True)
        made.add(f"{side} hip", f"{side} knee", 0.092, 0.066, thigh)
        made.add(f"{side} knee", f"{side} ankle", 0.063, 0.042 * np.where(legs == 0, loose, 1), shin)
        made.add(f"{side} ankle", f"{side} toes", 0.052, 0.043, SHOES, lean=True)
        near = np.maximum(depth[:, AT[f"{side} knee"]], depth[:, AT[f"{side} hip"]]) + 0.02
        made.add(f"{side} hip", f"{side} knee", 0.10, flare, TROUSERS, upto=0.7, there=skirt, depth=near)
    heads(made, stream, build, depth)
    made.add("back", "chest", 0.13, 0.05, BAG, upto=0.4, there=stream.chance(0.15))
    return made


def heads(made: Parts, stream: Stream, build: Build, depth: np.ndarray) -> None:
    """Neck, head, eyes, hair and hat."""
    round_ = build.head * 0.46
    middle = (depth[:, AT["chin"]] + depth[:, AT["head top"]]) / 2
    made.add("neck", "chin", 0.05, 0.05, SKIN)
    made.add("chin", "head top", round_ * 0.82, round_, SKIN, upto=0.62, depth=middle, lean=True)
    hair, hat = stream.one_of([1, 5, 4]), stream.one_of([7, 2, 1])  # bald, short, long; none, cap, brim
    made.add("crown", "head top", round_ * 1.1, round_ * 0.5, HAIR, upto=0.7, there=hair > 0, lean=True)
    made.add("crown", "nape", round_ * 0.95, 0.07, HAIR, there=hair == 2, lean=True)
    ahead = depth[:, AT["face"]]
    made.add("crown", "head top", round_ * 1.15, round_ * 0.8, HAT, there=hat > 0, depth=middle + 0.06, lean=True)
    made.add("crown", "face", 0.04, 0.04, HAT, upto=1.25, there=hat == 1, depth=ahead + 0.02, lean=True)
    made.add("face", "face", 0.035, 0.035, EYES, lean=True)


def wardrobe(canvas: Canvas, stream: Stream) -> np.ndarray:
    """Colour of every pixel in every garment `[n 8 3 h w]`."""
    n, side = len(canvas.pixels), canvas.side
    flat = stream.colours(8)
    shade = stream.between(0.9, 1.08)[:, None]
    flat[:, SKIN] = SKINS[stream.one_of([1] * len(SKINS))] * shade
    flat[:, HAIR] = HAIRS[stream.one_of([4, 4, 3, 2, 2, 1, 1])] * shade
    flat[:, EYES] = flat[:, SKIN] * 0.3
    flat[:, SHOES] *= stream.between(0.25, 1)[:, None]
    whole = stream.chance(0.12)[:, None]  # a dress or a suit
    flat[:, TROUSERS] = np.where(whole, flat[:, SHIRT], flat[:, TROUSERS])
    made = np.broadcast_to(flat.astype(np.float32)[..., None, None], (n, 8, 3, side, side)).copy()
    for garment, weights in ((SHIRT, (5, 4, 2, 2, 2)), (TROUSERS, (9, 1, 1, 1, 1))):
        other = stream.colours().astype(np.float32)[..., None, None]
        made[:, garment] += pattern(canvas, stream, weights, 2.5, 8)[:, None] * (other - made[:, garment])
    return made


def background(stream: Stream, side: int) -> Canvas:
    """Two textured halves, above and below a horizon, with clouds of light and what stands about."""
    canvas = Canvas(np.broadcast_to(stream.colours()[..., None, None], (stream.size, 3, side, side)))
    above = pattern(canvas, stream, (4, 3, 2, 1, 2), 4, 18)
    strength = stream.between(0.05, 0.5).astype(np.float32)[:, None, None]
    canvas.paint(above * strength, stream.colours()[..., None, None].astype(np.float32))
    horizon = stream.between(0.45, 1.15)[:, None, None] * side
    tilt = stream.between(-0.25, 0.25)[:, None, None]
    ground = np.clip(canvas.y - horizon - tilt * (canvas.x - side / 2) + 0.5, 0, 1).astype(np.float32)
    floor = stream.colours()[..., None, None].astype(np.float32)
    other = stream.colours()[..., None, None].astype(np.float32)
    tiles = pattern(canvas, stream, (4, 3, 2, 1, 2), 4, 18)
    canvas.paint(ground, floor + strength[:, None] * tiles[:, None] * (other - floor))
    for _ in range(4):
        clutter(canvas, stream, stream.chance(0.55), 0.04, 0.3)
    canvas.soften(np.full(stream.size, 0.25))
    uneven = stream.between(0, 0.35).astype(np.float32)[:, None, None, None]
    canvas.pixels *= 1 + uneven * clouds(stream, side)[:, None] * 2
    return canvas


def clutter(canvas: Canvas, stream: Stream, there: np.ndarray, least: float, most: float) -> None:
    """A block or an ellipse of any colour, shaded across, anywhere."""
    side = canvas.side
    half = (least + (most - least) * stream.between(0, 1, 2) ** 2) * side
    place = stream.between(0, side, 2)
    turn = np.where(stream.chance(0.6), 0.0, stream.between(0, np.pi))
    cover = canvas.block(place, half, turn, stream.chance(0.4)) * there.astype(np.float32)[:, None, None]
    colour = stream.colours().astype(np.float32)[..., None, None]
    across = ((canvas.x - place.astype(np.float32)[:, :1, None]) / side)[:, None]
    canvas.paint(cover, colour * (1 + stream.between(-1, 1).astype(np.float32)[:, None, None, None] * across))


def pictures(
    stream: Stream, build: Build, at: np.ndarray, depth: np.ndarray, metre: np.ndarray, side: int
) -> np.ndarray:
    """Draws figures whose points are `at [n p 2]` in shares of the picture: uint8 `[n 3 side side]`."""
    canvas = background(stream, side)
    every = np.arange(stream.size)
    textures = wardrobe(canvas, stream)
    a, b, ra, rb, of = parts(stream, build, at * side, depth, metre * side).sorted()
    angle = stream.between(0, 2 * np.pi)
    light = np.stack([np.cos(angle), np.sin(angle)], 1) * stream.between(0.05, 0.4)[:, None]
    for k in range(a.shape[1]):
        cover, bright = canvas.capsule(a[:, k], b[:, k], ra[:, k], rb[:, k], light)
        bright += 1
        canvas.paint(cover, textures[every, of[:, k]] * bright[:, None])
    for _ in range(2):
        clutter(canvas, stream, stream.chance(0.2), 0.03, 0.14)
    return canvas.finish(stream)

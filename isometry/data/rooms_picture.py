"""The drawn rooms' looks: paper and paint, windows, doors, pictures, rugs, furniture and light."""

import numpy as np

from isometry.data.canvas import KINDS, Canvas, Field, Stream, clouds, weave
from isometry.data.rooms_view import CEILING, CENTRE, FLOOR, LEFT, RIGHT, Scene, met, rays

FINE = 2
"""Rays along a pixel's side; their mean is the pixel."""
HANGINGS = 5
FURNITURE = 4


def column(values: np.ndarray) -> Field:
    """Values `[n]` as float32 `[n 1 1]`."""
    return values.astype(np.float32)[:, None, None]


class Painting:
    """A batch of pictures that rays paint: where each ray ends, on which surface, and what colour that is."""

    def __init__(self, scene: Scene, stream: Stream, side: int) -> None:
        self.scene, self.stream = scene, stream
        self.rays = rays(scene, side * FINE)
        self.surface, self.far = met(scene, *self.rays)
        self.start = [column(v) for v in (scene.x, scene.y, scene.z)]
        self.points = [at + self.far * ray for at, ray in zip(self.start, self.rays, strict=True)]
        self.colour = np.zeros((stream.size, 3, 1, 1), dtype=np.float32)

    def lay(self, where: np.ndarray, colour: np.ndarray, share: float | Field = 1.0) -> None:
        """Lays `colour [n 3]` where `where` is true."""
        cover = (where * np.float32(1) * share)[:, None]
        self.colour += cover * (colour.astype(np.float32)[:, :, None, None] - self.colour)

    def along(self, surface: np.ndarray) -> tuple[Field, Field]:
        """Coordinates in metres on a surface, `[n]` or one for each ray: across, and up (or ahead on floors and ceilings)."""
        x, y, z = self.points
        return np.where((surface == LEFT) | (surface == RIGHT), z, x), np.where(surface <= CEILING, z, y)

    def surfaces(self) -> None:
        """Paints floor, ceiling and walls, each with a pattern; three walls of four are painted alike."""
        stream = self.stream
        colours, other = stream.colours(5) * 0.8 + 0.2, stream.colours(5)
        alike = stream.chance(0.8, 3)[..., None]
        colours[:, LEFT:] = np.where(alike, colours[:, CENTRE : CENTRE + 1], colours[:, LEFT:])
        colours[:, CEILING] = 0.3 * colours[:, CEILING] + 0.7 * stream.between(0.5, 1)[:, None]
        weights = ((3, 3, 2, 1, 1), (6, 1, 1, 0, 0), *((5, 2, 1, 1, 0.5),) * 3)
        kinds = KINDS[np.stack([stream.one_of(w) for w in weights], 1)]
        size, start, strength = stream.between(0.2, 1.1, 5), stream.between(0, 1, 5), stream.between(0.05, 0.6, 5)
        u, v = self.along(self.surface)
        size, start, strength = (self.each(of)[:, 0] for of in (size, start, strength))
        pattern = weave(self.each(kinds), u / size + start, v / size)
        self.colour = self.each(colours)
        self.colour += (pattern * strength)[:, None] * (self.each(other) - self.colour)

    def each(self, of: np.ndarray) -> np.ndarray:
        """What belongs to the surface that a ray meets: `[n k h w]` from `of [n 5]` or `[n 5 k]`."""
        of = of.astype(np.float32).reshape(len(of), 5, -1)
        n, _, wide = of.shape
        picked = np.arange(n)[:, None, None] * 5 + self.surface
        return np.stack([of[..., k].reshape(-1)[picked] for k in range(wide)], 1)

    def hang(self) -> None:
        """A window, a door, a picture on a wall, or a rug on the floor; windows are bright."""
        stream, scene = self.stream, self.scene
        surface = np.array([FLOOR, LEFT, CENTRE, RIGHT])[stream.one_of([1, 1.5, 2, 1.5])]
        of = surface[:, None, None]
        u, v = self.along(of)
        extent = np.where((surface == LEFT) | (surface == RIGHT), scene.long, scene.half)
        flat = surface == FLOOR
        tall = np.where(flat, scene.long, scene.height)
        door = stream.chance(0.25) & ~flat
        width = np.where(door, 0.45, stream.between(0.15, 0.45) * extent)
        high = np.where(door, 1.0, stream.between(0.12, 0.32) * tall)
        middle_u = stream.between(-0.85, 0.85) * extent
        middle_v = np.where(
            door, 1.0, np.where(flat, stream.between(-0.8, 0.8) * tall, stream.between(0.4, 0.75) * tall)
        )
        off_u, off_v = np.abs(u - column(middle_u)), np.abs(v - column(middle_v))
        here = (self.surface == of) & stream.chance(0.75)[:, None, None]
        rim = column(stream.between(0.02, 0.12))
        inside = here & (off_u < column(width)) & (off_v < column(high))
        self.lay(here & (off_u < column(width) + rim) & (off_v < column(high) + rim), stream.colours())
        window = stream.chance(0.35)[:, None] & ~(door | flat)[:, None]
        self.lay(inside, np.where(window, 0.75 + 0.4 * stream.colours(), stream.colours()))
        bars = (np.abs(u - column(middle_u)) < 0.04) | (off_v < 0.04)
        self.lay(inside & bars, stream.colours(), stream.chance(0.4)[:, None, None] * np.float32(1))

    def furnish(self) -> None:
        """A block on the floor, against a wall more often than not: sofa, wardrobe, table or bed."""
        stream, scene = self.stream, self.scene
        size = [stream.between(0.2, 0.95), stream.between(0.3, 1.0) ** 2 * 2.0, stream.between(0.2, 0.9)]
        room = [np.maximum(h - s, 0) for h, s in ((scene.half, size[0]), (scene.long, size[2]))]
        side = np.sign(stream.between(-1, 1))
        x = np.where(stream.chance(0.6), side * room[0], stream.between(-1, 1) * room[0])
        z = np.where(stream.chance(0.5), room[1], stream.between(-0.4, 1) * room[1])
        clear = np.maximum(np.abs(x - scene.x) - size[0], np.abs(z - scene.z) - size[2]) > 0.5
        lift = np.where(stream.chance(0.2), stream.between(0.3, 0.7), 0.0) * size[1]
        low, high = [x - size[0], lift, z - size[2]], [x + size[0], np.minimum(size[1], scene.height), z + size[2]]
        near, leave = np.zeros_like(self.far), np.full_like(self.far, np.inf)
        face = np.zeros(near.shape, dtype=np.int64)
        for axis in range(3):
            ray = np.where(np.abs(self.rays[axis]) < 1e-6, np.float32(1e-6), self.rays[axis])
            ends = [(column(end) - self.start[axis]) / ray for end in (low[axis], high[axis])]
            enter = np.minimum(*ends)
            face = np.where(enter > near, axis, face)
            near, leave = np.maximum(near, enter), np.minimum(leave, np.maximum(*ends))
        here = (near < leave) & (near > 0) & (near < self.far) & (clear & stream.chance(0.7))[:, None, None]
        colour = stream.colours() * 0.85
        tones = stream.between(0.55, 1.1, 3).astype(np.float32)
        tone = tones.reshape(-1)[np.arange(stream.size)[:, None, None] * 3 + face]
        self.colour += (here * np.float32(1))[:, None] * (
            colour.astype(np.float32)[:, :, None, None] * tone[:, None] - self.colour
        )
        self.far = np.where(here, near, self.far)

    def light(self) -> None:
        """A lamp below the ceiling: what is near is bright; each kind of surface has its own brightness as well."""
        stream, scene = self.stream, self.scene
        lamp = [scene.half * stream.between(-0.7, 0.7), scene.height * 0.9, scene.long * stream.between(-0.6, 0.9)]
        away = sum(
            (at + self.far * ray - column(place)) ** 2
            for at, ray, place in zip(self.start, self.rays, lamp, strict=True)
        )
        own = self.each(1 + stream.between(-0.25, 0.2, 5))
        fall = column(stream.between(0, 0.09))
        self.colour *= own * (np.float32(1.35) / (1 + fall * away))[:, None]


def pictures(scene: Scene, stream: Stream, side: int) -> np.ndarray:
    """Draws rooms: uint8 `[n 3 side side]`."""
    painting = Painting(scene, stream, side)
    painting.surfaces()
    for _ in range(HANGINGS):
        painting.hang()
    for _ in range(FURNITURE):
        painting.furnish()
    painting.light()
    fine = painting.colour
    small = fine[:, :, ::2, ::2] + fine[:, :, 1::2, ::2] + fine[:, :, ::2, 1::2] + fine[:, :, 1::2, 1::2]
    canvas = Canvas(small / 4)
    canvas.pixels *= 1 + column(stream.between(0, 0.3))[:, None] * clouds(stream, side)[:, None]
    return canvas.finish(stream)

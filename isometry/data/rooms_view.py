"""The drawn rooms' geometry: a box, a camera in it, and which surface each ray meets.

Metres: x to the right, y up, z ahead, from the middle of the floor. The camera turns less than 45° from straight ahead, so
the wall ahead is the centre one, and the wall behind is never seen.
"""

from dataclasses import dataclass, fields

import numpy as np

from isometry.data.canvas import Field, Stream

SURFACES = ("floor", "ceiling", "left wall", "centre wall", "right wall")
FLOOR, CEILING, LEFT, CENTRE, RIGHT = range(5)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Rooms and cameras, each `[n]`: half the width, the height and half the length of the room; where the camera is; its turn to
    the right, upward and about its axis in radians; and half the width of the picture at a distance of one.
    """

    half: np.ndarray
    height: np.ndarray
    long: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    wide: np.ndarray


def drawn_scene(stream: Stream) -> Scene:
    """Rooms from closets to halls. Of six cameras the first that sees two surfaces counts, else a wide one that sees all."""
    n = stream.size
    half, height, long = stream.between(0.9, 3.4), stream.between(2.2, 4.0), stream.between(1.5, 4.2)

    def camera() -> Scene:
        return Scene(
            half=half, height=height, long=long,
            x=half * stream.between(-0.85, 0.85), y=height * stream.between(0.25, 0.75), z=long * stream.between(-0.97, 0.55),
            yaw=np.radians(stream.between(-44, 44)), pitch=np.radians(9) * stream.bell(), roll=np.radians(2) * stream.bell(),
            wide=stream.between(0.6, 1.2),
        )  # fmt: skip

    zero = np.zeros(n)
    plain = Scene(
        half=half, height=height, long=long, x=zero, y=height / 2, z=-0.95 * long, yaw=zero, pitch=zero, roll=zero,
        wide=np.maximum(half, height / 2) / (1.9 * long) * 1.4,
    )  # fmt: skip
    tried = [camera() for _ in range(6)] + [plain]
    good = [np.ptp(regions(scene, 16), axis=(1, 2)) > 0 for scene in tried[:-1]] + [np.ones(n, dtype=bool)]
    first = np.argmax(np.stack(good), 0)
    chosen = {f.name: np.stack([getattr(s, f.name) for s in tried])[first, np.arange(n)] for f in fields(Scene)}
    return Scene(**chosen)


def rays(scene: Scene, side: int) -> tuple[Field, Field, Field]:
    """Directions of the rays through the pixels' middles, x, y and z `[n side side]`."""
    across = ((np.arange(side) + 0.5) / side * 2 - 1)[None, None, :] * scene.wide[:, None, None]
    down = np.swapaxes(across, 1, 2)
    cos, sin = ([f(a)[:, None, None] for a in (scene.roll, scene.pitch, scene.yaw)] for f in (np.cos, np.sin))
    x, y = across * cos[0] - down * sin[0], -(down * cos[0] + across * sin[0])
    y, z = y * cos[1] + sin[1], cos[1] - y * sin[1]
    x, z = x * cos[2] + z * sin[2], z * cos[2] - x * sin[2]
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def met(scene: Scene, x: Field, y: Field, z: Field) -> tuple[np.ndarray, Field]:
    """Which of the `SURFACES` each ray meets `[n h w]`, and how far away."""
    half, height, long, at_x, at_y, at_z = (
        v.astype(np.float32)[:, None, None] for v in (scene.half, scene.height, scene.long, scene.x, scene.y, scene.z)
    )
    small = np.float32(1e-6)
    flat = np.where(y < 0, at_y, height - at_y) / np.maximum(np.abs(y), small)
    aside = np.where(x < 0, half + at_x, half - at_x) / np.maximum(np.abs(x), small)
    ahead = (long - at_z) / np.maximum(z, small)
    far = np.minimum(np.minimum(flat, aside), ahead)
    walls = np.where(far == aside, np.where(x < 0, LEFT, RIGHT), CENTRE)
    return np.where(far == flat, np.where(y < 0, FLOOR, CEILING), walls), far


def regions(scene: Scene, side: int) -> np.ndarray:
    """The layout: which surface lies behind each of `side` × `side` cells, whatever stands before it. int64 `[n side side]`."""
    return met(scene, *rays(scene, side))[0].astype(np.int64)

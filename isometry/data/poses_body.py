"""The drawn figures' bodies: from angles to joints in space, and from there to a picture.

Space is in units of about a metre: x to the figure's left, y up, z where it looks. The camera stands at a distance, so what is
nearer is larger.
"""

from dataclasses import dataclass

import numpy as np

from isometry.data.canvas import Stream
from isometry.data.poses_actions import AMONG, ARM, LEG

JOINTS = (
    "head top", "neck", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
    "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
BONES = (
    ("neck", "head top"), ("neck", "left shoulder"), ("neck", "right shoulder"), ("left shoulder", "left elbow"),
    ("right shoulder", "right elbow"), ("left elbow", "left wrist"), ("right elbow", "right wrist"),
    ("left hip", "right hip"), ("left hip", "left knee"), ("right hip", "right knee"), ("left knee", "left ankle"),
    ("right knee", "right ankle"),
)  # fmt: skip
"""Joints that a bone of fixed length joins."""
EXTRA = (
    "pelvis",
    "chin",
    "face",
    "left hand",
    "right hand",
    "left toes",
    "right toes",
    "crown",
    "nape",
    "back",
    "chest",
)
POINTS = (*JOINTS, *EXTRA)
AT = {name: position for position, name in enumerate(POINTS)}
MIRROR = np.array([AT[n.replace("left", "r-").replace("right", "left").replace("r-", "right")] for n in POINTS])
"""Where each point's mirror image is."""

Vector = np.ndarray
"""`[n 3]`."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """Lengths of a body, each `[n]`."""

    thigh: np.ndarray
    shin: np.ndarray
    upper: np.ndarray
    fore: np.ndarray
    shoulders: np.ndarray
    hips: np.ndarray
    spine: np.ndarray
    neck: np.ndarray
    head: np.ndarray
    width: np.ndarray


def drawn_builds(stream: Stream) -> Build:
    """Bodies of all proportions; one in six is a child's, with a larger head and shorter legs."""
    child = stream.chance(1 / 6)
    legs = (1 + 0.07 * stream.bell()) * np.where(child, 0.8, 1)
    arms = (1 + 0.06 * stream.bell()) * np.where(child, 0.85, 1)
    return Build(
        thigh=0.43 * legs * (1 + 0.03 * stream.bell()),
        shin=0.43 * legs * (1 + 0.03 * stream.bell()),
        upper=0.30 * arms,
        fore=0.265 * arms * (1 + 0.03 * stream.bell()),
        shoulders=0.185 * (1 + 0.09 * stream.bell()) * np.where(child, 0.85, 1),
        hips=0.10 * (1 + 0.1 * stream.bell()),
        spine=0.50 * (1 + 0.06 * stream.bell()) * np.where(child, 0.88, 1),
        neck=0.09 * (1 + 0.12 * stream.bell()),
        head=0.205 * (1 + 0.07 * stream.bell()) * np.where(child, 1.12, 1),
        width=np.clip(1.12 + 0.2 * stream.bell(), 0.75, 1.9),
    )


def forward(v: Vector, angle: np.ndarray) -> Vector:
    """Turns about the axis through both sides: what hangs down swings forward."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = v.T
    return np.stack([x, y * cos + z * sin, z * cos - y * sin], 1)


def outward(v: Vector, angle: np.ndarray) -> Vector:
    """Turns about the axis that looks ahead: what hangs down swings to the left."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = v.T
    return np.stack([x * cos - y * sin, x * sin + y * cos, z], 1)


def around(v: Vector, angle: np.ndarray) -> Vector:
    """Turns about the upright axis: what looks ahead looks to the left."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = v.T
    return np.stack([x * cos + z * sin, y, z * cos - x * sin], 1)


def limb(angles: dict[str, np.ndarray], names: tuple[str, ...], side: int, back: bool) -> tuple[Vector, Vector]:
    """Directions of the upper and the lower half of a leg or an arm; `side` 1 is the left one, 2 the right one."""
    ahead, out, spin, bent = (angles[f"{name}{side}"] for name in names)
    down = np.zeros((len(ahead), 3)) - [0.0, 1.0, 0.0]
    lower = around(forward(down, -bent if back else bent), spin)
    halves = [outward(forward(half, ahead), out) for half in (down, lower)]
    flip = [1.0, 1.0, 1.0] if side == 1 else [-1.0, 1.0, 1.0]
    return halves[0] * flip, halves[1] * flip


def skeleton(angles: np.ndarray, build: Build) -> np.ndarray:
    """Where all `POINTS` are in space `[n p 3]`."""
    of = {name: angles[:, position] for name, position in AMONG.items()}
    n = len(angles)

    def chest(v: Vector) -> Vector:
        return outward(forward(around(v, of["twist"]), -of["bend"]), of["side"])

    def head(v: Vector) -> Vector:
        return chest(forward(around(v, of["turn"]), -of["nod"]))

    def point(x: np.ndarray | float = 0.0, y: np.ndarray | float = 0.0, z: np.ndarray | float = 0.0) -> Vector:
        return np.stack([np.broadcast_to(np.asarray(v, dtype=float), (n,)) for v in (x, y, z)], 1)

    at = {"pelvis": point(), "neck": chest(point(y=build.spine))}
    at["chest"] = chest(point(y=build.spine * 0.55, z=0.03))
    at["back"] = chest(point(y=build.spine * 0.66, z=-0.16 * build.width))
    at["chin"] = at["neck"] + head(point(y=build.neck, z=0.02))
    at["head top"] = at["neck"] + head(point(y=build.neck + build.head, z=0.01))
    at["face"] = at["neck"] + head(point(y=build.neck + 0.42 * build.head, z=0.55 * build.head))
    at["crown"] = at["neck"] + head(point(y=build.neck + 0.66 * build.head, z=-0.10 * build.head))
    at["nape"] = at["neck"] + head(point(y=build.neck * 0.3, z=-0.10))
    for number, side in ((1, "left"), (2, "right")):
        sign = 3 - 2 * number
        upper, lower = limb(of, ARM, number, back=False)
        at[f"{side} shoulder"] = chest(point(x=sign * build.shoulders, y=build.spine * 0.93))
        at[f"{side} elbow"] = at[f"{side} shoulder"] + chest(upper) * build.upper[:, None]
        at[f"{side} wrist"] = at[f"{side} elbow"] + chest(lower) * build.fore[:, None]
        at[f"{side} hand"] = at[f"{side} wrist"] + chest(lower) * 0.09
        thigh, shin = limb(of, LEG, number, back=True)
        at[f"{side} hip"] = point(x=sign * build.hips)
        at[f"{side} knee"] = at[f"{side} hip"] + thigh * build.thigh[:, None]
        at[f"{side} ankle"] = at[f"{side} knee"] + shin * build.shin[:, None]
        ahead = np.cross(shin, np.array([-1.0, 0.0, 0.0]))
        at[f"{side} toes"] = at[f"{side} ankle"] + 0.14 * ahead + 0.06 * shin
    whole = np.stack([at[name] for name in POINTS], 1).reshape(-1, 3)
    tip, topple = (np.repeat(of[name], len(POINTS)) for name in ("tip", "topple"))
    return outward(forward(whole, tip), -topple).reshape(n, len(POINTS), 3)


@dataclass(frozen=True, kw_only=True)
class View:
    """Where the camera stands, each `[n]`: angles in radians, `distance` in metres; and how a square is cut out.

    `fill` is the share of the picture that the joints' larger extent takes, `shift [n 2]` where their middle is, as shares of the
    picture from its own middle.
    """

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    distance: np.ndarray
    fill: np.ndarray
    shift: np.ndarray


def drawn_views(stream: Stream) -> View:
    """Cameras all round, more of them in front; from below the hip to well above the head."""
    front = stream.chance(0.5)
    return View(
        yaw=np.where(front, np.radians(38) * stream.bell(), stream.between(-np.pi, np.pi)),
        pitch=np.radians(np.clip(10 + 13 * stream.bell(), -18, 48)),
        roll=np.radians(6) * stream.bell(),
        distance=2.2 + 3.5 * stream.between(0, 1) ** 2,
        fill=stream.between(0.70, 0.86),
        shift=0.035 * stream.bell(2) / 2,
    )


def mirrored_views(view: View) -> View:
    """The cameras of the mirror images."""
    return View(
        yaw=-view.yaw,
        pitch=view.pitch,
        roll=-view.roll,
        distance=view.distance,
        fill=view.fill,
        shift=view.shift * [-1, 1],
    )


def seen(points: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points `[n p 3]` in the picture: x to the right and y down as shares of its side `[n p 2]`; depth `[n p]`, larger is
    nearer; and how long a metre is there, in sides of the picture `[n p]`.
    """
    n, p, _ = points.shape
    middle = (points[:, : len(JOINTS)].max(1) + points[:, : len(JOINTS)].min(1)) / 2
    flat = (points - middle[:, None]).reshape(-1, 3)
    yaw, pitch, roll = (np.repeat(angle, p) for angle in (view.yaw, view.pitch, view.roll))
    x, y, z = outward(forward(around(flat, yaw), -pitch), roll).reshape(n, p, 3).transpose(2, 0, 1)
    near = view.distance[:, None] / (view.distance[:, None] - z)
    plane = np.stack([x * near, -y * near], 2)
    low, high = plane[:, : len(JOINTS)].min(1), plane[:, : len(JOINTS)].max(1)
    scale = view.fill / np.maximum((high - low).max(1), 0.5)
    picture = (plane - ((low + high) / 2)[:, None]) * scale[:, None, None] + 0.5 + view.shift[:, None]
    return picture, z, near * scale[:, None]

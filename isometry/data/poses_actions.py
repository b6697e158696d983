"""What the drawn figures do: angles of the joints by action, with limits.

An action says where the trunk and the legs are, and where it decides over the arms as well, the arms; else these make one of the
gestures. Each angle is drawn around a mean with a spread; in an action with a rhythm it also swings with its phase. Angles
are in degrees, named below; those with two sides are written for the leading and the other side, and which of these is the left
one is drawn.
"""

import numpy as np

from isometry.data.canvas import Stream

TRUNK = ("bend", "side", "twist", "nod", "turn", "tip", "topple")
"""Spine forward, to the left, round to the left; head forward, round; the whole body backwards, and to the right."""
LEG = ("hip", "spread", "roll", "knee")
"""Thigh forward, outward, round its own axis; knee bent."""
ARM = ("reach", "lift", "spin", "elbow")
"""Upper arm forward, outward, round its own axis (outward); elbow bent."""
LIMITS = {
    "bend": (-30, 95), "side": (-35, 35), "twist": (-45, 45), "nod": (-40, 50), "turn": (-65, 65), "tip": (-110, 110),
    "topple": (-110, 110), "hip": (-30, 130), "spread": (-12, 65), "roll": (-40, 55), "knee": (0, 150),
    "reach": (-55, 180), "lift": (-12, 172), "spin": (-85, 100), "elbow": (0, 148),
}  # fmt: skip
SPREAD = {
    "bend": 5, "side": 5, "twist": 8, "nod": 9, "turn": 18, "tip": 4, "topple": 4, "hip": 7, "spread": 4, "roll": 6, "knee": 7,
    "reach": 12, "lift": 9, "spin": 14, "elbow": 13,
}  # fmt: skip

Angles = dict[str, tuple[float, ...]]
"""By the name of the angle: mean, and where it matters spread, sine and cosine of the phase. A name with 1 is the leading
side's, with 2 the other's."""

ACTIONS: dict[str, Angles] = {
    "standing": {"spread1": (4,), "spread2": (4,), "knee1": (6, 6), "knee2": (4, 4)},
    "leaning": {"hip1": (18, 10), "knee1": (30, 14), "spread1": (8, 5), "side": (10, 8), "bend": (6, 10), "spread2": (3,)},
    "straddling": {"spread1": (22, 8), "spread2": (22, 8), "knee1": (10, 10), "knee2": (10, 10), "side": (0, 14)},
    "walking": {
        "hip1": (5, 5, 27), "hip2": (5, 5, -27), "knee1": (24, 6, 0, 22), "knee2": (24, 6, 0, -22), "bend": (4,),
        "twist": (0, 5, -8), "reach1": (4, 8, -30), "reach2": (4, 8, 30), "lift1": (6, 5), "lift2": (6, 5),
        "elbow1": (25, 10, -12), "elbow2": (25, 10, 12), "spin1": (-5,), "spin2": (-5,),
    },
    "running": {
        "hip1": (22, 7, 44), "hip2": (22, 7, -44), "knee1": (62, 9, 10, 46), "knee2": (62, 9, -10, -46), "bend": (14, 7),
        "twist": (0, 6, -14), "reach1": (0, 10, -48), "reach2": (0, 10, 48), "lift1": (14, 7), "lift2": (14, 7),
        "elbow1": (88, 14), "elbow2": (88, 14), "spin1": (-15,), "spin2": (-15,),
    },
    "sitting": {
        "hip1": (88, 9), "hip2": (88, 9), "knee1": (84, 18), "knee2": (84, 18), "spread1": (9, 8), "spread2": (9, 8),
        "bend": (8, 12),
    },
    "on the floor": {
        "hip1": (95, 14), "hip2": (88, 16), "knee1": (70, 45), "knee2": (20, 22), "spread1": (14, 10), "spread2": (8, 9),
        "bend": (14, 14), "roll1": (12, 16),
    },
    "squatting": {
        "hip1": (112, 10), "hip2": (112, 10), "knee1": (125, 13), "knee2": (125, 13), "spread1": (16, 10),
        "spread2": (16, 10), "bend": (22, 12), "tip": (-8, 6),
    },
    "kneeling": {
        "hip1": (82, 13), "knee1": (88, 12), "hip2": (-4, 9), "knee2": (98, 12), "spread1": (8, 6), "bend": (8, 10),
    },
    "lunging": {
        "hip1": (72, 13), "knee1": (72, 15), "hip2": (-18, 8), "knee2": (24, 14), "bend": (8, 12), "twist": (0, 18),
    },
    "bowing": {"bend": (66, 17), "hip1": (22, 10), "hip2": (22, 10), "knee1": (14, 12), "knee2": (14, 12), "nod": (14, 14)},
    "jumping": {
        "hip1": (38, 26), "hip2": (30, 26), "knee1": (62, 34), "knee2": (62, 34), "spread1": (22, 15), "spread2": (22, 15),
        "bend": (4, 12), "reach1": (40, 40), "reach2": (40, 40), "lift1": (90, 40), "lift2": (90, 40), "elbow1": (30, 25),
        "elbow2": (30, 25), "spin1": (40, 30), "spin2": (40, 30),
    },
    "kicking": {
        "hip1": (78, 20), "knee1": (18, 18), "spread1": (12, 14), "hip2": (-6, 8), "knee2": (14, 10), "bend": (-6, 12),
        "tip": (8, 8), "reach1": (-20, 20), "reach2": (45, 25), "lift1": (35, 20), "lift2": (50, 22), "elbow1": (35, 20),
        "elbow2": (45, 25),
    },
    "throwing": {
        "hip1": (32, 14), "knee1": (30, 14), "hip2": (-16, 10), "knee2": (26, 14), "twist": (-8, 10, 30), "bend": (4, 8, 14),
        "reach1": (60, 15, 25), "lift1": (24, 14), "elbow1": (38, 18), "reach2": (30, 14, 40), "lift2": (88, 15),
        "spin2": (62, 15, -30), "elbow2": (80, 15, -40), "spread1": (10, 7), "spread2": (10, 7),
    },
    "dancing": {
        "hip1": (26, 22, 18), "knee1": (48, 25, 22), "spread1": (24, 16), "roll1": (20, 14), "hip2": (8, 12),
        "knee2": (18, 14), "spread2": (12, 9), "side": (0, 10, 16), "twist": (0, 14, 0, 18), "lift1": (78, 30, 38),
        "lift2": (78, 30, -38), "reach1": (22, 20), "reach2": (22, 20), "elbow1": (48, 26), "elbow2": (48, 26),
        "spin1": (28, 34), "spin2": (28, 34),
    },
    "crawling": {
        "tip": (-82, 9), "hip1": (86, 12, 16), "hip2": (86, 12, -16), "knee1": (88, 12), "knee2": (88, 12),
        "reach1": (86, 12, -16), "reach2": (86, 12, 16), "lift1": (6, 8), "lift2": (6, 8), "elbow1": (14, 12),
        "elbow2": (14, 12), "nod": (-22, 14), "bend": (2, 8),
    },
    "lying": {
        "tip": (88, 8), "hip1": (26, 24), "knee1": (42, 34), "hip2": (6, 9), "knee2": (12, 13), "spread1": (12, 9),
        "spread2": (9, 8), "topple": (0, 14),
    },
}  # fmt: skip
WEIGHTS = (3, 2, 2, 4, 4, 4, 2, 3, 2.5, 3, 2.5, 3, 2.5, 3, 4, 2, 2)
"""How often each action is drawn."""

GESTURES: dict[str, Angles] = {
    "down": {"lift1": (9, 6), "lift2": (9, 6), "elbow1": (14, 10), "elbow2": (14, 10)},
    "hands on hips": {
        "lift1": (42, 7), "lift2": (42, 7), "elbow1": (92, 8), "elbow2": (92, 8), "spin1": (-62, 8), "spin2": (-62, 8),
        "reach1": (-12, 8), "reach2": (-12, 8),
    },
    "waving": {"lift1": (105, 22), "elbow1": (78, 28), "spin1": (84, 12), "lift2": (10, 7), "elbow2": (18, 12)},
    "cheering": {
        "lift1": (150, 14), "lift2": (150, 14), "elbow1": (18, 16), "elbow2": (18, 16), "spin1": (50, 20), "spin2": (50, 20),
    },
    "pointing": {"reach1": (88, 18), "lift1": (14, 18), "elbow1": (8, 8), "lift2": (10, 7), "elbow2": (20, 16)},
    "reaching up": {"reach1": (158, 15), "lift1": (8, 8), "elbow1": (16, 14), "lift2": (12, 9), "elbow2": (22, 18)},
    "folded": {
        "reach1": (32, 9), "reach2": (32, 9), "elbow1": (108, 9), "elbow2": (108, 9), "spin1": (-55, 9), "spin2": (-55, 9),
        "lift1": (12, 6), "lift2": (12, 6),
    },
    "holding": {
        "reach1": (42, 12), "reach2": (42, 12), "elbow1": (72, 16), "elbow2": (72, 16), "spin1": (-14, 10),
        "spin2": (-14, 10), "lift1": (8, 5), "lift2": (8, 5),
    },
    "hand to the head": {
        "reach1": (62, 13), "lift1": (32, 14), "elbow1": (134, 8), "spin1": (8, 12), "lift2": (14, 9), "elbow2": (28, 22),
    },
    "wide": {"lift1": (88, 10), "lift2": (88, 10), "elbow1": (10, 9), "elbow2": (10, 9), "spin1": (20,), "spin2": (20,)},
}  # fmt: skip

NAMES = (*TRUNK, *(f"{name}{side}" for side in (1, 2) for name in (*LEG, *ARM)))
AMONG = {name: position for position, name in enumerate(NAMES)}


def table(rows: dict[str, Angles]) -> np.ndarray:
    """Mean, spread, sine and cosine of every angle `[rows, angles, 4]`."""
    made = np.zeros((len(rows), len(NAMES), 4))
    for row, angles in zip(made, rows.values(), strict=True):
        row[:, 1] = [SPREAD[name.rstrip("12")] for name in NAMES]
        for name, values in angles.items():
            row[AMONG[name], : len(values)] = values
    return made


OWN_ARMS = np.array([any(f"{name}1" in angles for name in ARM) for angles in ACTIONS.values()])
OF_ARMS = np.array([name.rstrip("12") in ARM for name in NAMES])
LEAST, MOST = (np.array([LIMITS[name.rstrip("12")][end] for name in NAMES], dtype=float) for end in (0, 1))


def drawn_angles(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Angles `[n a]` in radians, in the order of `NAMES` with the left side first, and which action each is of `[n]`."""
    action = stream.one_of(WEIGHTS)
    of = table(ACTIONS)[action]
    arms = table(GESTURES)[stream.one_of([1] * len(GESTURES))]
    of = np.where((~OWN_ARMS[action])[:, None, None] & OF_ARMS[None, :, None], arms, of)
    phase = stream.between(0, 2 * np.pi)[:, None]
    angles = of[..., 0] + of[..., 2] * np.sin(phase) + of[..., 3] * np.cos(phase)
    angles = np.clip(angles + 0.8 * of[..., 1] * stream.bell(len(NAMES)), LEAST, MOST)
    on_belly = stream.chance(0.35) & (action == list(ACTIONS).index("lying"))
    angles[:, AMONG["tip"]] *= np.where(on_belly, -1, 1)
    return np.radians(np.where(stream.chance(0.5)[:, None], mirrored_angles(angles), angles)), action


def mirrored_angles(angles: np.ndarray) -> np.ndarray:
    """The same pose seen in a mirror: sides change places, and turns to a side change their sign."""
    sides = len(LEG) + len(ARM)
    trunk, one, other = np.split(angles, [len(TRUNK), len(TRUNK) + sides], axis=1)
    sign = [-1.0 if name in ("side", "twist", "turn", "topple") else 1.0 for name in TRUNK]
    return np.concatenate([trunk * sign, other, one], axis=1)

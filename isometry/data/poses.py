"""A drawn data set for continuous labels: 22,000 figures in many poses, and where their joints are.

Kim, Seo, Laptev, Cho and Kwak ("Deep metric learning beyond binary supervision", CVPR 2019) find people in like poses, in
crops of MPII; how unlike two poses are is the sum of their joints' distances. Here a skeleton in space takes the pose of one of
17 actions, where the arms are free with one of ten gestures, and is seen from any side; body, clothes, background, what stands in
front and the light are drawn by themselves and tell nothing of the pose. Left is the figure's own left, so a mirrored picture
has another label (`mirrored`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isometry.data.canvas import Stream
from isometry.data.data import Data
from isometry.data.drawn import kept
from isometry.data.images import Arrays
from isometry.data.poses_actions import ACTIONS, drawn_angles
from isometry.data.poses_body import JOINTS, MIRROR, drawn_builds, drawn_views, seen, skeleton
from isometry.data.poses_picture import pictures

SIDE = 48  # pixels
BATCH = 64  # figures drawn at a time: part of what the seed means
SEED = 7
PARTS = {"train": 12_000, "validation": 2_000, "test": 8_000}
QUERIES = 1_000  # of the test part; the others are its gallery
VERSION = 3  # of the drawing; part of the key of the cache


@dataclass(frozen=True)
class Poses:
    """Pictures of figures.

    Attributes:
        images: uint8 `[n 3 48 48]`.
        joints: float32 `[n 14 2]`, x to the right and y down, in sides of the picture: (0, 0) is its upper left corner and
            (1, 1) its lower right one. In the order of `JOINTS`.
        actions: int64 `[n]`, positions in `ACTIONS`.
    """

    images: Tensor
    joints: Tensor
    actions: Tensor


def draw(count: int, seed: int = SEED) -> Poses:
    """Draws figures; the first of many are those of few.

    >>> figures = draw(5, seed=1)
    >>> figures.images.shape, figures.joints.shape
    (torch.Size([5, 3, 48, 48]), torch.Size([5, 14, 2]))

    Raises:
        ValueError: for a number of figures or a seed below 0.
    """
    if count < 0 or seed < 0:
        raise ValueError(f"draw takes a number of figures and a seed from 0 on; got {count} and {seed}.")
    made = [_batch(Stream(seed, batch, BATCH)) for batch in range(-(-count // BATCH))]
    empty = (np.empty((0, 3, SIDE, SIDE), np.uint8), np.empty((0, len(JOINTS), 2), np.float32), np.empty(0, np.int64))
    return Poses(*(torch.from_numpy(np.concatenate(column)[:count]) for column in zip(empty, *made, strict=True)))


def poses() -> Poses:
    """All figures, drawn or read from the cache (which lies where that of `glyphs` does)."""
    count = sum(PARTS.values())
    made_by = (VERSION, SIDE, BATCH, SEED, count)
    tensors = kept("poses", made_by, lambda: vars(draw(count)))
    return Poses(**tensors)


def mirrored(joints: Tensor) -> Tensor:
    """The joints `[n 14 2]` of the mirrored pictures: x is 1 − x, and left and right change places.

    >>> joints = draw(3, seed=1).joints
    >>> torch.allclose(mirrored(mirrored(joints)), joints)
    True
    """
    swapped = joints[:, torch.from_numpy(MIRROR[: len(JOINTS)])]
    return torch.stack([1 - swapped[..., 0], swapped[..., 1]], -1)


def read_poses() -> Data:
    """The figures as data: 12,000 train, 2,000 validate, and 1,000 queries of the test look among 7,000 others.

    No classes: `targets` are the 14 joints one after the other, x before y, `category` is the action. In sides of the
    picture the sum of the joints' distances (`Joints`) is about 2.9 for two figures of many, and 0.8 for a figure and the
    nearest of 7,000.
    """
    drawn, count = poses(), sum(PARTS.values())
    first_query, first_gallery = count - PARTS["test"], count - PARTS["test"] + QUERIES
    place = torch.arange(count)
    return Data(
        images=Arrays(drawn.images),
        labels=torch.full((count,), -1),
        classes=(),
        ids=place,
        name="poses",
        split=tuple(part for part, size in PARTS.items() for _ in range(size)),
        is_query=place < first_gallery,
        is_gallery=(place < first_query) | (place >= first_gallery),
        targets=drawn.joints.flatten(1),
        category=drawn.actions,
        categories=tuple(ACTIONS),
        paths=tuple(f"figure {i}" for i in range(count)),
        relate="joints",
    )


def _batch(stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    angles, action = drawn_angles(stream)
    build = drawn_builds(stream)
    at, depth, metre = seen(skeleton(angles, build), drawn_views(stream))
    joints = at[:, : len(JOINTS)].astype(np.float32)
    return pictures(stream, build, at, depth, metre, SIDE), joints, action.astype(np.int64)

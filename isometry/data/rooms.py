"""A drawn data set for continuous labels: 8,000 rooms, and which surface lies where in the picture.

Kim, Seo, Laptev, Cho and Kwak ("Deep metric learning beyond binary supervision", CVPR 2019) find rooms of like layout, in
LSUN's pictures; how unlike two are is 1 − mIoU of their maps (`Layouts`). Here a camera stands somewhere in a box: the eleven
types of LSUN come about by what it sees, one to three walls, the floor, the ceiling. Paper, furniture, what hangs on the walls
and the light are drawn by themselves and tell nothing of the layout, and the map says what lies behind the furniture. Unlike
LSUN's, numbers of regions mean the same in all pictures: floor, ceiling, left wall, centre wall, right wall.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isometry.data.canvas import Stream
from isometry.data.data import Data
from isometry.data.drawn import kept
from isometry.data.images import Arrays
from isometry.data.rooms_picture import pictures
from isometry.data.rooms_view import CEILING, FLOOR, SURFACES, drawn_scene, regions

SIDE = 48  # pixels
CELLS = 16  # along a side of the map
BATCH = 16  # rooms drawn at a time: part of what the seed means
SEED = 7
PARTS = {"train": 5_000, "validation": 1_000, "test": 2_000}
QUERIES = 400  # of the test part; the others are its gallery
VERSION = 1  # of the drawing; part of the key of the cache
TYPES = tuple(
    f"{walls} wall{'s' * (walls > 1)}{', floor' * floor}{', ceiling' * ceiling}"
    for walls in (1, 2, 3)
    for floor in (0, 1)
    for ceiling in (0, 1)
    if walls + floor + ceiling > 1
)
"""What can be seen: eleven types of layouts."""


@dataclass(frozen=True)
class Rooms:
    """Pictures of rooms.

    Attributes:
        images: uint8 `[n 3 48 48]`.
        maps: int64 `[n 16 16]`, positions in `SURFACES`: what lies behind the middle of each cell, furniture or not.
    """

    images: Tensor
    maps: Tensor


def draw(count: int, seed: int = SEED) -> Rooms:
    """Draws rooms; the first of many are those of few.

    >>> rooms = draw(3, seed=1)
    >>> rooms.images.shape, rooms.maps.shape
    (torch.Size([3, 3, 48, 48]), torch.Size([3, 16, 16]))

    Raises:
        ValueError: for a number of rooms or a seed below 0.
    """
    if count < 0 or seed < 0:
        raise ValueError(f"draw takes a number of rooms and a seed from 0 on; got {count} and {seed}.")
    made = [_batch(Stream(seed, batch, BATCH)) for batch in range(-(-count // BATCH))]
    empty = (np.empty((0, 3, SIDE, SIDE), np.uint8), np.empty((0, CELLS, CELLS), np.int64))
    return Rooms(*(torch.from_numpy(np.concatenate(column)[:count]) for column in zip(empty, *made, strict=True)))


def rooms() -> Rooms:
    """All rooms, drawn or read from the cache (which lies where that of `glyphs` does)."""
    count = sum(PARTS.values())
    return Rooms(**kept("rooms", (VERSION, SIDE, CELLS, BATCH, SEED, count), lambda: vars(draw(count))))


def types(maps: Tensor) -> Tensor:
    """The type of each layout `[n]`, a position in `TYPES`: how many walls can be seen in the map, and floor and ceiling.

    >>> [TYPES[t] for t in types(torch.tensor([[[3, 3], [0, 4]], [[1, 1], [3, 3]]]))]
    ['2 walls, floor', '1 wall, ceiling']
    """
    seen = torch.stack([(maps == surface).flatten(1).any(1) for surface in range(len(SURFACES))], 1).long()
    return 4 * (seen[:, CEILING + 1 :].sum(1) - 1) + 2 * seen[:, FLOOR] + seen[:, CEILING] - 1


def read_rooms() -> Data:
    """The rooms as data: 5,000 train, 1,000 validate, and 400 queries of the test look among 1,600 others.

    No classes: `targets` are the maps row by row, `category` is the type of the layout.
    """
    drawn, count = rooms(), sum(PARTS.values())
    first_query, first_gallery = count - PARTS["test"], count - PARTS["test"] + QUERIES
    place = torch.arange(count)
    return Data(
        images=Arrays(drawn.images),
        labels=torch.full((count,), -1),
        classes=(),
        ids=place,
        name="rooms",
        split=tuple(part for part, size in PARTS.items() for _ in range(size)),
        is_query=place < first_gallery,
        is_gallery=(place < first_query) | (place >= first_gallery),
        targets=drawn.maps.flatten(1).float(),
        category=types(drawn.maps),
        categories=TYPES,
        paths=tuple(f"room {i}" for i in range(count)),
        relate="layouts",
    )


def _batch(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    scene = drawn_scene(stream)
    return pictures(scene, stream, SIDE), regions(scene, CELLS)

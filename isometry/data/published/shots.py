"""What readers of re-identification data share: pictures of people or vehicles by camera, queries that search a gallery.

The rule of the field since Market-1501 (Zheng et al., ICCV 2015): a gallery picture of the query's own class and camera
is neither right nor wrong, it is left out. `Data.sequence` is the camera, and a protocol leaves out gallery pictures
that share class and sequence with the query. A picture of nobody known ("junk" that stays in the gallery, a distractor)
has no class: it can be found instead of a match, and never is one.
"""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from isometry.data.data import Data
from isometry.data.folder import ENDINGS, visible
from isometry.data.labels import class_ids
from isometry.data.published.layout import Missing, labelled, need


class Shot(NamedTuple):
    """A picture, whom it shows ("" for nobody known), and the camera that took it ("" where that is not known)."""

    path: str
    label: str
    camera: str = ""


def by_camera(
    root: Path,
    *,
    train: Sequence[Shot],
    validation: Sequence[Shot] = (),
    query: Sequence[Shot],
    gallery: Sequence[Shot],
    notes: Sequence[str] = (),
) -> Data:
    """Pictures with their cameras. Queries search the gallery; pictures of validation search each other."""
    parts = {"train": train, "validation": validation, "query": query, "gallery": gallery}
    shots = [shot for part in parts.values() for shot in part]
    part_of = [name for name, part in parts.items() for _ in part]
    cameras = class_ids([shot.camera for shot in shots])
    data = labelled(
        root,
        [shot.path for shot in shots],
        [shot.label for shot in shots],
        split=tuple("test" if part in ("query", "gallery") else part for part in part_of),
        is_query=torch.tensor([part in ("query", "validation") for part in part_of], dtype=torch.bool),
        is_gallery=torch.tensor([part in ("gallery", "validation") for part in part_of], dtype=torch.bool),
        sequence=cameras.labels if cameras.classes else None,
    )
    return dataclasses.replace(data, notes=tuple(notes))


def shots_in(root: Path, folder: str, pattern: re.Pattern[str], like: str) -> list[Shot]:
    """The pictures of a folder, which are called after class and camera: the two groups of the pattern.

    Raises:
        ValueError: for a picture that is not called so.
    """
    found = []
    if not need(root, folder).is_dir():
        raise Missing(f"{root / folder} is a file, and a folder of pictures is expected there.")
    for name in sorted(os.listdir(root / folder)):
        if visible(name) and os.path.splitext(name)[1].lower() in ENDINGS:
            found.append(named(f"{folder}/{name}", pattern, like))
    return found


def named(path: str, pattern: re.Pattern[str], like: str) -> Shot:
    """A picture that is called after its class and camera.

    >>> named("query/0002_c1s1_000451_03.jpg", re.compile(r"(\\d+)_c(\\d)"), "0002_c1s1_000451_03.jpg")
    Shot(path='query/0002_c1s1_000451_03.jpg', label='2', camera='1')
    """
    match = pattern.match(os.path.basename(path))
    if match is None:
        raise ValueError(f"{path} is not called like {like}: its name gives class and camera.")
    return Shot(path, str(int(match[1])), str(int(match[2])))

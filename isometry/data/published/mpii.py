"""MPII human pose (Andriluka, Pishchulin, Gehler and Schiele, CVPR 2014): people cut out of photographs, with the places of
16 joints as continuous labels, as in "Deep metric learning beyond binary supervision" (Kim et al., CVPR 2019).

A person is given by a centre and a scale, the height in 200 pixels; the box is the square of 250 · scale pixels around a
point 15 · scale pixels below the centre, as usual in pose estimation, so that no limb is cut off. `Data.targets` are
x and y of each joint (right ankle, knee, hip; left hip, knee, ankle; pelvis, thorax, neck, head; right wrist, elbow,
shoulder; left shoulder, elbow, wrist) in units of that square from its left and upper edge, so they tell poses apart,
not places or sizes. Coordinates in the files start from 1. People of whom a joint is not annotated are left out.
Kim et al. have other crops, whose joints are not published: their figures do not compare.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.json_file import entries, load_json
from isometry.data.published.layout import cut, labelled, need
from isometry.data.published.matlab import load_matlab, records

JOINTS = 16
MATLAB = ("mpii_human_pose_v1_u12_1.mat", "mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat")
LISTS = {"train": "train", "valid": "test"}


class Person(NamedTuple):
    """Someone in a picture; `joints` is `[16 2]`, NaN where a joint is not annotated."""

    picture: str
    part: str
    centre: np.ndarray
    scale: float
    joints: np.ndarray


def read_mpii(root: Path) -> Data:
    """`annot/train.json` and `annot/valid.json`, of which the second tests; or else the published .mat, without parts.

    The poses of MPII's own test pictures are not published. Pictures in `images`.
    """
    if (root / "annot").is_dir():
        everyone = [person for name, part in LISTS.items() for person in listed(need(root, f"annot/{name}.json"), part)]
    else:
        everyone = list(released(need(root, *MATLAB, "annot/train.json")))
    people = [
        p for p in everyone if np.isfinite(p.joints).all() and np.isfinite([*p.centre, p.scale]).all() and p.scale > 0
    ]
    if not people:
        raise ValueError(f"{root}: of none of {len(everyone):,} people all {JOINTS} joints are annotated.")
    side = np.array([250 * person.scale for person in people])
    middle = np.stack([person.centre + np.array([0, 15 * person.scale]) for person in people]) - 1
    corner = middle - side[:, None] / 2
    places = (np.stack([person.joints for person in people]) - 1 - corner[:, None]) / side[:, None, None]
    gone = len(everyone) - len(people)
    data = labelled(root, [f"images/{person.picture}" for person in people], [""] * len(people))
    data = dataclasses.replace(
        data,
        targets=torch.from_numpy(places.reshape(len(people), 2 * JOINTS).astype(np.float32)),
        split=tuple(person.part for person in people) if people[0].part else None,
        notes=(f"{gone:,} people were left out: not all of their joints are annotated",) * bool(gone),
    )
    return cut(data, np.rint(np.hstack([corner, corner + side[:, None]])).astype(np.int64).tolist())


def listed(path: Path, part: str) -> Iterator[Person]:
    """People in a list of `image`, `center`, `scale` and `joints`; (−1, −1) or (0, 0) is a joint that is not annotated."""
    for number, entry in enumerate(entries(load_json(path), path, "people"), 1):
        try:
            joints = np.array(entry["joints"], dtype=np.float64).reshape(JOINTS, 2)
            centre = np.array(entry["center"], dtype=np.float64).reshape(2)
            name, scale = str(entry["image"]), float(entry["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, person {number}, is not properly described: {error}.") from None
        yield Person(name, part, centre, scale, np.where((joints > 0).any(1, keepdims=True), joints, np.nan))


def released(path: Path) -> Iterator[Person]:
    """People in the published .mat: `RELEASE` with `annolist` and `img_train`."""
    release = records(load_matlab(path), "RELEASE", path)
    held = release.dtype.names or ()
    if "annolist" not in held or "img_train" not in held:
        raise ValueError(f"{path} holds no annolist and img_train in RELEASE; it holds {', '.join(held)}.")
    pictures, trains = (np.atleast_1d(release[name][0]) for name in ("annolist", "img_train"))
    if len(pictures) != len(trains):
        raise ValueError(f"{path} has {len(pictures):,} pictures in annolist and {len(trains):,} in img_train.")
    for picture, train in zip(pictures, trains, strict=True):
        if train != 1:
            continue
        name = str(entry_of(entry_of(picture, "image"), "name"))
        for rect in np.atleast_1d(entry_of(picture, "annorect")):
            points, centre = entry_of(entry_of(rect, "annopoints"), "point"), entry_of(rect, "objpos")
            if points is None or centre is None:
                continue
            joints = np.full((JOINTS, 2), np.nan)
            for point in np.atleast_1d(points):
                number = int(number_of(point, "id"))
                if 0 <= number < JOINTS:
                    joints[number] = number_of(point, "x"), number_of(point, "y")
            middle = np.array([number_of(centre, "x"), number_of(centre, "y")])
            yield Person(name, "", middle, number_of(rect, "scale"), joints)


def entry_of(record: Any, name: str) -> Any:
    """An entry of a record, which an array of one stands for as well; None where it has none, or an empty one."""
    names = getattr(getattr(record, "dtype", None), "names", None)
    if not names or name not in names or np.size(record) != 1:
        return None
    found = record[name] if np.ndim(record) == 0 else np.ravel(record)[0][name]
    found = found[()] if isinstance(found, np.ndarray) and found.ndim == 0 else found
    return None if isinstance(found, np.ndarray) and found.size == 0 else found


def number_of(record: Any, name: str) -> float:
    """A number of a record; NaN where it has none."""
    try:
        return float(entry_of(record, name))
    except (TypeError, ValueError):
        return float("nan")


MPII = Benchmark(
    title="MPII human pose",
    read=read_mpii,
    home="mpii_human_pose_v1.tar.gz and mpii_human_pose_v1_u12_2.zip at http://human-pose.mpi-inf.mpg.de, and annot/train.json "
    "and annot/valid.json at https://github.com/leoxiaobin/deep-high-resolution-net.pytorch",
    marks=(("annot/train.json", "annot/valid.json", "images"), *((path, "images") for path in MATLAB)),
    folders=("mpii", "MPII", "mpii_human_pose_v1"),
    annotations=("annot/train.json", "annot/valid.json", *MATLAB),
)

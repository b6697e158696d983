"""LSUN room layout (the challenge of "Large-scale scene understanding", CVPR 2015 and 2016): photographs of rooms, of one of
eleven types by which walls, floor and ceiling are seen, with a map of these for each picture.

The type is the class (`type 4`), the kind of room the category. `layouts` reads the maps. Their numbers tell the regions
of one picture apart, and are not the same wall in another: `Layouts(regions=5, matched=True)` compares them, the label
distance of "Deep metric learning beyond binary supervision" (Kim et al., CVPR 2019). `lsun_layout_maps` is the same
with the maps as continuous labels, and without classes.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from isometry.data.data import Data
from isometry.data.labels import class_ids
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import labelled, need
from isometry.data.published.matlab import load_matlab, records

PARTS = {"training": "train", "validation": "test"}
FIELDS = ("image", "scene", "type")
SIDE = 32
RELATE = "Layouts(regions=5, matched=True)"


def read_lsun_layout(root: Path, *, side: int | None = None) -> Data:
    """`training.mat` and `validation.mat`, of which the second tests; pictures in `images`.

    With `side`, `Data.targets` are the maps in so many points a side, regions numbered from 0 in each, and there are no
    classes. The labels of `testing.mat` are not published.
    """
    names, types, scenes, split = [], [], [], []
    for part, role in PARTS.items():
        path = need(root, f"{part}.mat")
        found = records(load_matlab(path), part, path)
        if lacking := [field for field in FIELDS if field not in (found.dtype.names or ())]:
            raise ValueError(
                f"{path} has no {', '.join(lacking)} of its pictures; it has {', '.join(found.dtype.names or ())}."
            )
        names += [str(name) for name in found["image"]]
        types += [f"type {kind}" for kind in found["type"]]
        scenes += [str(scene) for scene in found["scene"]]
        split += [role] * len(found)
    folder = need(root, "images", "image").name
    groups = class_ids(scenes)
    paths = [f"{folder}/{name}.jpg" for name in names]
    data = labelled(root, paths, types if side is None else [""] * len(types), split=split)
    targets = None if side is None else regions(layouts(root, paths, side))
    relate = "" if side is None else RELATE
    more = {"categories": groups.classes, "targets": targets, "relate": relate}
    return dataclasses.replace(data, category=groups.labels, **more)


def regions(maps: UInt8[Tensor, "n h w"]) -> Float32[Tensor, "n points"]:
    """Maps as continuous labels: the regions of each are numbered from 0, in the order of their own numbers.

    >>> regions(torch.tensor([[[5, 2], [2, 9]]], dtype=torch.uint8))
    tensor([[1., 0., 0., 2.]])
    """
    numbered = [torch.unique(map_, return_inverse=True)[1].flatten() for map_ in maps]
    return torch.stack(numbered).float() if numbered else maps.flatten(1).float()


def layouts(root: Path, paths: Sequence[str], side: int = 64) -> UInt8[Tensor, "n side side"]:
    """The maps of these pictures (`Data.paths`), from `layout_seg`: the region that each of `side` × `side` points of the
    picture is in.

    Raises:
        FileNotFoundError: for a picture without a map.
        ValueError: for a map that is none.
    """
    maps = []
    for name in paths:
        path = need(root, f"layout_seg/{Path(name).stem}.mat")
        held = [value for key, value in load_matlab(path).items() if not key.startswith("__")]
        whole = np.asarray(held[0]) if len(held) == 1 else np.empty(0)
        if whole.ndim != 2 or whole.dtype.kind not in "uif" or not ((whole >= 0) & (whole < 256)).all():
            raise ValueError(f"{path} holds no map [h w] of regions from 0 to 255.")
        down, across = ((np.arange(side) + 0.5) * length / side for length in whole.shape)
        maps.append(whole[np.ix_(down.astype(np.int64), across.astype(np.int64))].astype(np.uint8))
    return torch.from_numpy(np.stack(maps)) if maps else torch.zeros(0, side, side, dtype=torch.uint8)


LSUN_LAYOUT = Benchmark(
    title="LSUN room layout",
    read=read_lsun_layout,
    home="image.zip, layout.zip, training.mat and validation.mat at http://lsun.cs.princeton.edu (kept by web.archive.org)",
    marks=(("training.mat", "validation.mat", "images"), ("training.mat", "validation.mat", "image")),
    folders=("lsun_room", "lsun_layout", "roomlayout"),
    annotations=("training.mat", "validation.mat"),
    recalled={"train images": 4000, "test images": 394},
)
LSUN_LAYOUT_MAPS = dataclasses.replace(
    LSUN_LAYOUT,
    title="LSUN room layout, maps",
    read=partial(read_lsun_layout, side=SIDE),
    by_itself=False,
)

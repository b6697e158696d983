"""CUHK03 (Li et al., CVPR 2014, "DeepReID: deep filter pairing neural network for person re-identification").

The new split (Zhong et al., CVPR 2017: 767 people train, 700 test) is `cuhk03_new_protocol_config_{detected,labeled}.mat`
with pictures in `images_detected` or `images_labeled` (also `cuhk03_detected`, `cuhk03_labeled`), or inside
`cuhk03_release/cuhk-03.mat`, which the package h5py reads. The boxes are detected, or drawn by hand; their results do
not compare. The same split also comes in the folders of Market-1501.

The classic 20 splits (1,367 and 100 people) are in `cuhk-03.mat` alone. Their published results draw one gallery picture
of each person, ten times: give `read_classic` the number of the split, and average over splits and draws.

A picture is called `pair_person_view_image.png`; the view is the camera, of two in each pair.
"""

import dataclasses
import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.images import Images
from isometry.data.pixels import Image, Unreadable, one_line
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import need
from isometry.data.published.matlab import load_matlab
from isometry.data.published.shots import Shot, by_camera

CONFIG = ("filelist", "labels", "camId", "train_idx", "query_idx", "gallery_idx")
RELEASE = ("cuhk03_release/cuhk-03.mat", "cuhk-03.mat")


def read_cuhk03(root: Path, *, boxes: str = "detected") -> Data:
    """The new split: positions from 1 in `filelist` of the pictures that train, search, and are searched."""
    path = need(root, f"cuhk03_new_protocol_config_{boxes}.mat")
    config = load_matlab(path)
    if lacking := [name for name in CONFIG if name not in config]:
        raise ValueError(f"{path} lacks {', '.join(lacking)}: it is not the configuration of the new split.")
    names, person, camera, train, query, gallery = (np.atleast_1d(config[name]) for name in CONFIG)
    folder = need(root, f"images_{boxes}", f"cuhk03_{boxes}", *RELEASE)
    prefix = f"{folder.name}/" if folder.is_dir() else ""

    def shots(index: np.ndarray) -> list[Shot]:
        return [Shot(f"{prefix}{names[i]}", str(person[i]), str(camera[i])) for i in index.astype(np.int64) - 1]

    data = by_camera(root, train=shots(train), query=shots(query), gallery=shots(gallery))
    return data if prefix else dataclasses.replace(data, images=Release(folder, boxes, data.paths or ()))


def read_classic(root: Path, *, boxes: str = "detected", split: int = 0) -> Data:
    """One of the 20 classic splits: every test picture searches those of the other camera."""
    path = need(root, *RELEASE)
    if not 0 <= split < 20:
        raise ValueError(f"CUHK03 has 20 classic splits, from 0; got {split}.")
    with opened(path) as file:
        tested = {tuple(row) for row in file[file["testsets"][0, split]][:].T.astype(int).tolist()}
        found = []
        for pair, cells in enumerate(file[boxes][0], start=1):
            for person, images in enumerate(file[cells][:].T, start=1):
                known = [i for i, cell in enumerate(images, start=1) if file[cell].ndim == 3]
                found += [(pair, person, 1 + (i > 5), i) for i in known]
    names = [f"{pair}_{person:03d}_{view}_{i:02d}.png" for pair, person, view, i in found]
    shots = [Shot(name, name[:5], str(view)) for name, (_, _, view, _) in zip(names, found, strict=True)]
    test = [(pair, person) in tested for pair, person, _, _ in found]
    data = by_camera(
        root,
        train=[shot for shot, own in zip(shots, test, strict=True) if not own],
        query=[shot for shot, own in zip(shots, test, strict=True) if own],
        gallery=[],
    )
    every = torch.tensor([part == "test" for part in data.split or ()])
    return dataclasses.replace(data, images=Release(path, boxes, data.paths or ()), is_query=every, is_gallery=every)


def opened(path: Path) -> Any:
    """An HDF5 file (a .mat of version 7.3)."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        raise ValueError(f"{path} is an HDF5 file, which the package h5py reads: pip install h5py.") from None
    return h5py.File(path, "r")


class Release(Images):
    """Pictures inside `cuhk-03.mat`: cell (person, image) of the pair's cell array, stored `[c w h]`."""

    def __init__(self, path: Path, boxes: str, names: tuple[str, ...]) -> None:
        self.path, self.boxes, self.names, self.channels = path, boxes, names, 3
        opened(path).close()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Image:
        pair, person, _, image = (int(word) for word in self.names[index].removesuffix(".png").split("_"))
        try:
            with opened(self.path) as file:  # opened anew: a handle cannot be shared with the loader's workers
                cell = file[file[self.boxes][0, pair - 1]][image - 1, person - 1]
                return torch.from_numpy(np.ascontiguousarray(file[cell][:].transpose(0, 2, 1)))
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise Unreadable(self.where(index), one_line(error)) from None

    def take(self, index: np.ndarray) -> "Release":
        return Release(self.path, self.boxes, tuple(self.names[i] for i in index.tolist()))

    def where(self, index: int) -> str:
        return f"{self.path}/{self.names[index]}"

    def write_to(self, digest: Any) -> None:
        digest.update(f"{self.path.name} {self.path.stat().st_size} {self.boxes} {' '.join(self.names)}".encode())


def of(boxes: str, train: int, gallery: int) -> Benchmark:
    """The new split of the boxes that were detected, or drawn by hand."""
    config = f"cuhk03_new_protocol_config_{boxes}.mat"
    return Benchmark(
        title=f"CUHK03 (767/700, {boxes})",
        read=partial(read_cuhk03, boxes=boxes),
        home=f"cuhk03_release.zip at https://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html, and {config} at "
        "https://github.com/zhunzhong07/person-re-ranking",
        marks=tuple((config, images) for images in (f"images_{boxes}", f"cuhk03_{boxes}", *RELEASE)),
        folders=("cuhk03",),
        annotations=(config,),
        verified={
            "train images": train, "train classes": 767, "query images": 1400, "query classes": 700,
            "gallery images": gallery, "gallery classes": 700,
        },
        by_itself=boxes == "detected",
    )  # fmt: skip


CUHK03_DETECTED, CUHK03_LABELED = of("detected", 7365, 5332), of("labeled", 7368, 5328)

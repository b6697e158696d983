"""Revisited Oxford and Paris (Radenović, Iscen, Tolias, Avrithis and Chum, "Revisiting Oxford and Paris: large-scale image
retrieval benchmarking", CVPR 2018).

70 queries each, cut to the building, search pictures that were looked at one by one: "easy" and "hard" matches, and
"junk", which is neither right nor wrong. There are no classes: `isometry.protocols.landmarks` scores these data.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import cut, labelled, lines, need
from isometry.data.published.pickles import load_pickle

GRADES = ("easy", "hard", "junk")


def read_roxford(root: Path) -> Data:
    """`gnd_roxford5k.pkl` (imlist, qimlist, gnd with bbx, easy, hard and junk); pictures in `jpg`."""
    return read_revisited(root, "", "gnd_roxford5k.pkl")


def read_rparis(root: Path) -> Data:
    """`gnd_rparis6k.pkl`, of the same form."""
    return read_revisited(root, "", "gnd_rparis6k.pkl")


def read_roxford_1m(root: Path) -> Data:
    """The same with a million distractors: the folders `roxford5k` and `revisitop1m` beside each other."""
    return read_revisited(root, "roxford5k/", "gnd_roxford5k.pkl", distractors(root))


def read_rparis_1m(root: Path) -> Data:
    """The same with a million distractors: the folders `rparis6k` and `revisitop1m` beside each other."""
    return read_revisited(root, "rparis6k/", "gnd_rparis6k.pkl", distractors(root))


def distractors(root: Path) -> list[str]:
    """`revisitop1m.txt`: a path below `jpg` a line."""
    need(root, "revisitop1m/jpg")
    return [f"revisitop1m/jpg/{line.removeprefix('jpg/')}" for line in lines(need(root, "revisitop1m/revisitop1m.txt"))]


def read_revisited(root: Path, folder: str, name: str, others: list[str] | None = None) -> Data:
    """The gallery in the order of `imlist`, so that ids are positions in it; then distractors; then queries."""
    path = need(root, f"{folder}{name}")
    found = load_pickle(path)
    try:
        gallery, queries = ([str(file) for file in found[key]] for key in ("imlist", "qimlist"))
        boxes = [[round(float(side)) for side in query["bbx"]] for query in found["gnd"]]
        judged = [{grade: listed(query, grade) for grade in GRADES} for query in found["gnd"]]
        if len(queries) != len(judged) or any(len(box) != 4 for box in boxes):
            raise ValueError(f"{len(queries)} queries, {len(judged)} lists")
        if any(not 0 <= item < len(gallery) for lists in judged for ids in lists.values() for item in ids):
            raise ValueError("a list names a picture beyond the end of imlist")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not the ground truth of {root.name} ({type(error).__name__}: {error}).") from None
    before = [f"{folder}jpg/{named(file)}" for file in gallery] + (others or [])
    paths = before + [f"{folder}jpg/{named(file)}" for file in queries]
    data = labelled(
        root,
        paths,
        [""] * len(paths),
        split=["test"] * len(paths),
        is_query=torch.arange(len(paths)) >= len(before),
        is_gallery=torch.arange(len(paths)) < len(before),
    )
    data = cut(data, [[0, 0, 0, 0]] * len(before) + boxes)
    return dataclasses.replace(data, judged=(*[{}] * len(before), *judged))


def listed(query: Any, grade: str) -> tuple[int, ...]:
    """Positions in `imlist`."""
    return tuple(int(item) for item in np.asarray(query[grade]).ravel().tolist())


def named(file: str) -> str:
    """The file of a picture, which the lists write without its ending."""
    return file if file.lower().endswith(".jpg") else f"{file}.jpg"


SITE = "http://cmp.felk.cvut.cz/revisitop"
ROXFORD = Benchmark(
    title="ROxford",
    read=read_roxford,
    home=f"gnd_roxford5k.pkl at {SITE}, and the pictures of Oxford5k (oxbuild_images.tgz)",
    marks=(("gnd_roxford5k.pkl", "jpg"),),
    folders=("roxford5k", "datasets/roxford5k"),
    annotations=("gnd_roxford5k.pkl",),
    verified={"query images": 70, "gallery images": 4993},
)
RPARIS = Benchmark(
    title="RParis",
    read=read_rparis,
    home=f"gnd_rparis6k.pkl at {SITE}, and the pictures of Paris6k (paris_1.tgz, paris_2.tgz)",
    marks=(("gnd_rparis6k.pkl", "jpg"),),
    folders=("rparis6k", "datasets/rparis6k"),
    annotations=("gnd_rparis6k.pkl",),
    verified={"query images": 70, "gallery images": 6322},
)
ROXFORD_1M = dataclasses.replace(
    ROXFORD,
    title="ROxford + R1M",
    read=read_roxford_1m,
    home=f"{ROXFORD.home}; revisitop1m at {SITE}",
    marks=(("roxford5k/gnd_roxford5k.pkl", "revisitop1m/revisitop1m.txt"),),
    folders=("datasets",),
    annotations=("roxford5k/gnd_roxford5k.pkl", "revisitop1m/revisitop1m.txt"),
    verified={"query images": 70},
    recalled={"gallery images": 4993 + 1_001_001},
    by_itself=False,
)
RPARIS_1M = dataclasses.replace(
    ROXFORD_1M,
    title="RParis + R1M",
    read=read_rparis_1m,
    home=f"{RPARIS.home}; revisitop1m at {SITE}",
    marks=(("rparis6k/gnd_rparis6k.pkl", "revisitop1m/revisitop1m.txt"),),
    annotations=("rparis6k/gnd_rparis6k.pkl", "revisitop1m/revisitop1m.txt"),
    recalled={"gallery images": 6322 + 1_001_001},
)

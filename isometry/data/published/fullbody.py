"""People of MPII human pose as they were cut out for "Deep metric learning beyond binary supervision" (Kim, Seo, Laptev, Cho
and Kwak, CVPR 2019), with how far apart their poses are.

The joints themselves are not published, but the distances of all test poses are. The first 1,919 test pictures are
queries, the 8,000 others the gallery. In that work distances are multiplied by 224/288, to be in pixels of the network's
input.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from isometry.data.data import Data
from isometry.data.folder import ENDINGS, visible, walk
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import Missing, labelled, need
from isometry.data.published.matlab import load_matlab

DISTANCES = "dist_pose_val"
QUERIES = 1919


def read_fullbody(root: Path, *, queries: int = QUERIES) -> Data:
    """Two folders of pictures: the first by name trains, the second tests. There are no labels."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and visible(path.name))
    if len(folders) != 2:
        raise Missing(f"Two folders are expected, of pictures to train and to test; {root} has {len(folders)}.")
    paths, split = [], []
    for folder, part in zip(folders, ("train", "test"), strict=True):
        found = [f"{folder}/{path}" for path in walk(root / folder) if Path(path).suffix.lower() in ENDINGS]
        paths += found
        split += [part] * len(found)
    tests = torch.tensor([part == "test" for part in split], dtype=torch.bool)
    first = tests & (tests.cumsum(0) <= queries)
    return labelled(root, paths, [""] * len(paths), split=split, is_query=first, is_gallery=tests & ~first)


def pose_distances(root: Path, *, queries: int = QUERIES) -> Float32[Tensor, "q g"]:
    """How far the pose of each query is from each gallery picture's, from `dist_pose_val.mat`, in the order of the data.

    The published file holds the distances of all pairs, 9,919 × 9,919: about 0.8 GB while it is read.

    Raises:
        ValueError: for a file that holds no square of distances.
    """
    path = need(root, f"{DISTANCES}.mat")
    every = np.asarray(load_matlab(path).get(DISTANCES))
    if every.ndim != 2 or every.shape[0] != every.shape[1] or every.dtype.kind not in "uif":
        raise ValueError(f"{path} holds no square {DISTANCES} of distances.")
    return torch.from_numpy(every[:queries, queries:].astype(np.float32))


MPII_FULLBODY = Benchmark(
    title="MPII people as in the log-ratio loss",
    read=read_fullbody,
    home="the human pose data at https://github.com/tjddus9597/Beyond-Binary-Supervision-CVPR19",
    marks=((f"{DISTANCES}.mat",),),
    folders=("fullbody", "data/fullbody"),
    verified={"train images": 12366, "test images": 9919, "query images": 1919, "gallery images": 8000},
)

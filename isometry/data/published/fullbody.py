"""People of MPII human pose as they were cut out for "Deep metric learning beyond binary supervision" (Kim, Seo, Laptev, Cho
and Kwak, CVPR 2019), with how far apart their poses are.

The joints themselves are not published, but the distances of all test poses are. The first 1,919 test pictures are
queries, the 8,000 others the gallery. Published mean label distances are times 224/288, in pixels of the network's input;
nDCG takes the distances as they are.
"""

import os
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
from isometry.data.published.pickles import load_pickle

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
    return torch.from_numpy(_square(root)[:queries, queries:].astype(np.float32))


def write_distances(root: Path, to: Path) -> Path:
    """One matrix of the distances of all pictures, in the order of the data, for `GivenDistances(matrix='….npy')`.

    Training poses from `list_nn.pkl` and `dist_nn.pkl`, test poses from `dist_pose_val.mat`; NaN between the parts, of
    which nothing is published. The published files make 22,285 × 22,285 float32 numbers, 2 GB on disk, and take about
    5 GB of memory while they are read.

    Raises:
        ValueError: for files that do not hold each pose's distances to all others.
    """
    nearest, apart = (_part(need(root, name)) for name in ("list_nn.pkl", "dist_nn.pkl"))
    n, tests = len(nearest), _square(root)
    if nearest.shape != (n, n - 1) or apart.shape != nearest.shape or not _all_others(nearest):
        raise ValueError(f"{root}: list_nn.pkl and dist_nn.pkl hold no distances of each training pose to all others.")
    beside = to.with_name(f"{to.name}.{os.getpid()}.part")
    matrix = np.lib.format.open_memmap(beside, mode="w+", dtype=np.float32, shape=(n + len(tests),) * 2)
    for i in range(n):
        matrix[i, nearest[i]], matrix[i, i], matrix[i, n:] = apart[i], 0, np.nan
    for i, row in enumerate(tests, n):
        matrix[i, :n], matrix[i, n:] = np.nan, row
    matrix.flush()
    os.replace(beside, to)
    return to


def _square(root: Path) -> np.ndarray:
    path = need(root, f"{DISTANCES}.mat")
    every = np.asarray(load_matlab(path).get(DISTANCES))
    if every.ndim != 2 or every.shape[0] != every.shape[1] or every.dtype.kind not in "uif":
        raise ValueError(f"{path} holds no square {DISTANCES} of distances.")
    return every


def _part(path: Path) -> np.ndarray:
    """What a published pickle says of training."""
    found = load_pickle(path)
    part = np.asarray(found.get("trn") if isinstance(found, dict) else None)
    if part.ndim != 2 or part.dtype.kind not in "uif":
        raise ValueError(f"{path} holds no matrix 'trn'.")
    return part


def _all_others(nearest: np.ndarray) -> bool:
    """Whether each row has the number of every other row once."""
    every = np.arange(len(nearest))
    return nearest.dtype.kind in "ui" and all(
        np.array_equal(np.sort(np.append(row, i)), every) for i, row in enumerate(nearest)
    )


MPII_FULLBODY = Benchmark(
    title="MPII people as in the log-ratio loss",
    read=read_fullbody,
    home="the human pose data at https://github.com/tjddus9597/Beyond-Binary-Supervision-CVPR19",
    marks=((f"{DISTANCES}.mat",),),
    folders=("fullbody", "data/fullbody"),
    verified={"train images": 12366, "test images": 9919, "query images": 1919, "gallery images": 8000},
)

"""mini-ImageNet (Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016), with the classes divided as in
"Optimization as a model for few-shot learning" (Ravi and Larochelle, ICLR 2017).
"""

from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import column, labelled, need, table

PART = {"train": "train", "val": "validation", "test": "test"}


def read_mini_imagenet(root: Path) -> Data:
    """`train.csv`, `val.csv` and `test.csv` (filename, label), at the root or in `splits`; pictures in `images`."""
    paths, labels, split = [], [], []
    for name, part in PART.items():
        path = need(root, f"{name}.csv", f"splits/{name}.csv", f"splits/ravi/{name}.csv")
        found = table(path)
        files = column(found, path, "filename", "file", "image")
        paths += [f"images/{file.removeprefix('images/')}" for file in files]
        labels += column(found, path, "label", "class")
        split += [part] * len(files)
    return labelled(root, paths, labels, split=split)


MINI_IMAGENET = Benchmark(
    title="mini-ImageNet",
    read=read_mini_imagenet,
    home="the lists at https://github.com/twitter-research/meta-learning-lstm; the pictures are ImageNet's",
    marks=tuple((*(f"{folder}{name}.csv" for name in PART), "images") for folder in ("", "splits/", "splits/ravi/")),
    folders=("miniImagenet", "mini-imagenet", "miniimagenet", "mini_imagenet"),
    annotations=("train.csv", "val.csv", "test.csv"),
    verified={"train images": 38400, "train classes": 64},
    recalled={"validation images": 9600, "validation classes": 16, "test images": 12000, "test classes": 20},
    by_itself=False,  # many folders hold tables of these names
)

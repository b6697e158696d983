"""CUB-200-2011 (Wah, Branson, Welinder, Perona and Belongie, "The Caltech-UCSD Birds-200-2011 dataset", 2011).

Metric learning splits it by class (Song et al., CVPR 2016): classes 1–100 train, 101–200 test. The file
`train_test_split.txt` splits every class, for classification; it is not read. (Published results on its 5,794 test
images of 200 classes compare with none on the 5,924 of 100.)
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import cut, labelled, need, rows, whole


def read_cub(root: Path) -> Data:
    """`images.txt` (id, path) and `image_class_labels.txt` (id, class from 1); pictures below `images`."""
    paths = dict(rows(need(root, "images.txt"), 2))
    path = need(root, "image_class_labels.txt")
    number = {image: whole(cell, path) for image, [cell] in by_image(path, 2, paths).items()}
    return labelled(
        root,
        [f"images/{path}" for path in paths.values()],
        [path.split("/")[0] for path in paths.values()],
        split=tuple("train" if number[image] <= 100 else "test" for image in paths),
    )


def read_cub_boxes(root: Path) -> Data:
    """The same, each picture cut to its bird: `bounding_boxes.txt` (id, left, top, width, height)."""
    data = read_cub(root)
    ids = [image for image, _ in rows(root / "images.txt", 2)]
    path = need(root, "bounding_boxes.txt")
    known = by_image(path, 5, ids)
    boxes = [[whole(side, path) for side in known[image]] for image in ids]
    return cut(data, [[left, top, left + width, top + height] for left, top, width, height in boxes])


def by_image(path: Path, columns: int, ids: Iterable[str]) -> dict[str, list[str]]:
    """What a file says of each image.

    Raises:
        ValueError: when it says nothing of one.
    """
    known = {image: cells for image, *cells in rows(path, columns)}
    if lacking := [image for image in ids if image not in known]:
        raise ValueError(f"{path} says nothing of {len(lacking):,} images; the first is image {lacking[0]}.")
    return known


CUB = Benchmark(
    title="CUB-200-2011",
    read=read_cub,
    home="CUB_200_2011.tgz at https://www.vision.caltech.edu/datasets/cub_200_2011",
    marks=(("images.txt", "image_class_labels.txt", "images"),),
    folders=("CUB_200_2011", "CUB_200_2011/CUB_200_2011"),
    annotations=("images.txt", "image_class_labels.txt", "bounding_boxes.txt"),
    verified={"train images": 5864, "train classes": 100, "test images": 5924, "test classes": 100},
    unlike=("hierarchy.txt",),  # NABirds
)
CUB_BOXES = dataclasses.replace(CUB, title="CUB-200-2011 cut to boxes", read=read_cub_boxes, by_itself=False)

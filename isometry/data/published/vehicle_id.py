"""PKU VehicleID (Liu et al., CVPR 2016, "Deep relative distance learning: tell the difference between similar vehicles").

Test lists of 800, 1,600, 2,400, 3,200, 6,000 and 13,164 vehicles: each makes a data set of its own. There are no cameras.
Two protocols are in use, and their numbers do not compare:

- metric learning lets every test picture search all others: the data as it is read;
- re-identification draws one picture of each vehicle as the gallery and lets the others search it, ten times:
  `one_shot(data.part("test"), seed)` is one draw.

The counts of the published lists are not the paper's: vehicles with forged plates were found after it, and the lists
corrected.
"""

import dataclasses
from functools import partial
from pathlib import Path

import torch

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import labelled, need, rows


def read_vehicle_id(root: Path, *, vehicles: int = 800) -> Data:
    """`train_test_split/train_list.txt` and one test list: a picture of `image` without its ending, a vehicle."""
    train = rows(need(root, "train_test_split/train_list.txt"), 2)
    test = rows(need(root, f"train_test_split/test_list_{vehicles}.txt"), 2)
    return labelled(
        root,
        [f"image/{image.removesuffix('.jpg')}.jpg" for image, _ in (*train, *test)],
        [vehicle for _, vehicle in (*train, *test)],
        split=("train",) * len(train) + ("test",) * len(test),
    )


def one_shot(data: Data, seed: int = 0) -> Data:
    """One picture of each class, drawn at random, is the gallery; all others are queries.

    The draw depends on the seed, the classes and the order of the pictures, and on nothing else.

    >>> from isometry.data import read
    >>> import numpy as np
    >>> drawn = one_shot(read((np.zeros((6, 8, 8), np.uint8), [1, 1, 2, 2, 2, 1])), seed=1)
    >>> drawn.labels[drawn.is_gallery].sort().values, int(drawn.is_query.sum())
    (tensor([0, 1]), 4)
    """
    turn = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    turn = turn[data.labels[turn] >= 0]
    turn = turn[data.labels[turn].argsort(stable=True)]
    first = torch.ones(len(turn), dtype=torch.bool)
    first[1:] = data.labels[turn[1:]] != data.labels[turn[:-1]]
    gallery = torch.zeros(len(data), dtype=torch.bool)
    gallery[turn[first]] = True
    return dataclasses.replace(data, is_query=~gallery & (data.labels >= 0), is_gallery=gallery)


VEHICLE_ID = Benchmark(
    title="PKU VehicleID (800 test vehicles)",
    read=read_vehicle_id,
    home="VehicleID_V1.0.zip, by request at https://pkuml.org/resources/pku-vehicleid.html",
    marks=(("image", "train_test_split/train_list.txt", "train_test_split/test_list_800.txt"),),
    folders=("VehicleID_V1.0",),
    annotations=tuple(f"train_test_split/{name}.txt" for name in ("train_list", "test_list_800")),
    verified={"train images": 113346, "train classes": 13164, "test images": 6493, "test classes": 800},
    advice="The paper's own counts are other ones: its lists were corrected later",
)


def of(vehicles: int, images: int) -> Benchmark:
    """The same with another test list."""
    lists = ("train_list", f"test_list_{vehicles}")
    return dataclasses.replace(
        VEHICLE_ID,
        title=f"PKU VehicleID ({vehicles:,} test vehicles)",
        read=partial(read_vehicle_id, vehicles=vehicles),
        marks=(("image", *(f"train_test_split/{name}.txt" for name in lists)),),
        annotations=tuple(f"train_test_split/{name}.txt" for name in lists),
        verified={**VEHICLE_ID.verified, "test images": images, "test classes": vehicles},
        by_itself=False,
    )


VEHICLE_ID_1600, VEHICLE_ID_2400 = of(1600, 13377), of(2400, 19777)

"""PKU VehicleID (Liu et al., CVPR 2016, "Deep relative distance learning: tell the difference between similar vehicles").

Test lists of 800, 1,600, 2,400, 3,200, 6,000 and 13,164 vehicles: each makes a data set of its own. There are no cameras.
Two protocols are in use, and their numbers do not compare:

- metric learning lets every test picture search all others: the data as it is read;
- re-identification draws one picture of each vehicle as the gallery and lets the others search it, ten times: the
  protocol `single_shot`, on the same data.

The counts of the published lists are not the paper's: vehicles with forged plates were found after it, and the lists
corrected.
"""

import dataclasses
from functools import partial
from pathlib import Path

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

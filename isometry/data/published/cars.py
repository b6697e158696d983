"""Cars196 (Krause, Stark, Deng and Fei-Fei, "3D object representations for fine-grained categorization", 2013).

Metric learning pools all 16,185 pictures and splits them by class (Song et al., CVPR 2016): classes 1–98 train, 99–196
test. The archives' own train and test parts share every class, for classification. (Published results on the 8,041 test
pictures of 196 classes compare with none on the 8,131 of 98.)
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import cut, labelled, lines, need, table, whole
from isometry.data.published.matlab import load_matlab, records

COLUMNS = ("fname", "x1", "y1", "x2", "y2", "class")
"""Of the tables, which have no header."""


class Car(NamedTuple):
    """A picture, its class from 1, and its box: left, top, right and bottom pixel, from 1, all of them inside."""

    path: str
    number: int
    box: tuple[int, int, int, int]


def read_cars(root: Path) -> Data:
    """Any of the three layouts: `cars_annos.mat` with `car_ims`; `devkit` with `cars_train` and `cars_test`;
    `anno_train.csv`, `anno_test.csv`, `names.csv` with `car_data`.
    """
    cars, names = listed(root)
    if wrong := [car for car in cars if not 1 <= car.number <= 196]:
        raise ValueError(f"{root} says that {wrong[0].path} is of class {wrong[0].number}: classes are 1 … 196.")
    return labelled(
        root,
        [car.path for car in cars],
        [names.get(car.number, str(car.number)) for car in cars],
        split=["train" if car.number <= 98 else "test" for car in cars],
    )


def read_cars_boxes(root: Path) -> Data:
    """The same, each picture cut to its car."""
    boxes = [car.box for car in listed(root)[0]]
    return cut(read_cars(root), [(left - 1, top - 1, right, bottom) for left, top, right, bottom in boxes])


def listed(root: Path) -> tuple[list[Car], dict[int, str]]:
    """All pictures, and the names of the classes as far as they are known."""
    if (root / "cars_annos.mat").exists():
        return one_archive(root)
    if (root / "anno_train.csv").exists():
        return tables(root)
    return two_archives(root)


def one_archive(root: Path) -> tuple[list[Car], dict[int, str]]:
    """`cars_annos.mat`: every picture of `car_ims`."""
    path = root / "cars_annos.mat"
    found = load_matlab(path)
    return annotated(found, path, "relative_im_path", ""), numbered(found)


def two_archives(root: Path) -> tuple[list[Car], dict[int, str]]:
    """`devkit`: pictures numbered anew in `cars_train` and in `cars_test`. The labels of the test come apart from it."""
    train = need(root, "devkit/cars_train_annos.mat", "cars_train_annos.mat")
    test = need(root, "devkit/cars_test_annos_withlabels.mat", "cars_test_annos_withlabels.mat")
    meta = [path for path in (root / "devkit/cars_meta.mat", root / "cars_meta.mat") if path.exists()]
    cars = [
        *annotated(load_matlab(train), train, "fname", "cars_train/"),
        *annotated(load_matlab(test), test, "fname", "cars_test/"),
    ]
    return cars, numbered(load_matlab(meta[0])) if meta else {}


def annotated(found: dict, path: Path, name: str, folder: str) -> list[Car]:
    """The records `annotations`; a copy of the devkit without `class` is the one without the test's labels."""
    rows = records(found, "annotations", path)
    wanted = (name, "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class")
    if lacking := [field for field in wanted if field not in (rows.dtype.names or ())]:
        raise ValueError(f"{path} has annotations without {lacking[0]!r}: the file with labels is wanted.")
    cells = [[str(row[field]) for field in wanted] for row in rows]
    return [Car(folder + file.strip(), *numbers_of(numbers, path)) for file, *numbers in cells]


def numbers_of(cells: Sequence[str], path: Path) -> tuple[int, tuple[int, int, int, int]]:
    """The class and the box, from the four sides of the box and the class."""
    left, top, right, bottom, number = (whole(cell, path) for cell in cells)
    return number, (left, top, right, bottom)


def numbered(found: dict) -> dict[int, str]:
    """`class_names`, from 1."""
    return dict(enumerate((str(name).strip() for name in np.atleast_1d(found.get("class_names", []))), 1))


def tables(root: Path) -> tuple[list[Car], dict[int, str]]:
    """Tables without headers: fname, left, top, right, bottom, class; a folder a class, `/` in its name written `-`."""
    names = dict(enumerate((line.strip('"') for line in lines(need(root, "names.csv"))), 1))
    pictures = need(root, "car_data/car_data", "car_data").relative_to(root).as_posix()
    cars = []
    for part in ("train", "test"):
        path = need(root, f"anno_{part}.csv")
        for file, *numbers in zip(*table(path, names=COLUMNS).values(), strict=True):
            car = Car(file, *numbers_of(numbers, path))
            if car.number not in names:
                raise ValueError(f"{path} says that {file} is of class {car.number}, and names.csv has {len(names)}.")
            cars.append(car._replace(path=f"{pictures}/{part}/{names[car.number].replace('/', '-')}/{file}"))
    return cars, names


CARS = Benchmark(
    title="Cars196",
    read=read_cars,
    home="car_ims.tgz and cars_annos.mat at https://ai.stanford.edu/~jkrause/cars/car_dataset.html, and in copies of it",
    marks=(
        ("cars_annos.mat", "car_ims"),
        ("devkit", "cars_train", "cars_test"),
        ("cars_train_annos.mat", "cars_train", "cars_test"),
        ("anno_train.csv", "anno_test.csv", "names.csv", "car_data"),
    ),
    folders=("stanford_cars", "cars196", "cars"),
    annotations=(
        "cars_annos.mat", "devkit/cars_train_annos.mat", "devkit/cars_test_annos_withlabels.mat",
        "cars_test_annos_withlabels.mat", "anno_train.csv", "anno_test.csv", "names.csv",
    ),
    verified={"train images": 8054, "train classes": 98, "test images": 8131, "test classes": 98},
)  # fmt: skip
CARS_BOXES = dataclasses.replace(CARS, title="Cars196 cut to boxes", read=read_cars_boxes, by_itself=False)

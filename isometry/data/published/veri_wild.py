"""VERI-Wild (Lou et al., CVPR 2019, "VERI-Wild: a large dataset and a new method for vehicle re-identification").

A list names pictures as `vehicle/picture`, with or without `.jpg`, and may go on with the vehicle's number (which starts
from 0 again in the training list: the folder is the vehicle) and the camera; the camera is read from `vehicle_info.txt`.
Three tests, of 3,000, 5,000 and 10,000 vehicles, each with its queries.
"""

from functools import partial
from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import lines, need, seen
from isometry.data.published.shots import Shot, by_camera

LISTS = "train_test_split"


def read_veri_wild(root: Path, *, vehicles: int = 3000) -> Data:
    """`train_list.txt` (or `train_list_start0.txt`), `test_3000.txt` and `test_3000_query.txt` (or `test_3000_id…`)."""
    camera = cameras(need(root, f"{LISTS}/vehicle_info.txt"))
    files = (
        ("train_list.txt", "train_list_start0.txt"),
        (f"test_{vehicles}_query.txt", f"test_{vehicles}_id_query.txt"),
        (f"test_{vehicles}.txt", f"test_{vehicles}_id.txt"),
    )
    train, query, gallery = (shots(need(root, *(f"{LISTS}/{name}" for name in names)), camera) for names in files)
    return by_camera(root, train=train, query=query, gallery=gallery)


def cameras(path: Path) -> dict[str, str]:
    """The camera of each picture, `vehicle/picture;camera;…` below a line of titles."""
    found = {}
    for number, line in enumerate(lines(path)[1:], start=2):
        cells = [cell.strip() for cell in line.split(";")]
        if len(cells) < 2 or "/" not in cells[0]:
            raise ValueError(f"{path}, row {number}, is not 'vehicle/picture;camera;…': {line[:80]!r}.")
        found[cells[0].removesuffix(".jpg")] = cells[1]
    return found


def shots(path: Path, camera: dict[str, str]) -> list[Shot]:
    """The pictures of a list."""
    found = []
    for number, line in enumerate(lines(path), start=1):
        picture = line.split()[0].removesuffix(".jpg")
        vehicle, _, name = picture.partition("/")
        if not name or not vehicle.isdigit():
            raise ValueError(f"{path}, row {number}, is not 'vehicle/picture': {line[:80]!r}.")
        if not seen(name):
            continue
        if picture not in camera:
            raise ValueError(f"{path.parent / 'vehicle_info.txt'} lacks {picture}, which {path.name} lists.")
        found.append(Shot(f"images/{picture}.jpg", str(int(vehicle)), camera[picture]))
    return found


def of(vehicles: int, test: int) -> Benchmark:
    """The test of so many vehicles; queries and gallery together are `test` pictures, one query for each vehicle."""
    return Benchmark(
        title=f"VERI-Wild ({vehicles:,} test vehicles)",
        read=partial(read_veri_wild, vehicles=vehicles),
        home="VERI-Wild, by request at https://github.com/PKU-IMRE/VERI-Wild",
        marks=tuple(
            ("images", f"{LISTS}/vehicle_info.txt", f"{LISTS}/test_{vehicles}{ending}.txt") for ending in ("", "_id")
        ),
        folders=("VERI-Wild", "VeRI-Wild"),
        annotations=tuple(
            f"{LISTS}/{name}.txt"
            for name in ("vehicle_info", "train_list", "train_list_start0", f"test_{vehicles}", f"test_{vehicles}_id")
        ),
        verified={
            "train images": 277797, "train classes": 30671, "test images": test, "test classes": vehicles,
        },
        recalled={"query images": vehicles, "gallery images": test - vehicles},
        by_itself=vehicles == 3000,
    )  # fmt: skip


VERI_WILD, VERI_WILD_5000, VERI_WILD_10000 = of(3000, 41861), of(5000, 69389), of(10000, 138517)

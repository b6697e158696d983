"""MSMT17 (Wei et al., CVPR 2018, "Person transfer GAN to bridge domain gap for person re-identification").

The lists give a picture and its person; the camera is the third word of the picture's name. Persons of the test lists
are numbered from 0 again, so they are told from those of training by adding the number of training persons (classes
0–1040 train, 1041–4100 test). `list_val.txt` holds other pictures of the training persons: validation on it says
nothing about unseen people, and published results train without it. Version 2 is the same pictures with blurred faces.
"""

import os
from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import need, rows
from isometry.data.published.shots import Shot, by_camera


def read_msmt17(root: Path) -> Data:
    """`list_{train,val,query,gallery}.txt`: a picture below `train` or `test` (`mask_…_v2` in version 2), a person."""
    train, test = need(root, "train", "mask_train_v2").name, need(root, "test", "mask_test_v2").name
    listed = {
        part: shots(root, f"list_{part}.txt", test if part in ("query", "gallery") else train)
        for part in ("train", "val", "query", "gallery")
    }
    first = 1 + max((int(shot.label) for part in ("train", "val") for shot in listed[part]), default=-1)
    query, gallery = (
        [shot._replace(label=str(int(shot.label) + first)) for shot in listed[part]] for part in ("query", "gallery")
    )
    return by_camera(root, train=listed["train"], validation=listed["val"], query=query, gallery=gallery)


def shots(root: Path, file: str, folder: str) -> list[Shot]:
    """The pictures of a list."""
    found = []
    for path, person in rows(need(root, file), 2):
        words = os.path.basename(path).split("_")
        if len(words) < 3 or not words[2].isdigit() or not person.isdigit():
            raise ValueError(
                f"{root / file}: {path} {person} is not a picture called like 0000_000_01_0303morning_0008_0.jpg and "
                "the number of a person."
            )
        found.append(Shot(f"{folder}/{path}", str(int(person)), str(int(words[2]))))
    return found


MSMT17 = Benchmark(
    title="MSMT17",
    read=read_msmt17,
    home="MSMT17_V1.tar.gz or MSMT17_V2.tar.gz at http://www.pkuvmc.com/publications/msmt17.html",
    marks=(
        ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt", "train", "test"),
        ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt", "mask_train_v2", "mask_test_v2"),
    ),
    folders=("MSMT17_V1", "MSMT17_V2"),
    annotations=("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt"),
    verified={
        "train images": 30248, "train classes": 1041, "validation images": 2373, "validation classes": 1041,
        "test images": 11659 + 82161, "test classes": 3060,
        "query images": 11659 + 2373, "gallery images": 82161 + 2373,  # pictures of validation are both
    },
)  # fmt: skip

"""Small trees of the image-retrieval data sets, with what is wrong in the published ones."""

import io
import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.data.published.trees import junk, put, text

CARS = ((1, "AM General Hummer SUV 2000"), (98, "Dodge Ram C/V"), (99, "Dodge Viper"), (196, "smart fortwo 2012"))


def matlab(root: Path, path: str, **variables: object) -> Path:
    """A MATLAB file."""
    file = io.BytesIO()
    savemat(file, variables)
    return put(root, path, file.getvalue())


def annotations(rows: Sequence[tuple], *names: str) -> np.ndarray:
    """An array of records as MATLAB has it."""
    made = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for i, row in enumerate(rows):
        made[0, i] = row
    return made


def class_names() -> np.ndarray:
    """The names of all 196 cars."""
    known = dict(CARS)
    return np.array([[known.get(i, f"Car {i}") for i in range(1, 197)]], dtype=object)


SIDES = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


def cars_one_archive(root: Path) -> Path:
    """Layout (a): two pictures a class."""
    items = [(f"car_ims/{i:06d}.jpg", 1 + i % 2, 1, 5, 6, c, i % 2) for i, (c, _) in enumerate(CARS * 2, 1)]
    for path, *_ in items:
        put(root, path)
    found = annotations(items, "relative_im_path", *SIDES, "class", "test")
    matlab(root, "cars_annos.mat", annotations=found, class_names=class_names())
    junk(root, "car_ims")
    return root


def cars_two_archives(root: Path, labels: str = "devkit/cars_test_annos_withlabels.mat") -> Path:
    """Layout (b): file names start anew in the test."""
    for part, path in (("train", "devkit/cars_train_annos.mat"), ("test", labels)):
        items = [(2, 1, 8, 6, c, f"{i:05d}.jpg") for i, (c, _) in enumerate(CARS, 1)]
        for *_, name in items:
            put(root, f"cars_{part}/{name}")
        matlab(root, path, annotations=annotations(items, *SIDES, "class", "fname"))
    matlab(root, "devkit/cars_meta.mat", class_names=class_names())
    return root


def cars_tables(root: Path, **style: bool | str) -> Path:
    """Layout (c): no headers; a class of a name with a slash lies in a folder with a dash."""
    text(root, "names.csv", [str(name) for name in class_names()[0]], **style)
    for part in ("train", "test"):
        lines = []
        for i, (c, name) in enumerate(CARS, 1):
            put(root, f"car_data/car_data/{part}/{name.replace('/', '-')}/{i:05d}.jpg")
            lines.append(f"{i:05d}.jpg,1,2,7,5,{c}")
        text(root, f"anno_{part}.csv", lines, **style)
    return root


def sop(root: Path, **style: bool | str) -> Path:
    """Two classes of two pictures in each part; upper-case endings, as published."""
    for part, first in (("train", 1), ("test", 11319)):
        lines = ["image_id class_id super_class_id path"]
        for c, (kind, number) in enumerate((("bicycle", 1), ("chair", 4)), first):
            for i in range(2):
                path = f"{kind}_final/11{c}_{i}.JPG"
                put(root, path)
                lines.append(f"{len(lines)} {c} {number} {path}")
        text(root, f"Ebay_{part}.txt", lines, **style)
    junk(root, "bicycle_final")
    return root


def in_shop(root: Path, folder: str = "img", lists: tuple[str, str] = ("Eval/", "Anno/"), **style: bool | str) -> Path:
    """Two training items, one of them with a single picture, and two items to be found."""
    items = [("WOMEN/Dresses", 2, "train", 2), ("MEN/Denim", 3, "train", 1)]
    items += [
        (kind, n, status, 1) for kind, n in (("WOMEN/Dresses", 7), ("MEN/Tees", 8)) for status in ("query", "gallery")
    ]
    rows, boxes = [], []
    for kind, number, status, count in items:
        for i in range(count):
            name = f"{kind}/id_{number:08d}/{i + 1:02d}_{status}_front.jpg"
            put(root, f"{folder}/{name}")
            rows.append(f"img/{name:60} id_{number:08d}      {status} ")
            boxes.append(f"img/{name:60} 1  2  001 000 007 006")
    text(
        root,
        f"{lists[0]}list_eval_partition.txt",
        [str(len(rows)), "image_name item_id evaluation_status", *rows],
        **style,
    )
    head = [str(len(rows)), "image_name clothes_type pose_type x_1 y_1 x_2 y_2"]
    text(root, f"{lists[1]}list_bbox_inshop.txt", [*head, *reversed(boxes)], **style)
    return root


def inat2018(root: Path, **style: bool | str) -> Path:
    """Two species in each part."""
    species = {"train": (("Aves", 10), ("Plantae", 9)), "test": (("Aves", 100), ("Plantae", 8))}
    for part, found in species.items():
        paths = [f"train_val2018/{kind}/{c}/{part[0]}{i}{c}.jpg" for kind, c in found for i in range(2)]
        for path in paths:
            put(root, path)
        text(root, f"Inat_dataset_splits/Inaturalist_{part}_set1.txt", paths, **style)
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus")
    known = [{"id": c, "name": f"s{c}", **{r: f"{r}{c % 3}" for r in ranks}} for c in (8, 9, 10, 100)]
    text(root, "train2018.json", [json.dumps({"images": [], "categories": known})])
    return root


def gldv2(root: Path, **style: bool | str) -> Path:
    """Three landmarks to train on, two in the index whose numbers are those of others, three queries and one ignored."""
    train = {"aaa1": 5, "aab2": 5, "bcd3": 7, "bcd4": 7, "dirt5": 7}
    index = {"cde1": 5, "cde2": 5, "def3": 6}
    for part, names in (("train", train), ("index", index), ("test", ("fff1", "fff2", "fff3", "fff4"))):
        for name in names:
            put(root, f"{part}/{name[0]}/{name[1]}/{name[2]}/{name}.jpg")
    text(
        root,
        "train.csv",
        ["id,url,landmark_id", *(f"{i},http://x/a,b?c,{n}".replace("a,b", "ab") for i, n in train.items())],
    )
    text(root, "train_clean.csv", ["landmark_id,images", "5,aaa1 aab2", "7,bcd3 bcd4"], **style)
    text(root, "index.csv", ["id", *index], **style)
    text(
        root,
        "index_image_to_landmark.csv",
        ["id,landmark_id", *(f"{i},{n}" for i, n in reversed(index.items()))],
        **style,
    )
    solution = ["fff1,cde2 cde1,Public", "fff2,def3,Private", "fff3,None,Private", "fff4,cde1 def3,Public"]
    text(root, "retrieval_solution_v2.1.csv", ["id,images,Usage", *solution], **style)
    return root


def revisited(root: Path, name: str = "roxford5k", protocol: int = 2) -> Path:
    """Five gallery pictures and two queries."""
    gallery, queries = [f"all_souls_{i:06d}" for i in range(5)], ["christ_church_1", "radcliffe_2"]
    for file in (*gallery, *queries):
        put(root, f"jpg/{file}.jpg")
    lists = [
        {"bbx": [1.0, 1.4, 6.6, 5.0], "easy": np.array([3, 0]), "hard": [1], "junk": np.array([4])},
        {"bbx": np.array([0.0, 0.0, 8.0, 6.0]), "easy": [], "hard": np.array([2]), "junk": []},
    ]
    put(root, f"gnd_{name}.pkl", pickle.dumps({"imlist": gallery, "qimlist": queries, "gnd": lists}, protocol))
    return root


def dyml(root: Path, glued: bool = True) -> Path:
    """Animals: the header runs into the first row, as published; a query that lies in the gallery too."""
    train = [("0.jpg", 0, 0, 0), ("1.jpg", 0, 0, 0), ("2.jpg", 0, 1, 1), ("3.jpg", 1, 2, 2)]
    for file, *_ in train:
        put(root, f"train/imgs/{file}")
    table(root, "train/label.csv", ("fname", "coarse_id", "middle_id", "fine_id"), train, glued)
    for n, level in enumerate(("fine", "middle", "coarse")):
        for role, rows in (
            ("query", [("0.jpg", n), ("1.jpg", 7)]),
            ("gallery", [("0.jpg", n), ("1.jpg", 7), ("2.jpg", n)]),
        ):
            for file, _ in rows:
                put(root, f"bmk_{level}/{role}/{file}", f"{level}{file}{role if file == '1.jpg' else ''}".encode())
            table(root, f"bmk_{level}/{role}.csv", ("fname", "labels"), rows, glued)
    return root


def dyml_product(root: Path) -> Path:
    """Products: one test set with all levels."""
    names = ("fname", "coarse_id", "middle_id", "fine_id")
    for folder in ("train", "mini-bmk_all_in_one"):
        rows = [(f"{i}.jpg", i // 4, i // 2, i) for i in range(8)]
        for file, *_ in rows:
            put(root, f"{folder}/imgs/{file}")
        table(root, f"{folder}/label.csv", names, rows, True)
    return root


def table(root: Path, path: str, names: Sequence[str], rows: Sequence[tuple], glued: bool) -> None:
    """Cells are divided by a comma and a blank; `glued` leaves out the end of the header's line."""
    lines = [", ".join(map(str, row)) for row in rows]
    head = ", ".join(names)
    text(root, path, [head + lines[0], *lines[1:]] if glued else [head, *lines], end="\r\n")


def omniglot(root: Path) -> Path:
    """Two alphabets in each part."""
    for part, alphabets in (("background", ("Greek", "Japanese_(hiragana)")), ("evaluation", ("Angelic", "Tengwar"))):
        for alphabet in alphabets:
            for character in (1, 2):
                for i in (1, 2):
                    put(root, f"images_{part}/{alphabet}/character{character:02d}/0{character}_{i:02d}.PNG")
        junk(root, f"images_{part}/{alphabets[0]}")
    for part, lines in (
        ("train", ("Greek/character01", "Angelic/character02")), ("val", ("Greek/character02",)),
        ("test", ("Tengwar/character01", "Tengwar/character02")),
    ):  # fmt: skip
        text(root, f"splits/vinyals/{part}.txt", [f"{line}/rot{r:03d}" for line in lines for r in (0, 90, 180, 270)])
    return root


def mini_imagenet(root: Path, folder: str = "", **style: bool | str) -> Path:
    """Two classes in each part."""
    for part, classes in (("train", "ab"), ("val", "cd"), ("test", "ef")):
        rows = [f"n0{c}{i}.jpg,n0{c}" for c in classes for i in range(2)]
        for row in rows:
            put(root, f"images/{row.split(',')[0]}")
        text(root, f"{folder}{part}.csv", ["filename,label", *rows], **style)
    return root

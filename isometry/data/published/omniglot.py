"""Omniglot (Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program induction",
Science 2015): characters of 50 alphabets, each drawn by 20 people.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from isometry.data.data import Data
from isometry.data.folder import ENDINGS, walk
from isometry.data.labels import class_ids, label_paths
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import Missing, labelled, lines, need

PART = {"images_background": "train", "images_evaluation": "test"}
VINYALS = {"train": "train", "val": "validation", "test": "test"}


def read_omniglot(root: Path) -> Data:
    """`images_background` trains (30 alphabets), `images_evaluation` tests (20); below them alphabet/character/drawing.

    The label path is alphabet and character; the alphabet is the category that results are given for.
    """
    drawings = drawings_in(root)
    return characters(root, {path: PART[path.split("/")[0]] for path in drawings})


def read_omniglot_vinyals(root: Path) -> Data:
    """The characters divided as in "Matching networks" (Vinyals et al., NeurIPS 2016), whatever their alphabet.

    `splits/vinyals/{train,val,test}.txt`: alphabet/character/rotation a line. The rotated copies that few-shot methods add
    as classes of their own are not pictures of the data set and are left out.
    """
    part_of = {}
    for name, part in VINYALS.items():
        path = need(root, f"splits/vinyals/{name}.txt", f"data/splits/vinyals/{name}.txt")
        part_of |= {"/".join(line.split("/")[:2]): part for line in lines(path)}
    drawings = {path: part_of.get("/".join(path.split("/")[1:3]), "") for path in drawings_in(root)}
    return characters(root, {path: part for path, part in drawings.items() if part})


def drawings_in(root: Path) -> list[str]:
    """All drawings."""
    found = []
    for folder in PART:
        need(root, folder)
        below = [f"{folder}/{path}" for path in walk(root / folder)]
        found += [p for p in below if os.path.splitext(p)[1].lower() in ENDINGS and p.count("/") == 3]
    if not found:
        raise Missing(f"images_background/alphabet/character/….png is missing; looked in {root}.")
    return found


def characters(root: Path, part_of: Mapping[str, str]) -> Data:
    """Drawings by alphabet and character."""
    alphabets, names = zip(*(path.split("/")[1:3] for path in part_of), strict=True) if part_of else ((), ())
    groups = class_ids(alphabets)
    data = labelled(root, list(part_of), alphabets, split=list(part_of.values()))
    tree = label_paths([alphabets, names], ("alphabet", "character"))
    return dataclasses.replace(data, **tree._asdict(), category=groups.labels, categories=groups.classes)


OMNIGLOT = Benchmark(
    title="Omniglot",
    read=read_omniglot,
    home="images_background.zip and images_evaluation.zip at https://github.com/brendenlake/omniglot/tree/master/python",
    marks=(("images_background", "images_evaluation"),),
    folders=("omniglot", "omniglot-py", "omniglot/python", "python"),
    recalled={
        "train images": 19280, "train classes": 964, "test images": 13180, "test classes": 659, "categories": 50,
    },
)  # fmt: skip
OMNIGLOT_VINYALS = dataclasses.replace(
    OMNIGLOT,
    title="Omniglot, characters as in Matching networks",
    read=read_omniglot_vinyals,
    home=f"{OMNIGLOT.home}; the lists at https://github.com/jakesnell/prototypical-networks",
    recalled={"train classes": 1028, "validation classes": 172, "test classes": 423, "images": 32460},
    by_itself=False,
)

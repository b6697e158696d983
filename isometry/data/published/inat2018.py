"""iNaturalist 2018 (Van Horn et al., "The iNaturalist species classification and detection dataset", CVPR 2018), with the
classes divided as in Smooth-AP (Brown, Xie, Kalogeiton and Zisserman, ECCV 2020).
"""

import dataclasses
import json
from pathlib import Path

from isometry.data.data import Data
from isometry.data.labels import class_ids, label_paths
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import labelled, lines, need, seen

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def read_inat2018(root: Path) -> Data:
    """`[Inat_dataset_splits/]Inaturalist_{train,test}_set1.txt`: a path a line, `train_val2018/Aves/4321/….jpg`.

    The label path is super-category and species; the super-category is the category that results are given for.
    """
    items = []
    for part in ("train", "test"):
        name = f"Inaturalist_{part}_set1.txt"
        path = need(root, f"Inat_dataset_splits/{name}", name)
        found = [line.lstrip("/") for line in lines(path) if seen(line)]
        if wrong := [line for line in found if line.count("/") < 2]:
            raise ValueError(f"{path} lists {wrong[0]!r}: a path has a super-category and a class folder.")
        items += [(part, line, *line.split("/")[-3:-1]) for line in found]
    kinds = [kind for *_, kind, _ in items]
    groups = class_ids(kinds)
    data = labelled(root, [path for _, path, *_ in items], kinds, split=[part for part, *_ in items])
    tree = label_paths([kinds, [species for *_, species in items]], ("super_category", "species"))
    return dataclasses.replace(data, **tree._asdict(), category=groups.labels, categories=groups.classes)


def read_inat2018_taxonomy(root: Path) -> Data:
    """The same with the whole taxonomy as label path, from the categories in `train2018.json` (or `categories.json`)."""
    data = read_inat2018(root)
    path = need(root, "categories.json", "train2018.json", "val2018.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        categories = found["categories"] if isinstance(found, dict) else found
        known = {str(entry["id"]): [str(entry[rank]) for rank in RANKS[:-1]] for entry in categories}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no taxonomy ({type(error).__name__}: {error}).") from None
    species = [name.split("/")[1] for name in (data.classes[y] for y in data.labels.tolist())]
    if lacking := sorted({number for number in species if number not in known}):
        raise ValueError(f"{path} lacks {len(lacking):,} classes; the first is {lacking[0]}.")
    columns = [*zip(*(known[number] for number in species), strict=True), species]
    return dataclasses.replace(data, **label_paths(columns, RANKS)._asdict())


INAT2018 = Benchmark(
    title="iNaturalist 2018, classes as in Smooth-AP",
    read=read_inat2018,
    home="train_val2018.tar.gz at https://github.com/visipedia/inat_comp/tree/master/2018, and the lists of the split at "
    "https://github.com/Andrew-Brown1/Smooth_AP",
    marks=(
        ("Inat_dataset_splits/Inaturalist_train_set1.txt", "Inat_dataset_splits/Inaturalist_test_set1.txt"),
        ("Inaturalist_train_set1.txt", "Inaturalist_test_set1.txt"),
    ),
    folders=("Inaturalist", "inaturalist", "iNaturalist18"),
    annotations=(
        "Inat_dataset_splits/Inaturalist_train_set1.txt", "Inat_dataset_splits/Inaturalist_test_set1.txt",
        "Inaturalist_train_set1.txt", "Inaturalist_test_set1.txt",
    ),
    recalled={"train images": 325846, "train classes": 5690, "test images": 136093, "test classes": 2452},
)  # fmt: skip
INAT2018_TAXONOMY = dataclasses.replace(
    INAT2018, title=f"{INAT2018.title}, whole taxonomy", read=read_inat2018_taxonomy, by_itself=False
)

"""Stanford Online Products (Song, Xiang, Jegelka and Savarese, "Deep metric learning via lifted structured feature
embedding", CVPR 2016).

Every test picture searches all other test pictures. (Searching the training pictures as well, as one text-embedding
benchmark does with 22,634 queries, is another protocol.)
"""

import dataclasses
from pathlib import Path

from isometry.data.data import Data
from isometry.data.labels import class_ids, label_paths
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import labelled, need, rows


def read_sop(root: Path) -> Data:
    """`Ebay_train.txt` and `Ebay_test.txt` (image_id class_id super_class_id path); 12 super-classes.

    The super-class is the root of the label path, and the category that results are given for.
    """
    parts = {part: rows(need(root, f"Ebay_{part}.txt"), 4, skip=1) for part in ("train", "test")}
    items = [(part, number, path) for part, listed in parts.items() for _, number, _, path in listed]
    kinds = [path.split("/")[0].removesuffix("_final") for _, _, path in items]
    groups = class_ids(kinds)
    data = labelled(root, [path for *_, path in items], kinds, split=[part for part, *_ in items])
    path = label_paths([kinds, [number for _, number, _ in items]], ("super_class", "class"))
    return dataclasses.replace(data, **path._asdict(), category=groups.labels, categories=groups.classes)


SOP = Benchmark(
    title="Stanford Online Products",
    read=read_sop,
    home="Stanford_Online_Products.zip at https://cvgl.stanford.edu/projects/lifted_struct",
    marks=(("Ebay_train.txt", "Ebay_test.txt"),),
    folders=("Stanford_Online_Products",),
    annotations=("Ebay_train.txt", "Ebay_test.txt"),
    verified={
        "train images": 59551, "train classes": 11318, "test images": 60502, "test classes": 11316, "categories": 12,
    },
)  # fmt: skip

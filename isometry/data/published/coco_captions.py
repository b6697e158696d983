"""MS-COCO captions (Lin et al., "Microsoft COCO: common objects in context", ECCV 2014; Chen et al., arXiv:1504.00325):
photographs, each with five sentences or so that people wrote about it, in `Data.captions`.

There are no classes: how alike two pictures ought to be is a matter of their captions. The division of Karpathy and
Fei-Fei (CVPR 2015) is the one of cross-modal retrieval: 5,000 pictures of the 2014 validation part validate, 5,000 test,
and all others train.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.json_file import entries, load_json
from isometry.data.published.layout import Missing, labelled, need

KARPATHY = ("dataset_coco.json", "annotations/dataset_coco.json", "karpathy/dataset_coco.json")
PART = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


def read_coco_captions(root: Path, *, year: str = "2017") -> Data:
    """`annotations/captions_train2017.json` and `…val2017.json`, of which the second tests; pictures in `train2017` and
    `val2017`, at the root or in `images`.
    """
    paths, split, captions = [], [], []
    for name, part in (("train", "train"), ("val", "test")):
        path = need(root, f"annotations/captions_{name}{year}.json", f"captions_{name}{year}.json")
        folder = need(root, f"{name}{year}", f"images/{name}{year}").relative_to(root)
        found = load_json(path)
        if not isinstance(found, dict):
            raise ValueError(f"{path} holds no images and annotations.")
        said: dict[int, list[str]] = {}
        try:
            for entry in entries(found.get("images"), path, "images"):
                said[int(entry["id"])] = []
                paths.append(f"{folder.as_posix()}/{entry['file_name']}")
            for entry in entries(found.get("annotations"), path, "annotations"):
                said[int(entry["image_id"])].append(str(entry["caption"]).strip())
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path} has an entry without {error}, or a caption of a picture that it does not list."
            ) from None
        captions += map(tuple, said.values())
        split += [part] * len(said)
    return captioned(root, paths, split, captions)


def read_coco_karpathy(root: Path) -> Data:
    """`dataset_coco.json`; pictures in the folders of 2014 (`val2014/COCO_val2014_000000391895.jpg`) or, where these are
    not there, of 2017 (`train2017/000000391895.jpg`).
    """
    path = need(root, *KARPATHY)
    found = load_json(path)
    below = next(
        (folder for folder in ("", "images/") if any((root / f"{folder}train{y}").is_dir() for y in (2014, 2017))), None
    )
    if below is None:
        raise Missing(
            f"train2014 and val2014 (or train2017 and val2017) are missing; looked in {root} and {root / 'images'}."
        )
    later = not (root / f"{below}train2014").is_dir()
    validates = {file.name for file in (root / f"{below}val2017").glob("*.jpg")} if later else set()
    paths, split, captions = [], [], []
    for number, entry in enumerate(
        entries(found.get("images") if isinstance(found, dict) else None, path, "images"), 1
    ):
        try:
            split.append(PART[str(entry["split"])])
            captions.append(tuple(str(sentence["raw"]).strip() for sentence in entry["sentences"]))
            if later:
                name = f"{int(entry['cocoid']):012d}.jpg"
                paths.append(f"{below}{'val2017' if name in validates else 'train2017'}/{name}")
            else:
                paths.append(f"{below}{entry['filepath']}/{entry['filename']}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, image {number}, is not properly described: {error}.") from None
    return captioned(root, paths, split, captions)


def captioned(root: Path, paths: Sequence[str], split: Sequence[str], captions: Sequence[tuple[str, ...]]) -> Data:
    """Pictures that have captions, and no labels."""
    mute = sum(not said for said in captions)
    data: Any = labelled(root, paths, [""] * len(paths), split=split)
    notes = (f"{mute:,} pictures have no caption",) * bool(mute)
    return dataclasses.replace(data, captions=tuple(captions), notes=notes)


COCO_CAPTIONS = Benchmark(
    title="MS-COCO captions 2017",
    read=read_coco_captions,
    home="train2017.zip, val2017.zip and annotations_trainval2017.zip at https://cocodataset.org",
    marks=(("annotations/captions_train2017.json", "annotations/captions_val2017.json"),),
    folders=("coco", "COCO", "coco2017", "mscoco"),
    annotations=("annotations/captions_train2017.json", "annotations/captions_val2017.json"),
    recalled={"train images": 118287, "test images": 5000},
    by_itself=False,  # the same folder holds boxes and Karpathy's division
)
COCO_CAPTIONS_2014 = dataclasses.replace(
    COCO_CAPTIONS,
    title="MS-COCO captions 2014",
    read=partial(read_coco_captions, year="2014"),
    home="train2014.zip, val2014.zip and annotations_trainval2014.zip at https://cocodataset.org",
    marks=(("annotations/captions_train2014.json", "annotations/captions_val2014.json"),),
    annotations=("annotations/captions_train2014.json", "annotations/captions_val2014.json"),
    recalled={"train images": 82783, "test images": 40504},
)
COCO_KARPATHY = dataclasses.replace(
    COCO_CAPTIONS,
    title="MS-COCO captions, Karpathy's division",
    read=read_coco_karpathy,
    home="caption_datasets.zip at https://cs.stanford.edu/people/karpathy/deepimagesent, and the pictures at "
    "https://cocodataset.org",
    marks=tuple((path,) for path in KARPATHY),
    annotations=KARPATHY,
    recalled={"train images": 113287, "validation images": 5000, "test images": 5000},
)

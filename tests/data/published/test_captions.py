"""Pictures with captions: the releases of COCO, and Karpathy's division."""

import pytest
import torch

from isometry.data import read
from isometry.data.published.coco_captions import read_coco_captions, read_coco_karpathy
from tests.data.published import trees
from tests.data.published.trees import dumped


def coco(root, year="2017", below=""):
    captions = {"train": [(9, "a"), (25, "b"), (9, " c\n")], "val": [(139, "d"), (139, "é")]}
    for part, said in captions.items():
        start = f"COCO_{part}2014_" if year == "2014" else ""
        ids = [9, 25, 30] if part == "train" else [139]
        listed = [{"id": i, "file_name": f"{start}{i:012d}.jpg"} for i in ids]
        for image in listed:
            trees.put(root, f"{below}{part}{year}/{image['file_name']}")
        notes = [{"image_id": i, "id": n, "caption": c} for n, (i, c) in enumerate(said)]
        dumped(root, f"annotations/captions_{part}{year}.json", {"images": listed, "annotations": notes})
    return root


@pytest.mark.parametrize(("year", "below"), [("2017", ""), ("2014", "images/")])
def test_captions(tmp_path, year, below):
    name = "coco_captions" if year == "2017" else "coco_captions_2014"
    coco(tmp_path / "coco", year, below)
    with pytest.warns(UserWarning, match=r"MS-COCO captions .* not verified"):
        data = read(f"{name}:{tmp_path}")
    assert data.captions == (("a", "c"), ("b",), (), ("d", "é"))
    assert data.split == ("train",) * 3 + ("test",)
    assert data.paths[3].startswith(f"{below}val{year}/")
    assert data.images[3].shape == (3, 6, 8)
    assert data.notes[0] == "1 pictures have no caption"
    assert data.select(torch.tensor([3, 1])).captions == (("d", "é"), ("b",))


def karpathy(root):
    images = [
        {"filepath": f"{part}2014", "filename": f"COCO_{part}2014_{i:012d}.jpg", "cocoid": i, "split": split,
         "sentences": [{"raw": f"{i} {k}", "tokens": []} for k in range(2)]}
        for i, part, split in [(9, "train", "train"), (139, "val", "restval"), (7, "val", "val"), (8, "val", "test")]
    ]  # fmt: skip
    dumped(root, "dataset_coco.json", {"images": images, "dataset": "coco"})
    return root


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_karpathys_division(tmp_path, year):
    karpathy(tmp_path)
    for i, part in [(9, "train"), (139, "val" if year == "2014" else "train"), (7, "val"), (8, "val")]:
        name = f"COCO_{part}2014_{i:012d}.jpg" if year == "2014" else f"{i:012d}.jpg"
        trees.put(tmp_path, f"{part}{year}/{name}")
    data = read(f"subset:coco_karpathy:{tmp_path}")
    assert len(data) == 4
    assert data.split == ("train", "train", "validation", "test")
    assert data.captions[2] == ("7 0", "7 1")
    assert data.paths[1].startswith("val2014/COCO" if year == "2014" else "train2017/0")


def test_captions_that_cannot_be_read(tmp_path):
    coco(tmp_path)
    for value, words in (
        ([], "holds no images and annotations"),
        ({"images": []}, "is no list of images"),
        ({"images": [{"id": 1}]}, "an entry without 'file_name'"),
        (
            {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 2, "caption": "a"}]},
            "an entry without 2",
        ),
    ):
        dumped(tmp_path, "annotations/captions_val2017.json", value)
        with pytest.raises(ValueError, match=words):
            read_coco_captions(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"dataset_coco\.json or .* is missing"):
        read_coco_karpathy(tmp_path)
    for value, words in (
        ([], "no list of images"),
        ({"images": [{"split": "other"}]}, "image 1, is not properly described: 'other'"),
    ):
        dumped(tmp_path, "dataset_coco.json", value)
        with pytest.raises(ValueError, match=words):
            read_coco_karpathy(tmp_path)
    karpathy(tmp_path / "alone")
    with pytest.raises(FileNotFoundError, match="train2014 and val2014"):
        read(f"coco_karpathy:{tmp_path}/alone")

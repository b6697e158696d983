"""People by camera: Market-1501, MSMT17 and CUHK03 in the published layouts, with what is wrong in them."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from isometry.data import read, split
from isometry.data.published.market import read_market
from isometry.data.published.msmt17 import read_msmt17
from isometry.protocols.retrieval import evaluate
from tests.data.published import trees
from tests.data.published.rule import found


@pytest.fixture
def market(tmp_path):
    """Three people who train, one query; junk, distractors, and what Windows and a Mac leave behind."""
    root = tmp_path / "Market-1501-v15.09.15"
    for person in (2, 7, 11):
        for camera in (1, 6):
            trees.put(root, f"bounding_box_train/{person:04d}_c{camera}s1_000451_03.jpg")
    trees.put(root, "query/0001_c1s1_001051_00.jpg")
    for name in ("0001_c1s1_009999_02", "0001_c2s1_000301_00", "0003_c1s6_015971_01", "0000_c3s2_000001_01",
                 "0000_c1s2_000002_01", "-1_c1s1_000401_03", "-1_c6s3_094992_04"):  # fmt: skip
        trees.put(root, f"bounding_box_test/{name}.jpg")
    for folder in ("query", "bounding_box_test", "bounding_box_train"):
        trees.put(root, f"{folder}/Thumbs.db", b"\0")
        trees.junk(root, folder)
    trees.put(root, "gt_query/0001_c1s1_001051_00_good.mat", b"\0")
    return root


def test_market(market):
    data = read_market(market)
    assert data.classes == ("1", "2", "3", "7", "11")
    assert data.split.count("train") == 6
    assert int(data.is_query.sum()), int(data.is_gallery.sum()) == (1, 5)
    assert data.sequence[data.is_query].tolist() == data.sequence[:1].tolist()  # camera 1, as the first picture
    assert data.notes == (
        "2 junk pictures (person −1) were left out of the gallery",
        "2 pictures of person 0 (distractors) have no label",
    )
    assert found(data)["0001_c1s1_001051_00.jpg"] == (
        {"0001_c2s1_000301_00.jpg"},
        {"0003_c1s6_015971_01.jpg", "0000_c3s2_000001_01.jpg", "0000_c1s2_000002_01.jpg"},
        {"0001_c1s1_009999_02.jpg"},
    )


def test_distractors_can_be_found_and_never_match(market):
    for i in range(3):
        trees.put(market, f"images/0000_c1s1_00000{i}_00.jpg")
    data = read(f"subset:market1501_500k:{market.parent}")
    assert data.name == "a subset of Market-1501 with 500,000 distractors (15 images)"
    right, wrong, _ = found(data)["0001_c1s1_001051_00.jpg"]
    assert len(right) == 1
    assert len(wrong) == 6
    assert (data.labels[data.is_gallery] == -1).sum() == 5
    assert not (data.labels[data.is_query] == -1).any()


def test_the_rule_gives_the_published_numbers(tmp_path):
    """mAP and rank 1 as the published evaluation finds them: a loop that takes out class and camera of the query."""
    rng = np.random.default_rng(0)
    for person in range(12):
        trees.put(tmp_path, f"bounding_box_train/{person + 100:04d}_c1s1_000000_00.jpg")
        trees.put(tmp_path, f"query/{person:04d}_c{person % 3 + 1}s1_000000_00.jpg")
        for i, camera in enumerate(rng.integers(1, 4, 5)):
            trees.put(tmp_path, f"bounding_box_test/{person:04d}_c{camera}s1_00000{i}_00.jpg")
            trees.put(tmp_path, f"bounding_box_test/-1_c{camera}s{person}_00000{i}_00.jpg")
    data = read_market(tmp_path).part("test")
    z = torch.from_numpy(rng.normal(size=(len(data), 4)))
    unit = (z / z.norm(dim=1, keepdim=True)).numpy()
    names = [Path(path).name.split("_")[:2] for path in data.paths]
    person, camera = np.array([int(name[0]) for name in names]), np.array([int(name[1][1]) for name in names])
    gallery = np.flatnonzero(data.is_gallery.numpy())
    precision, first = [], []
    for q in np.flatnonzero(data.is_query.numpy()):
        if person[q] == 0:
            continue  # a distractor: the published queries have none
        kept = gallery[~((person[gallery] == person[q]) & (camera[gallery] == camera[q]))]
        right = person[kept[np.argsort(-(unit[kept] @ unit[q]))]] == person[q]
        if right.any():
            precision.append(np.mean(np.arange(1, right.sum() + 1) / (1 + np.flatnonzero(right))))
            first.append(float(right[0]))
    q, g = data.is_query, data.is_gallery
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of queries that no other camera has seen
        results = evaluate(
            z[q], data.labels[q], "MAP(), Recall(k=1)", samples=0, ids=data.ids[q], sequence=data.sequence[q],
            against=(z[g], data.labels[g], data.ids[g], data.sequence[g]),
        )  # fmt: skip
    assert float(results["MAP()"]) == pytest.approx(np.mean(precision), abs=1e-6)
    assert float(results["Recall(k=1)"]) == pytest.approx(np.mean(first), abs=1e-6)


def test_a_split_keeps_queries_and_gallery(market):
    for person in (20, 21, 22):
        trees.put(market, f"bounding_box_train/{person:04d}_c1s1_000451_03.jpg")
        trees.put(market, f"bounding_box_train/{person:04d}_c2s1_000451_03.jpg")
    parts = split(read_market(market))
    assert int(parts.test.is_query.sum()) == 1
    assert parts.test.sequence is not None
    assert parts.validation.is_query is None
    assert not set(parts.validation.present().tolist()) & set(parts.train.present().tolist())


def test_market_is_recognised_and_its_counts_are_asked_for(market):
    with pytest.raises(ValueError, match=r"expected 12,936 train images .* found 6 .*'reid:path'"):
        read(market.parent)
    assert len(read(f"reid:{market}")) == 12
    assert len(read(f"subset:market1501:{market}")) == 12


def test_cuhk03_in_the_folders_of_market(tmp_path):
    for folder, name in (
        ("bounding_box_train", "0001_c1_1"),
        ("query", "0002_c1_2"),
        ("bounding_box_test", "0002_c2_6"),
    ):
        trees.put(tmp_path, f"cuhk03-np/detected/{folder}/{name}.png")
    data = read(f"subset:cuhk03_np_detected:{tmp_path}")
    assert found(data) == {"0002_c1_2.png": ({"0002_c2_6.png"}, set(), set())}
    with pytest.raises(ValueError, match="expected 7,365 train images"):
        read(f"cuhk03_np_detected:{tmp_path}")


def test_a_picture_of_another_name_is_told(market):
    trees.put(market, "query/holiday.jpg")
    with pytest.raises(ValueError, match=r"query/holiday\.jpg is not called like 0002_c1s1"):
        read_market(market)


@pytest.fixture(params=["MSMT17_V1", "MSMT17_V2"])
def msmt17(request, tmp_path):
    root = tmp_path / request.param
    train, test = ("train", "test") if request.param.endswith("1") else ("mask_train_v2", "mask_test_v2")
    lists = {
        "train": ["0000/0000_000_01_0303morning_0006_2.jpg 0", "0001/0001_000_02_0303morning_0006_2_ex.jpg 1"],
        "val": ["0000/0000_001_04_0303morning_0020_2.jpg 0", "0001/0001_001_05_0303morning_0020_2.jpg 1"],
        "query": ["0000/0000_000_01_0303morning_0015_0.jpg 0"],
        "gallery": ["0000/0000_001_01_0303morning_0019_2.jpg 0", "0000/0000_002_15_0303morning_0019_2.jpg 0",
                    "0001/0001_000_01_0303morning_0019_2.jpg 1"],
    }  # fmt: skip
    for part, rows in lists.items():
        trees.text(root, f"list_{part}.txt", rows, end="\r\n")
        for row in rows:
            trees.put(root, f"{test if part in ('query', 'gallery') else train}/{row.split()[0]}")
    return root


def test_msmt17_tells_test_people_from_training_people(msmt17):
    data = read(f"subset:msmt17:{msmt17.parent}")
    assert data.classes == ("0", "1", "2", "3")
    assert data.split == ("train",) * 2 + ("validation",) * 2 + ("test",) * 4
    assert data.labels.tolist() == [0, 1, 0, 1, 2, 2, 2, 3]
    assert found(data.part("test")) == {
        "0000_000_01_0303morning_0015_0.jpg": (
            {"0000_002_15_0303morning_0019_2.jpg"},
            {"0001_000_01_0303morning_0019_2.jpg"},
            {"0000_001_01_0303morning_0019_2.jpg"},
        )
    }
    assert not set(data.part("train").present().tolist()) & set(data.part("test").present().tolist())
    assert data.images[4].shape == (3, 6, 8)


def test_msmt17_says_which_row_is_wrong(msmt17):
    trees.text(msmt17, "list_val.txt", ["0000/portrait.jpg 0"])
    with pytest.raises(ValueError, match=r"list_val\.txt: 0000/portrait\.jpg 0 is not a picture called like"):
        read_msmt17(msmt17)

"""People and vehicles by camera, in the published layouts, with what is wrong in them."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from isometry.data import read, split
from isometry.data.published.cuhk03 import read_classic, read_cuhk03
from isometry.data.published.market import read_market
from isometry.data.published.msmt17 import read_msmt17
from isometry.data.published.vehicle_id import read_vehicle_id
from isometry.data.published.veri776 import read_veri776
from isometry.data.published.veri_wild import read_veri_wild
from isometry.protocols.retrieval import evaluate
from tests.data.published import trees


def found(data):
    """For each query what it can find by the rule of class and sequence: (right, wrong), and what is left out."""
    label, camera = data.labels.tolist(), data.sequence.tolist()
    name = [Path(path).name for path in data.paths]
    searched = {}
    for q in data.is_query.nonzero()[:, 0].tolist():
        right, wrong, junk = set(), set(), set()
        for g in data.is_gallery.nonzero()[:, 0].tolist():
            same = label[q] == label[g] and label[q] >= 0
            if g != q:
                (wrong if not same else junk if camera[q] == camera[g] else right).add(name[g])
        searched[name[q]] = right, wrong, junk
    return searched


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


@pytest.fixture
def veri(tmp_path):
    """Its queries lie in the gallery too."""
    root = tmp_path / "VeRi"
    names = {
        "train": ["0001_c001_00016450_0.jpg", "0003_c002_00016450_0.jpg"],
        "query": ["0002_c002_00030600_0.jpg", "0005_c003_00030600_0.jpg"],
        "test": ["0002_c002_00030600_0.jpg", "0002_c002_00030605_1.jpg", "0002_c019_00030605_1.jpg",
                 "0005_c003_00030600_0.jpg", "0005_c002_00030600_0.jpg"],
    }  # fmt: skip
    for part, listed in names.items():
        trees.text(root, f"name_{part}.txt", [*listed, "._" + listed[0]], end="\r\n")
        trees.junk(root, f"image_{part}")
        for name in listed:
            trees.put(root, f"image_{part}/{name}")
    trees.text(root, "gt_index.txt", ["3", "5 "])
    trees.text(root, "jk_index.txt", ["1 2", "4"])
    return root


def test_veri_finds_no_query_by_itself(veri):
    data = read_veri776(veri)
    right, wrong, junk = found(data)["0002_c002_00030600_0.jpg"]
    assert right == {"0002_c019_00030605_1.jpg"}
    assert wrong == {"0005_c003_00030600_0.jpg", "0005_c002_00030600_0.jpg"}
    assert junk == {"0002_c002_00030600_0.jpg", "0002_c002_00030605_1.jpg"}
    assert data.notes == ()


def test_veri_without_lists_is_the_same(veri):
    listed = read_veri776(veri)
    for part in ("train", "query", "test"):
        (veri / f"name_{part}.txt").unlink()
    assert found(read_veri776(veri)) == found(listed)


@pytest.mark.parametrize(("file", "other"), [("gt_index.txt", "gt_image.txt"), ("jk_index.txt", "jk_image.txt")])
def test_veri_compares_the_authors_lists_with_the_rule(veri, file, other):
    (veri / file).rename(veri / other)
    trees.text(veri, other, ["3 1", (veri / other).read_text().splitlines()[1]])
    assert read_veri776(veri).notes == (f"{other} differs from the rule of class and camera for 1 of 2 queries",)


@pytest.fixture
def vehicle_id(tmp_path):
    root = tmp_path / "VehicleID_V1.0"
    train = [(i, i // 2) for i in range(6)]
    test = {800: [(i, 100 + i // 3) for i in range(10, 22)], 1600: [(i, 100 + i // 3) for i in range(10, 30)]}
    for image, _ in (*train, *test[1600]):
        trees.put(root, f"image/{image:07d}.jpg")
    trees.text(root, "train_test_split/train_list.txt", [f"{i:07d}  {v}" for i, v in train], end="\r\n")
    for size, rows in test.items():
        trees.text(root, f"train_test_split/test_list_{size}.txt", [f"{i:07d} {v} " for i, v in rows])
    return root


def test_vehicle_id_is_leave_one_out(vehicle_id):
    data = read(f"subset:vehicleid:{vehicle_id.parent}")
    assert len(data.part("train")) == 6
    assert len(data.part("test")) == 12
    assert data.is_query is data.is_gallery is data.sequence is None
    assert len(read_vehicle_id(vehicle_id, vehicles=1600).part("test")) == 20
    assert split(data, validation=0.3).test.paths == data.part("test").paths
    with pytest.raises(ValueError, match=r"expected 113,346 train images .*\. The paper's own counts are other ones"):
        read(vehicle_id)
    with pytest.raises(FileNotFoundError, match=r"test_list_2400\.txt is missing"):
        read(f"vehicleid_2400:{vehicle_id}")


INFO = ["id/image;Camera ID;Time;Model;Type;Color", "00001/000001;105;2018-03-11 08:36:19;Audi;SUV;White",
        "00001/000002;7 ;2018-03-11 08:36:19;Audi;SUV;White", "00002/000003;105;;;;", "30672/000004;9;t;m;t;c",
        "30672/000005;9;t;m;t;c", "30672/000006;8;t;m;t;c", "30673/000007;9;t;m;t;c"]  # fmt: skip


@pytest.fixture(params=["plain", "id"])
def veri_wild(request, tmp_path):
    """The lists in both published forms: bare, or with the vehicle (from 0 again in training) and the camera."""
    root = tmp_path / "VERI-Wild"
    train, query, gallery = ["00001/000001", "00001/000002", "00002/000003"], ["30672/000004"], [
        "30672/000005", "30672/000006", "30673/000007"]  # fmt: skip
    split = "train_test_split"
    if request.param == "plain":
        trees.text(root, f"{split}/train_list.txt", train)
        trees.text(root, f"{split}/test_3000_query.txt", query)
        trees.text(root, f"{split}/test_3000.txt", gallery, end="\r\n")
    else:
        trees.text(root, f"{split}/train_list_start0.txt", [f"{p}.jpg {i // 2} 105" for i, p in enumerate(train)])
        trees.text(root, f"{split}/test_3000_id_query.txt", [f"{p}.jpg {p[:5]} 9" for p in query], end="\r\n")
        trees.text(root, f"{split}/test_3000_id.txt", [f"{p}.jpg {p[:5]} 9" for p in gallery])
    trees.text(root, f"{split}/vehicle_info.txt", INFO)
    for picture in (*train, *query, *gallery):
        trees.put(root, f"images/{picture}.jpg")
    return root


def test_veri_wild(veri_wild):
    data = read(f"subset:veriwild:{veri_wild.parent}")
    assert data.classes == ("1", "2", "30672", "30673")
    assert data.labels.tolist() == [0, 0, 1, 2, 2, 2, 3]
    assert found(data) == {"000004.jpg": ({"000006.jpg"}, {"000007.jpg"}, {"000005.jpg"})}
    with pytest.raises(ValueError, match=r"expected 277,797 train images .* 41,861 test images"):
        read(veri_wild)


def test_veri_wild_needs_the_camera_of_every_picture(veri_wild):
    trees.text(veri_wild, "train_test_split/vehicle_info.txt", INFO[:-1])
    with pytest.raises(ValueError, match=r"vehicle_info\.txt lacks 30673/000007, which test_3000"):
        read_veri_wild(veri_wild)
    trees.text(veri_wild, "train_test_split/vehicle_info.txt", ["header", "1 105"])
    with pytest.raises(ValueError, match=r"vehicle_info\.txt, row 2, is not 'vehicle/picture;camera"):
        read_veri_wild(veri_wild)


def new_protocol(root, names, *, train, query, gallery, boxes="detected"):
    """The authors' file: columns of cells, positions from 1, small integers."""
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    savemat(
        root / f"cuhk03_new_protocol_config_{boxes}.mat",
        {
            "filelist": cells,
            "labels": np.array([[int(n[:1] + n[2:5])] for n in names], dtype=np.uint16),
            "camId": np.array([[int(n[6])] for n in names], dtype=np.uint8),
            "train_idx": np.array([train], dtype=np.uint16).T,
            "query_idx": np.array([query], dtype=np.uint16).T,
            "gallery_idx": np.array([gallery], dtype=np.uint16).T,
        },
    )


NAMES = ["1_001_1_01.png", "1_001_2_06.png", "2_001_1_01.png", "2_001_1_02.png", "2_001_2_07.png", "5_049_2_10.png"]


@pytest.mark.parametrize("folder", ["images_labeled", "cuhk03_labeled"])
def test_cuhk03(tmp_path, folder):
    new_protocol(tmp_path, NAMES, train=[1, 2], query=[3], gallery=[4, 5, 6], boxes="labeled")
    for name in NAMES:
        trees.put(tmp_path, f"{folder}/{name}")
    data = read(f"subset:cuhk03_labeled:{tmp_path}")
    assert data.classes == ("1001", "2001", "5049")
    assert found(data) == {"2_001_1_01.png": ({"2_001_2_07.png"}, {"5_049_2_10.png"}, {"2_001_1_02.png"})}
    with pytest.raises(ValueError, match="expected 7,368 train images"):
        read(f"cuhk03_labeled:{tmp_path}")
    with pytest.raises(FileNotFoundError, match=r"cuhk03_new_protocol_config_detected\.mat is missing"):
        read(f"cuhk03_detected:{tmp_path}")


def test_cuhk03_says_what_a_damaged_configuration_lacks(tmp_path):
    trees.put(tmp_path, "images_detected/1_001_1_01.png")
    savemat(tmp_path / "cuhk03_new_protocol_config_detected.mat", {"labels": [1]})
    with pytest.raises(ValueError, match=r"config_detected\.mat lacks filelist, camId, train_idx"):
        read_cuhk03(tmp_path)
    trees.put(tmp_path, "cuhk03_new_protocol_config_detected.mat", b"not a file of Matlab" * 20)
    with pytest.raises(ValueError, match=r"config_detected\.mat is no MATLAB file") as error:
        read_cuhk03(tmp_path)
    assert "\n" not in str(error.value)


def release(path):
    """`cuhk-03.mat` in small: five pairs of cameras, two people each, ten cells a person; stored in Matlab's order."""
    import h5py

    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        refs = file.create_group("#refs#")
        pairs, tests = [], []
        for pair in range(1, 6):
            cells = np.empty((10, 2), dtype=h5py.ref_dtype)
            for person in (1, 2):
                for i in range(1, 11):
                    name = f"{pair}_{person}_{i}"
                    empty = i in (4, 5, 9)  # Matlab stores an empty cell as its size
                    cell = np.zeros(2, np.uint64) if empty else picture(pair, person, i).transpose(0, 2, 1)
                    cells[i - 1, person - 1] = refs.create_dataset(name, data=cell).ref
            pairs.append(refs.create_dataset(f"pair{pair}", data=cells, dtype=h5py.ref_dtype).ref)
        for i in range(20):
            chosen = np.array([[1, 1], [5, 2]] if i else [[2, 1], [3, 2]], dtype=np.float64)
            tests.append(refs.create_dataset(f"test{i}", data=chosen.T).ref)
        for boxes in ("detected", "labeled"):
            file.create_dataset(boxes, data=np.array([pairs], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
        file.create_dataset("testsets", data=np.array([tests], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)


def picture(pair, person, i):
    """`[c h w]`, another for each cell."""
    return np.random.default_rng([pair, person, i]).integers(0, 256, (3, 7, 4), dtype=np.uint8)


def test_cuhk03_inside_the_release(tmp_path):
    pytest.importorskip("h5py")
    release(tmp_path / "cuhk03_release/cuhk-03.mat")
    names = ["1_001_1_01.png", "3_002_1_02.png", "3_002_2_10.png"]
    new_protocol(tmp_path, names, train=[1], query=[2], gallery=[3])
    data = read_cuhk03(tmp_path)
    assert found(data) == {"3_002_1_02.png": ({"3_002_2_10.png"}, set(), set())}
    np.testing.assert_array_equal(data.images[2].numpy(), picture(3, 2, 10))
    np.testing.assert_array_equal(data.part("train").images[0].numpy(), picture(1, 1, 1))
    assert data.fingerprint() != read_cuhk03(tmp_path).select(torch.tensor([0, 1])).fingerprint()


def test_cuhk03_classic_splits(tmp_path):
    pytest.importorskip("h5py")
    release(tmp_path / "cuhk03_release/cuhk-03.mat")
    data = read_classic(tmp_path, split=1)
    assert len(data) == 5 * 2 * 7  # empty cells are left out
    test = data.part("test")
    assert test.classes[test.labels[0]] == "1_001"
    assert {test.classes[y] for y in test.present().tolist()} == {"1_001", "5_002"}
    right, wrong, junk = found(test)["1_001_1_02.png"]
    assert right == {f"1_001_2_{i:02d}.png" for i in (6, 7, 8, 10)}
    assert junk == {"1_001_1_01.png", "1_001_1_03.png"}
    assert len(wrong) == 7
    np.testing.assert_array_equal(test.images[1].numpy(), picture(1, 1, 2))
    with pytest.raises(ValueError, match="20 classic splits, from 0; got 20"):
        read_classic(tmp_path, split=20)


@pytest.mark.skipif(importlib.util.find_spec("h5py") is not None, reason="h5py is installed")
def test_the_release_asks_for_the_package_that_reads_it(tmp_path):
    new_protocol(tmp_path, NAMES, train=[1], query=[3], gallery=[4])
    trees.put(tmp_path, "cuhk-03.mat", b"\0")
    with pytest.raises(
        ValueError, match=r"cuhk-03\.mat is an HDF5 file, which the package h5py reads: pip install h5py"
    ):
        read_cuhk03(tmp_path)
    with pytest.raises(ValueError, match="h5py"):
        read_classic(tmp_path)

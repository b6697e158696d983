"""Vehicles by camera: VeRi-776, PKU VehicleID and VERI-Wild in the published layouts, with what is wrong in them."""

import pytest
import torch

from isometry.data import read, split
from isometry.data.published.vehicle_id import read_vehicle_id
from isometry.data.published.veri776 import read_veri776
from isometry.data.published.veri_wild import read_veri_wild
from isometry.protocols.single_shot import single_shot
from tests.data.published import trees
from tests.data.published.rule import found


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


@pytest.mark.filterwarnings("ignore:1 of 12 queries")  # a vehicle of one picture
def test_vehicle_id_is_also_scored_by_one_picture_of_each_vehicle(vehicle_id):
    test = read_vehicle_id(vehicle_id).part("test")
    z = torch.eye(len(test.classes))[test.labels]
    found = single_shot(z, test.labels, "CMC(k=1)", samples=0)["CMC(k=1)"]
    assert float(found) == 1
    collapsed = single_shot(torch.ones_like(z), test.labels, "CMC(k=1)", samples=0)["CMC(k=1)"]
    assert float(collapsed) == pytest.approx(1 / len(test.present()), abs=1e-6)


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

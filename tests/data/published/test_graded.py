"""Data whose labels are not classes: poses."""

import pickle

import numpy as np
import pytest
import torch
from scipy.io import savemat

from isometry.data import Unreadable, read, split
from isometry.data.published.fullbody import pose_distances, read_fullbody, write_distances
from isometry.data.published.mpii import read_mpii
from isometry.evaluation import Embeddings, measure
from isometry.label_check import check
from isometry.protocols.continuous import METRICS, continuous, curves
from isometry.relations import GivenDistances, Joints
from tests.data.published import trees
from tests.data.published.trees import dumped

JOINTS = np.arange(32.0).reshape(16, 2) + 1


def person(picture, joints=JOINTS, centre=(20.0, 24.0), scale=0.1):
    return {"image": picture, "center": list(centre), "scale": scale, "joints": joints.tolist(), "joints_vis": [1] * 16}


def lacking(joint, value=-1.0):
    joints = JOINTS.copy()
    joints[joint] = value
    return joints


def poses(root):
    for i in range(3):
        trees.put(root, f"images/00{i}.jpg", trees.jpeg(64, 48))
    train = [person("000.jpg"), person("000.jpg", lacking(3)), person("001.jpg", JOINTS + 2, (22.0, 26.0))]
    dumped(root, "annot/train.json", train)
    dumped(
        root,
        "annot/valid.json",
        [person("002.jpg", 2 * JOINTS - 1, (39.0, 47.0), 0.2), person("002.jpg", lacking(0, 0.0))],
    )
    return root


def test_poses_do_not_change_with_place_or_size(tmp_path):
    data = read(poses(tmp_path / "mpii"))
    assert data.split == ("train", "train", "test")
    assert data.targets.shape == (3, 32)
    assert torch.equal(data.targets[0], data.targets[1])
    # the square of 25 pixels around (20, 25.5), counted from 1, begins at (7.5, 13)
    assert data.targets[0, :4].tolist() == pytest.approx([-6.5 / 25, -11 / 25, -4.5 / 25, -9 / 25])
    # twice as large: a pixel's centre at 2x − 1 is twice as far from 1; the middle (39, 50), the side 50, the corner (14, 25)
    assert data.targets[2].tolist() == pytest.approx(data.targets[0].tolist())
    assert data.images[0].shape == (3, 25, 26)
    assert data.images[2].shape == (3, 48 - 24, 50)  # the square reaches beyond the picture
    assert len(data.present()) == 0
    assert data.notes == ("2 people were left out: not all of their joints are annotated",)


def release(root, train=(1, 0, 1)):
    """The nesting of the published file: people without a pose, one joint, none, and heads only."""
    points = [{"x": x, "y": y, "id": i, "is_visible": np.zeros((0, 0))} for i, (x, y) in enumerate(JOINTS)]
    pose = {"point": np.array(points[::-1], dtype=object)}
    whole = {"scale": 0.1, "objpos": {"x": 20.0, "y": 24.0}, "annopoints": pose, "x1": 1, "y1": 1, "x2": 5, "y2": 5}
    single = {**whole, "annopoints": {"point": points[0]}}
    none = {
        "scale": 0.1,
        "objpos": {"x": 20.0, "y": 24.0},
        "annopoints": np.zeros((0, 0)),
        "x1": 1,
        "y1": 1,
        "x2": 5,
        "y2": 5,
    }
    head = {"x1": 1, "y1": 1, "x2": 5, "y2": 5}
    rects = [
        np.array([whole, single, none], dtype=object),
        np.array([whole], dtype=object),
        np.array([head, whole], dtype=object),
    ]
    annolist = [{"image": {"name": f"00{i}.jpg"}, "annorect": structs(rect)} for i, rect in enumerate(rects)]
    root.mkdir(parents=True, exist_ok=True)
    made = {"annolist": structs(annolist), "img_train": np.array([train]), "version": "12"}
    savemat(root / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": made})
    for i in range(3):
        trees.put(root, f"images/00{i}.jpg", trees.jpeg(64, 48))
    return root


def structs(values):
    """A struct array, as MATLAB has it: every element has the fields of all."""
    names = sorted({name for value in values for name in value})
    made = np.empty((1, len(values)), dtype=[(name, object) for name in names])
    for i, value in enumerate(values):
        for name in names:
            found = value.get(name, np.zeros((0, 0)))
            if name == "point" and isinstance(found, np.ndarray):
                found = structs(list(found))
            elif name == "annopoints" and isinstance(found, dict):
                found = structs([{"point": found["point"]}])
                point = value[name]["point"]
                found["point"][0, 0] = structs(list(point)) if isinstance(point, np.ndarray) else point
            made[name][0, i] = found
    return made


def test_the_published_file_of_poses(tmp_path):
    data = read_mpii(release(tmp_path / "matlab"))
    assert data.paths == ("images/000.jpg", "images/002.jpg")
    assert data.split is None
    assert torch.equal(data.targets[0], read_mpii(poses(tmp_path / "lists")).targets[0])
    assert data.notes == ("1 people were left out: not all of their joints are annotated",)
    assert read(tmp_path / "matlab").name == "MPII human pose"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"image": "000.jpg"}, "person 1, is not properly described: 'joints'"),
        (person("000.jpg", JOINTS[:5]), "person 1, is not properly described: cannot reshape"),
        (person("000.jpg", centre=(1.0,)), "is not properly described"),
        (person("000.jpg", scale=None), "is not properly described"),
        (person("000.jpg", lacking(3)), "of none of 1 people all 16 joints are annotated"),
        (person("000.jpg", scale=-1.0), "of none of 1 people"),
        (7, "is no list of people"),
    ],
)
def test_poses_that_are_not_described(tmp_path, entry, words):
    dumped(poses(tmp_path), "annot/train.json", [entry])
    dumped(tmp_path, "annot/valid.json", [person("002.jpg", lacking(1))])
    if "of none of 1" in words:
        words = words.replace("of 1 ", "of 2 ")
    with pytest.raises(ValueError, match=words) as error:
        read_mpii(tmp_path)
    assert "\n" not in str(error.value)


def test_releases_that_are_none(tmp_path):
    release(tmp_path, train=(1, 0))
    with pytest.raises(ValueError, match="3 pictures in annolist and 2 in img_train"):
        read_mpii(tmp_path)
    release(tmp_path, train=(0, 0, 0))
    with pytest.raises(ValueError, match="of none of 0 people"):
        read_mpii(tmp_path)
    savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"version": 1}})
    with pytest.raises(ValueError, match=r"holds no annolist and img_train in RELEASE; it holds version"):
        read_mpii(tmp_path)
    savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"annolist": 7, "img_train": 1}})
    with pytest.raises(ValueError, match="of none of 0 people"):
        read_mpii(tmp_path)


def test_a_person_outside_the_picture_is_told_when_asked_for(tmp_path):
    dumped(poses(tmp_path), "annot/train.json", [person("000.jpg", centre=(500.0, 500.0))])
    data = read_mpii(tmp_path)
    with pytest.raises(Unreadable, match="lies outside its 64×48 pixels"):
        data.images[0]


def test_poses_are_compared_joint_by_joint(tmp_path):
    joints = JOINTS.copy()
    joints[5] += (3.0, 4.0)
    trees.put(tmp_path, "images/000.jpg", trees.jpeg(64, 48))
    dumped(tmp_path, "annot/train.json", [person("000.jpg"), person("000.jpg", joints)])
    dumped(tmp_path, "annot/valid.json", [person("000.jpg", joints, scale=0.2)])
    data = read_mpii(tmp_path)
    assert check(data.part("train"), Joints())  # no fault, and a note of the numbers that never vary
    apart = Joints().distances(data.targets, data.targets)
    assert apart[0, 1].item() == pytest.approx(5 / 25, abs=1e-6)  # in sides of the square


def fullbody(root):
    for part, n in (("train", 4), ("val", 5)):
        for i in range(n):
            trees.put(root, f"{part}/{i:03d}.jpg", trees.jpeg(8 + i))
    savemat(root / "dist_pose_val.mat", {"dist_pose_val": np.arange(25.0).reshape(5, 5)})
    return root


def test_people_with_distances(tmp_path):
    data = read_fullbody(fullbody(tmp_path / "fullbody"), queries=2)
    assert data.split == ("train",) * 4 + ("test",) * 5
    assert data.is_query.nonzero()[:, 0].tolist() == [4, 5]
    assert data.is_gallery.nonzero()[:, 0].tolist() == [6, 7, 8]
    assert data.paths[4] == "val/000.jpg"
    assert pose_distances(tmp_path / "fullbody", queries=2).tolist() == [[2, 3, 4], [7, 8, 9]]
    with pytest.raises(ValueError, match=r"expected 12,366 train images.*, found 4"):
        read(tmp_path)
    savemat(tmp_path / "fullbody/dist_pose_val.mat", {"dist_pose_val": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="holds no square dist_pose_val of distances"):
        pose_distances(tmp_path / "fullbody")
    trees.put(tmp_path, "fullbody/more/1.jpg")
    with pytest.raises(FileNotFoundError, match=r"Two folders are expected, .* has 3"):
        read(f"mpii_fullbody:{tmp_path}")


TRAINING = np.array([[0, 2, 5, 9], [2, 0, 3, 7], [5, 3, 0, 4], [9, 7, 4, 0.0]])


def listed(root, apart=TRAINING):
    """The published pickles: the others of each pose, nearest first, and how far they are."""
    order = np.argsort(apart + np.diag([-1.0] * 4), 1)[:, 1:]
    trees.put(root, "list_nn.pkl", pickle.dumps({"trn": order, "val": order[:, :0]}))
    trees.put(root, "dist_nn.pkl", pickle.dumps({"trn": np.take_along_axis(apart, order, 1)}))
    return root


def test_the_distances_of_all_poses_in_one_file(tmp_path):
    listed(fullbody(tmp_path / "fullbody"))
    path = write_distances(tmp_path / "fullbody", tmp_path / "poses.npy")
    matrix = np.load(path)
    assert (matrix[:4, :4] == TRAINING).all()
    assert (matrix[4:, 4:] == np.arange(25).reshape(5, 5)).all()
    assert np.isnan(matrix[:4, 4:]).all()
    assert np.isnan(matrix[4:, :4]).all()
    assert [file.name for file in tmp_path.glob("poses*")] == ["poses.npy"]
    data = read_fullbody(tmp_path / "fullbody", queries=2)
    train, test = data.part("train"), data.part("test")
    given = GivenDistances(matrix=str(path), radius=4)
    assert check(train, given) == check(test, given) == []
    assert given(given.labels(train), given.labels(train)).pos.sum(1).tolist() == [2, 3, 3, 2]
    z = torch.tensor([[0.0], [1.0], [0.2], [0.1], [2.0]])
    found = measure(Embeddings(z, test), METRICS, relate=repr(given), similarity="euclidean", samples=0)
    assert found["LabelDistance(k=1)"].per_query.tolist() == [3, 7]
    assert found["LabelDistance(k=3)"].per_query.tolist() == [3, 8]
    rectangle = GivenDistances(matrix=pose_distances(tmp_path / "fullbody", queries=2))
    alone = continuous(z[:2], torch.arange(2), rectangle, against=(z[2:], torch.arange(3)), samples=0)
    assert curves(alone) == curves(found)


def test_training_pictures_without_classes_are_divided_one_by_one(tmp_path):
    parts = split(read_fullbody(fullbody(tmp_path), queries=2))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [3, 1, 5]
    assert parts.test.is_query.tolist() == [True, True, False, False, False]
    assert "a share of the training images" in parts.rule


def test_distances_that_cannot_be_written(tmp_path):
    root = listed(fullbody(tmp_path))
    for name, value, words in (
        ("list_nn.pkl", {"trn": np.zeros((4, 3), int)}, "hold no distances of each training pose to all others"),
        ("dist_nn.pkl", {"trn": TRAINING[:, :2]}, "hold no distances of each training pose to all others"),
        ("dist_nn.pkl", {"train": TRAINING}, r"dist_nn\.pkl holds no matrix 'trn'"),
        ("list_nn.pkl", [1, 2], r"list_nn\.pkl holds no matrix 'trn'"),
    ):
        listed(root)
        trees.put(root, name, pickle.dumps(value))
        with pytest.raises(ValueError, match=words):
            write_distances(root, tmp_path / "poses.npy")
    (root / "list_nn.pkl").unlink()
    with pytest.raises(FileNotFoundError, match=r"list_nn\.pkl is missing"):
        write_distances(root, tmp_path / "poses.npy")
    assert not list(tmp_path.glob("poses*"))

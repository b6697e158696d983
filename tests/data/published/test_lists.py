"""Readers of data sets with lists of matches or with a test for each level: GLDv2, ROxford and RParis, DyML."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from isometry.data import read
from tests.data.published import photos, trees


def test_gldv2_clean(tmp_path):
    photos.gldv2(tmp_path, end="\r\n", bom=True)
    data = read(f"subset:gldv2:{tmp_path}")
    assert data.split.count("train") == 4
    assert data.part("train").paths == tuple(
        f"train/{n[0]}/{n[1]}/{n[2]}/{n}.jpg" for n in ("aaa1", "aab2", "bcd3", "bcd4")
    )
    assert data.is_gallery.tolist() == [True] * 3 + [False] * 7
    assert data.is_query.tolist() == [False] * 3 + [True] * 3 + [False] * 4
    matches = ({"relevant": (1, 0)}, {"relevant": (2,)}, {"relevant": (0, 2)})
    assert data.judged == (*[{}] * 3, *matches, *[{}] * 4)
    assert [data.categories[c] for c in data.category[3:6].tolist()] == ["Public", "Private", "Public"]
    assert "1 queries are marked to be ignored, and were" in data.notes
    assert data.images[9].shape == (3, 6, 8)
    other = read(f"subset:gldv2_full:{tmp_path}")  # another training part, the same test
    assert other.part("test").ids.tolist() == data.part("test").ids.tolist()
    assert other.part("test").judged == data.part("test").judged
    with pytest.raises(ValueError, match=r"expected 761,757 gallery images and 1,129 query images and 1,580,470 train"):
        read(tmp_path)


def test_gldv2_numbers_of_the_index_are_not_those_of_training(tmp_path):
    data = read(f"subset:gldv2_full:{photos.gldv2(tmp_path)}")
    assert data.split.count("train") == 5
    classes = [data.classes[y] if y >= 0 else "" for y in data.labels.tolist()]
    assert classes[6:] == ["train 5", "train 5", "train 7", "train 7", "train 7"]
    assert classes[:3] == ["index 5", "index 5", "index 6"]
    assert classes[3:6] == ["index 5", "index 6", ""]  # the last query has matches of two landmarks


def test_gldv2_retrieval_needs_no_training_part(tmp_path):
    root = photos.gldv2(tmp_path)
    (root / "train_clean.csv").unlink()
    data = read(f"subset:gldv2_retrieval:{root}")
    assert set(data.split) == {"test"}
    with pytest.raises(FileNotFoundError, match=r"train_clean.csv or metadata/train_clean.csv is missing"):
        read(f"gldv2:{root}")
    trees.text(root, "index_image_to_landmark.csv", ["id,landmark"])
    with pytest.raises(ValueError, match="no column 'landmark_id'; its columns: id, landmark"):
        read(f"gldv2_retrieval:{root}")


def test_gldv2_says_that_matches_are_lost(tmp_path):
    root = photos.gldv2(tmp_path)
    trees.text(root, "retrieval_solution_v2.1.csv", ["id,images,Usage", "fff1,cde1 zzz9,Public", "fff2,def3,Ignored"])
    data = read(f"subset:gldv2_retrieval:{root}")
    assert data.judged[-1] == {"relevant": (0,)}
    assert int(data.is_query.sum()) == 1
    assert any("1 matches that the solution lists are not in the index" in note for note in data.notes)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_roxford(tmp_path, protocol):
    root = photos.revisited(tmp_path / "roxford5k", protocol=protocol)
    data = read(f"subset:roxford:{root}")
    assert data.paths[0] == "jpg/all_souls_000000.jpg"
    assert data.is_gallery.tolist() == [True] * 5 + [False] * 2
    assert data.is_query.tolist() == [False] * 5 + [True] * 2
    assert data.judged[:5] == ({},) * 5
    assert data.judged[5] == {"easy": (3, 0), "hard": (1,), "junk": (4,)}
    assert data.judged[6] == {"easy": (), "hard": (2,), "junk": ()}
    assert data.images[0].shape == (3, 6, 8)
    assert data.images[5].shape == (3, 4, 6)  # cut to its box
    assert data.labels.tolist() == [-1] * 7
    with pytest.raises(ValueError, match=r"ROxford: expected 70 query images and 4,993 gallery images, found 2 and 5"):
        read(root)


def test_what_is_judged_is_selected_and_changes_the_fingerprint(tmp_path):
    data = read(f"subset:roxford:{photos.revisited(tmp_path / 'roxford5k')}")
    assert data.select(torch.tensor([6, 0])).judged == (data.judged[6], {})
    other = dataclasses.replace(data, judged=(*data.judged[:6], {"easy": (2,), "hard": (), "junk": ()}))
    assert other.fingerprint() != data.fingerprint()
    assert dataclasses.replace(other, judged=data.judged).fingerprint() == data.fingerprint()


def test_rparis_with_distractors(tmp_path):
    photos.revisited(tmp_path / "rparis6k", "rparis6k")
    trees.put(tmp_path, "revisitop1m/jpg/0/00/a.jpg")
    trees.text(tmp_path, "revisitop1m/revisitop1m.txt", ["jpg/0/00/a.jpg"])
    data = read(f"subset:rparis_1m:{tmp_path}")
    assert data.paths[5] == "revisitop1m/jpg/0/00/a.jpg"
    assert data.is_gallery.tolist() == [True] * 6 + [False] * 2
    assert data.judged[6]["easy"] == (3, 0)
    trees.text(tmp_path, "revisitop1m/revisitop1m.txt", ["0/00/a.jpg"])
    assert read(f"subset:rparis_1m:{tmp_path}").paths[5] == "revisitop1m/jpg/0/00/a.jpg"
    (tmp_path / "revisitop1m/revisitop1m.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"RParis \+ R1M: revisitop1m/revisitop1m.txt is missing"):
        read(f"rparis_1m:{tmp_path}")


@pytest.mark.parametrize(
    "found",
    [
        [1, 2],
        {"imlist": ["a"], "qimlist": ["b"]},
        {"imlist": ["a"], "qimlist": ["b"], "gnd": [{"easy": [0], "hard": [], "junk": []}]},
        {"imlist": ["a"], "qimlist": ["b"], "gnd": [{"bbx": [0, 0, 1, 1], "easy": [1], "hard": [], "junk": []}]},
        {"imlist": ["a"], "qimlist": ["b", "c"], "gnd": [{"bbx": [0, 0, 1, 1], "easy": [0], "hard": [], "junk": []}]},
        {"imlist": ["a"], "qimlist": ["b"], "gnd": [{"bbx": [0, 0, 1], "easy": [0], "hard": [], "junk": []}]},
    ],
)
def test_another_pickle_is_no_ground_truth(tmp_path, found):
    trees.put(tmp_path, "gnd_roxford5k.pkl", pickle.dumps(found))
    (tmp_path / "jpg").mkdir()
    with pytest.raises(ValueError, match="is not the ground truth of"):
        read(f"subset:roxford:{tmp_path}")


def test_a_pickle_that_runs_something_is_refused(tmp_path):
    trees.put(tmp_path, "gnd_roxford5k.pkl", pickle.dumps({"imlist": np.save}))
    (tmp_path / "jpg").mkdir()
    with pytest.raises(ValueError, match=r"it asks for numpy\.save"):
        read(tmp_path)


@pytest.mark.parametrize("glued", [True, False])
@pytest.mark.parametrize("level", ["fine", "middle", "coarse"])
def test_dyml_tests_each_level(tmp_path, level, glued):
    root = photos.dyml(tmp_path / "dyml_animal", glued)
    with pytest.warns(UserWarning, match="expected 495 train classes, found 3"):
        data = read(f"dyml-animal-{level}:{tmp_path}")
    train, test = data.part("train"), data.part("test")
    assert train.paths == tuple(f"train/imgs/{i}.jpg" for i in range(4))
    assert [data.classes[y] for y in train.labels.tolist()] == ["0/0/0", "0/0/0", "0/1/1", "1/2/2"]
    assert data.levels == ("coarse", "middle", "fine")
    assert train.hierarchy.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 1], [1, 2, 2]]
    number = ("fine", "middle", "coarse").index(level)
    assert [data.classes[y] for y in test.labels.tolist()] == [
        f"test {level} {number}", f"test {level} 7", f"test {level} 7", f"test {level} {number}",
    ]  # fmt: skip
    assert test.is_query.tolist() == [True, True, False, False]
    assert test.is_gallery.tolist() == [True, False, True, True]  # 0.jpg is the same file, 1.jpg only the same name
    assert (test.hierarchy == -1).all()
    assert "1 queries lie in the gallery too, and have both roles" in data.notes
    other = read(f"subset:dyml_animal_fine:{root}").part("train")  # one training part for all levels
    assert other.paths == train.paths
    assert torch.equal(other.hierarchy, train.hierarchy)


def test_dyml_product_searches_itself(tmp_path):
    root = photos.dyml_product(tmp_path / "dyml_product")
    classes = {}
    for level in ("fine", "middle", "coarse"):
        data = read(f"subset:dyml_product_{level}:{root}")
        assert data.is_query is None
        assert len(data.part("train")) == len(data.part("test")) == 8
        assert not set(data.part("train").labels.tolist()) & set(data.part("test").labels.tolist())
        assert not set(data.part("train").hierarchy[:, 0].tolist()) & set(data.part("test").hierarchy[:, 0].tolist())
        classes[level] = len(data.part("test").present())
    assert classes == {"fine": 8, "middle": 4, "coarse": 2}


def test_dyml_with_wrong_files(tmp_path):
    root = photos.dyml(tmp_path)
    trees.text(root, "bmk_fine/query.csv", ["fname, kind", "0.jpg, 1"])
    with pytest.raises(ValueError, match=r"query.csv has the columns fname, kind; it needs coarse_id"):
        read(f"subset:dyml_animal_fine:{root}")
    trees.text(root, "bmk_fine/query.csv", ["fname, labels", "0.jpg, 1, 2"])
    with pytest.raises(ValueError, match=r"a row of 3 cells and 2 columns"):
        read(f"subset:dyml_animal_fine:{root}")
    (root / "bmk_middle/gallery.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"DyML-Animal, middle: bmk_middle/gallery.csv is missing"):
        read(f"subset:dyml_animal_middle:{root}")


def test_dyml_header_with_a_glued_name_and_no_row(tmp_path):
    root = photos.dyml(tmp_path)
    trees.text(root, "train/label.csv", ["fname, fine_id0.jpg, middle_id, coarse_id", "1.jpg, 2, 1, 0"])
    data = read(f"subset:dyml_animal_fine:{root}")
    assert [data.classes[y] for y in data.part("train").labels.tolist()] == ["0/1/2"]

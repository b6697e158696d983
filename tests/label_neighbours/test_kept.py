import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from isometry.data.published.nearest_lists import nearest_lists
from isometry.label_neighbours import fingerprint, kept, label_neighbours, open_neighbours
from isometry.relations import CloseTargets, Joints

Y = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 4)))


def test_they_are_read_back_as_they_were_made(tmp_path):
    made = label_neighbours(Y, CloseTargets(), 3, folder=tmp_path / "near")
    plain = label_neighbours(Y.numpy(), CloseTargets(), 3)
    read = open_neighbours(tmp_path / "near", fingerprint(Y, CloseTargets(), 3))
    for one in (made, read):
        assert isinstance(one.index, np.memmap)
        assert one.index.dtype == np.uint32
        assert one.distance.dtype == np.float32
        assert np.array_equal(one.index, plain.index)
        assert np.array_equal(one.distance, plain.distance)
        assert one.exact
    assert sorted(path.name for path in tmp_path.iterdir()) == ["near"]


def test_the_recall_of_an_index_is_kept(tmp_path):
    made = label_neighbours(Y, CloseTargets(), 3, folder=tmp_path / "near", exact=False)
    plain = label_neighbours(Y, CloseTargets(), 3, exact=False)
    assert open_neighbours(tmp_path / "near").recall == made.recall == plain.recall
    assert plain.recall.low < plain.recall.high
    assert not made.exact


def test_what_was_made_from_the_same_is_used_and_else_replaced(tmp_path):
    home = tmp_path / "near"
    label_neighbours(Y, CloseTargets(), 3, folder=home)
    np.save(home / "nn_dist.npy", np.zeros((50, 3), np.float32))  # still whole: to be told from lists made anew
    assert (label_neighbours(Y, CloseTargets(), 3, folder=home).distance == 0).all()
    for labels, metric, k in ((Y + 1, CloseTargets(), 3), (Y, Joints(), 3), (Y, CloseTargets(), 2)):
        assert (label_neighbours(labels, metric, k, folder=home).distance > 0).all()
        with pytest.raises(ValueError, match="neighbours of other labels or another metric"):
            open_neighbours(home, fingerprint(Y, CloseTargets(), 3))


def test_labels_may_be_memory_mapped(tmp_path):
    np.save(tmp_path / "y.npy", Y.numpy())
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert np.array_equal(label_neighbours(mapped, Joints(), 3).index, label_neighbours(Y, Joints(), 3).index)


def interrupted(home):
    with kept(home, 50, 3, {"fingerprint": "of others"}) as (write, _):
        write(np.arange(9), np.zeros((9, 3)), np.zeros((9, 3), np.float32))
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    home = tmp_path / "near"
    label_neighbours(Y, CloseTargets(), 3, folder=home)
    with pytest.raises(KeyboardInterrupt):
        interrupted(home)
    assert [path.name for path in tmp_path.iterdir()] == ["near"]
    assert open_neighbours(home, fingerprint(Y, CloseTargets(), 3)).exact


def test_damaged_files_and_foreign_folders(tmp_path):
    home = tmp_path / "near"
    with pytest.raises(FileNotFoundError, match=r"no about\.json"):
        open_neighbours(home)
    label_neighbours(Y, CloseTargets(), 3, folder=home)
    (home / "nn_idx.npy").write_bytes((home / "nn_idx.npy").read_bytes()[:200])
    with pytest.raises(ValueError, match="holds no whole neighbours"):
        open_neighbours(home)
    assert label_neighbours(Y, CloseTargets(), 3, folder=home).index.shape == (50, 3)
    note = json.loads((home / "about.json").read_text())
    (home / "about.json").write_text(json.dumps({**note, "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        open_neighbours(home)
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other things than neighbours"):
        label_neighbours(Y, CloseTargets(), 3, folder=tmp_path)
    assert (tmp_path / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize("place", [".", "/"])
def test_a_folder_of_its_own_is_asked_for(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="name a folder"):
        label_neighbours(Y, CloseTargets(), 3, folder=place)
    assert not list(tmp_path.iterdir())
    assert label_neighbours(Y, CloseTargets(), 3, folder="near").index.shape == (50, 3)
    assert (tmp_path / "near" / "about.json").is_file()


def test_calls_at_once_each_get_what_they_asked_for(tmp_path):
    labels = [Y[:12] * (i + 1) + torch.arange(12)[:, None] ** i for i in range(3)]
    plain = [label_neighbours(y, CloseTargets(), 3) for y in labels]

    def often(i):
        return all(
            np.array_equal(
                label_neighbours(labels[i], CloseTargets(), 3, folder=tmp_path / "near").distance, plain[i].distance
            )
            for _ in range(40)
        )

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(often, range(3))) == [True] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["near"]


def published(root, n=12, **changed):
    gaps = torch.cdist(Y[:n], Y[:n]).fill_diagonal_(torch.inf)
    distance, index = (x[:, :-1].numpy() for x in gaps.sort(1))
    parts = {
        "list_nn.pkl": {"trn": index, "val": index[:4, :3]},
        "dist_nn.pkl": {"trn": distance, "val": distance[:4, :3]},
    }
    for name, content in {**parts, **changed}.items():
        (root / name).write_bytes(pickle.dumps(content, protocol=2))


def test_published_lists_are_those_of_the_labels(tmp_path):
    published(tmp_path)
    read = nearest_lists(tmp_path, 5, folder=tmp_path / "kept")
    ours = label_neighbours(Y[:12], CloseTargets(), 5)
    assert np.array_equal(read.index, ours.index)
    np.testing.assert_allclose(read.distance, ours.distance, rtol=1e-6)
    assert np.array_equal(open_neighbours(tmp_path / "kept").index, read.index)


def test_published_lists_take_no_place_of_other_things(tmp_path):
    published(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="holds other things than neighbours"):
        nearest_lists(tmp_path, 5, folder=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    label_neighbours(Y, CloseTargets(), 3, folder=tmp_path / "ours")
    with pytest.raises(ValueError, match="found from labels"):
        nearest_lists(tmp_path, 5, folder=tmp_path / "ours")


def test_lists_that_were_not_found_from_labels_are_not_replaced(tmp_path):
    published(tmp_path)
    read = nearest_lists(str(tmp_path), 5, folder=str(tmp_path / "kept"))
    with pytest.raises(ValueError, match="not found from labels"):
        label_neighbours(Y, CloseTargets(), 3, folder=tmp_path / "kept")
    assert np.array_equal(open_neighbours(tmp_path / "kept").index, read.index)
    assert np.array_equal(nearest_lists(tmp_path, 5, folder=tmp_path / "kept").index, read.index)  # the same again


def test_published_lists_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"list_nn\.pkl"):
        nearest_lists(tmp_path)
    published(tmp_path)
    with pytest.raises(ValueError, match="no lists of 30 or more neighbours"):
        nearest_lists(tmp_path)
    with pytest.raises(ValueError, match="has no part 'test': it has trn, val"):
        nearest_lists(tmp_path, 5, part="test")
    published(tmp_path, **{"list_nn.pkl": {"trn": np.zeros((12, 11), int)}})
    with pytest.raises(ValueError, match=r"Row 0 of list_nn\.pkl is no list of other pictures"):
        nearest_lists(tmp_path, 5)
    published(tmp_path)
    index = pickle.loads((tmp_path / "list_nn.pkl").read_bytes())["trn"]
    index[4, 2] = index[4, 1]
    published(tmp_path, **{"list_nn.pkl": {"trn": index}})
    with pytest.raises(ValueError, match=r"Row 4 of list_nn\.pkl .* twice"):
        nearest_lists(tmp_path, 5)
    (tmp_path / "list_nn.pkl").write_bytes(pickle.dumps({"trn": print}))
    with pytest.raises(ValueError, match="asks for"):
        nearest_lists(tmp_path, 5)

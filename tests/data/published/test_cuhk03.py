"""CUHK03: the new split beside its pictures and inside the release, and the classic splits."""

import importlib.util

import numpy as np
import pytest
import torch
from scipy.io import savemat

from isometry.data import read
from isometry.data.published.cuhk03 import read_classic, read_cuhk03
from tests.data.published import trees
from tests.data.published.rule import found


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

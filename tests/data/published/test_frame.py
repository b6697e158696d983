"""The frame of the readers: names and paths, what is missing, counts, subsets, checksums, pickles."""

import dataclasses
import json
import os
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from isometry.data import read
from isometry.data.published import BENCHMARKS, named, read_published, recognise
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.checksums import book, checksums
from isometry.data.published.layout import Missing, column, labelled, lines, need, rows, table
from isometry.data.published.pickles import load_pickle
from tests.data.published import photos, trees


def read_toy(root: Path):
    listed = rows(need(root, "list.txt"), 2)
    paths = [path for path, _ in listed]
    return labelled(root, paths, [c for _, c in listed], split=["train" if c < "c" else "test" for _, c in listed])


TOY = Benchmark(
    title="Toy",
    read=read_toy,
    home="toy.zip at example.org",
    marks=(("list.txt", "pictures"),),
    folders=("toy",),
    annotations=("list.txt",),
    verified={"train images": 4, "train classes": 2, "test images": 4, "test classes": 2},
)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "toy", TOY)
    root = tmp_path / "toy"
    paths = [f"pictures/{c}{i}.JPG" for c in "abcd" for i in range(2)]
    for path in paths:
        trees.put(root, path)
    trees.text(root, "list.txt", [f"{path}   {Path(path).name[0]} " for path in paths], end="\r\n", bom=True)
    return root


def test_a_name_and_a_path(toy):
    for source in (f"toy:{toy}", f"TOY:{toy}", f"toy:{toy.parent}", str(toy), toy, toy.parent / "toy"):
        data = read(source)
        assert data.name == "Toy"
        assert data.classes == ("a", "b", "c", "d")
        assert data.split == ("train",) * 4 + ("test",) * 4
        assert data.fingerprint() == read_published("toy", toy).fingerprint()
        assert data.images[0].shape == (3, 6, 8)


def test_a_subset_of_what_the_folder_tells(toy):
    (toy / "pictures/a0.JPG").unlink()
    assert read(f"subset:{toy}").name == "a subset of Toy (7 images)"
    with pytest.raises(ValueError, match=r"does not say which data set it is a part of: write 'subset:cub:"):
        read(f"subset:{toy}/pictures")


def test_a_folder_on_purpose(toy):
    assert read(f"folder:{toy}").classes == ("pictures",)


def test_an_unknown_name_says_the_nearest(toy):
    with pytest.raises(ValueError, match=r"no published data set 'cbu'. Did you mean 'cub'\?") as error:
        read(f"cbu:{toy}")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"no published data set 'qqqqq'\. There are cub, .*, sop, "):
        read(f"qqqqq:{toy}")


def test_a_name_without_a_folder(toy, monkeypatch):
    monkeypatch.chdir(toy)
    with pytest.raises(
        FileNotFoundError, match=r"CUB is a published data set, read from its folder: write 'cub:FOLDER'"
    ):
        read("CUB")


@pytest.mark.parametrize("path", ["C:\\birds", "c:/birds", "https://x.org/cub", "birds", "./cub:", "s3://cub"])
def test_what_is_a_path(path):
    assert named(path) is None
    with pytest.raises(FileNotFoundError):
        read(path)


def test_what_exists_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trees.put(tmp_path, "cub:x/a/1.jpg")
    trees.put(tmp_path, "cub:x/b/1.jpg")
    assert read("cub:x").classes == ("a", "b")


def test_a_missing_folder_and_a_missing_file(toy):
    with pytest.raises(FileNotFoundError, match=r"no folder .*toi\. Did you mean 'toy'\? .*toy\.zip at example\.org"):
        read(f"toy:{toy}".replace("/toy", "/toi"))
    (toy / "list.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"Toy: list.txt is missing; looked in .*toy\. It is published as toy"):
        read(f"toy:{toy.parent}")


def test_missing_pictures(toy):
    (toy / "pictures/a0.JPG").unlink()
    with pytest.raises(FileNotFoundError, match=r"Toy: 1 of 8 pictures are missing: .*a0.JPG\..*'subset:toy:"):
        read(f"toy:{toy}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = read(f"subset:toy:{toy}")
    assert data.name == "a subset of Toy (7 images)"
    assert len(data) == 7
    assert "1 pictures that it lists are not there" in data.notes[-1]


def test_counts_that_are_sure_are_refused(toy):
    whole = read(toy)
    trees.text(toy, "list.txt", [f"pictures/{c}0.JPG {c}" for c in "abcd"])
    with pytest.raises(ValueError, match=r"expected 4 train images and 4 test images, found 2 and 2\. .*subset:toy:"):
        read(toy)
    part = read_published("toy", toy, subset=True)
    assert part.name == "a subset of Toy (4 images)"
    assert part.fingerprint() != whole.fingerprint()


def test_a_whole_subset_is_the_data_set(toy):
    assert read(f"subset:toy:{toy}").name == "Toy"
    assert read(f"subset:toy:{toy}").fingerprint() == read(toy).fingerprint()


def test_counts_from_memory_warn(toy, monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "toy", dataclasses.replace(TOY, verified={}, recalled={"images": 9}))
    with pytest.warns(UserWarning, match="expected 9 images, found 8"):
        assert "not verified" in read(toy).notes[-1]


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("cub", trees.cub), ("cars", photos.cars_one_archive), ("cars", photos.cars_two_archives),
        ("cars", photos.cars_tables), ("sop", photos.sop), ("in_shop", photos.in_shop), ("inat2018", photos.inat2018),
        ("gldv2", photos.gldv2), ("roxford", photos.revisited), ("omniglot", photos.omniglot),
        (None, photos.mini_imagenet), (None, photos.dyml), (None, photos.dyml_product),
    ],
)  # fmt: skip
def test_a_layout_tells_its_data_set(tmp_path, name, tree):
    tree(tmp_path)
    assert recognise(tmp_path) == name


def test_a_plain_folder_is_no_data_set(tmp_path):
    for path in ("train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg", "test/c/2.jpg"):
        trees.put(tmp_path, path)
    assert recognise(tmp_path) is None


def test_two_data_sets_of_one_layout_are_not_recognised(toy, monkeypatch):
    assert recognise(toy) == "toy"
    monkeypatch.setitem(BENCHMARKS, "twin", TOY)
    assert recognise(toy) is None
    monkeypatch.setitem(BENCHMARKS, "twin", dataclasses.replace(TOY, by_itself=False))
    assert recognise(toy) == "toy"
    monkeypatch.setitem(BENCHMARKS, "toy", dataclasses.replace(TOY, unlike=("other.txt",)))
    (toy / "other.txt").touch()
    assert recognise(toy) is None


def test_checksums_tell_a_changed_file(toy, cache):
    read(toy)
    known = json.loads((cache / "isometry" / "checksums.json").read_text())
    assert list(known) == ["toy"]
    assert len(known["toy"]["list.txt"]["sha256"]) == 64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(toy).notes == ()
    (toy / "list.txt").write_text((toy / "list.txt").read_text().replace(" a ", " b ", 1).replace(" b ", " a ", 2))
    with pytest.warns(UserWarning, match=r"list\.txt is not the file that toy was first read with") as caught:
        assert len(read(toy).notes) == 1
    assert len(caught) == 1


def test_checksums_of_a_subset_are_not_kept(toy):
    trees.text(toy, "list.txt", ["pictures/a0.JPG a"])
    read(f"subset:toy:{toy}")
    assert not book().exists()


def test_a_damaged_or_read_only_cache_is_no_hindrance(toy, cache, monkeypatch):
    book().parent.mkdir(parents=True)
    book().write_text("[1,")
    assert checksums("toy", toy, ["list.txt"]) == ()
    assert "toy" in json.loads(book().read_text())
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "list.txt"))  # a file, where a folder would have to be made
    assert checksums("toy", toy, ["list.txt"]) == ()
    assert sorted(p.name for p in (cache / "isometry").iterdir()) == ["checksums.json"]


def test_rows_and_tables(tmp_path):
    path = trees.text(tmp_path, "a.txt", ["12", "é.jpg \t 1", "", "x/._b.jpg 2", "c.jpg   3  "], end="\r\n", bom=True)
    assert lines(path)[0] == "12"
    assert rows(path, 2, skip=1) == [["é.jpg", "1"], ["c.jpg", "3"]]
    with pytest.raises(ValueError, match=r"row 1, has 1 cells and needs 2: '12'"):
        rows(path, 2)
    path = trees.text(tmp_path, "a.csv", ["fname, id ,x", "a b.jpg , None,001"], end="\r\n", bom=True)
    assert table(path) == {"fname": ["a b.jpg"], "id": ["None"], "x": ["001"]}
    with pytest.raises(ValueError, match="no column 'y' or 'z'; its columns: fname, id, x"):
        column(table(path), path, "y", "z")
    with pytest.raises(ValueError, match="no table that can be read"):
        table(trees.put(tmp_path, "empty.csv", b""))
    with pytest.raises(Missing, match=r"b\.txt or c\.txt is missing; looked in"):
        need(tmp_path, "b.txt", "c.txt")


def plain_values():
    return {
        "list": [1, -(2**70), 1.5, "é", b"\xff", None, True, (1,), {2}, frozenset("a"), 1j],
        "arrays": [np.arange(6).reshape(2, 3), np.array(["a", None], dtype=object), np.array(["x"]), np.zeros(0)],
        "scalars": [np.float32(1.5), np.int64(3), np.str_("s")],
    }


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_plain_values_are_read(tmp_path, protocol):
    path = trees.put(tmp_path, "a.pkl", pickle.dumps(plain_values(), protocol))
    assert repr(load_pickle(path)) == repr(plain_values())


def test_pickles_of_old_versions_are_read(tmp_path):
    old = pickle.dumps({"a": np.arange(3)}, 2).replace(b"numpy._core", b"numpy.core")
    assert load_pickle(trees.put(tmp_path, "a.pkl", old))["a"].tolist() == [0, 1, 2]
    text = b"S'caf\\xe9'\n."  # a str of Python 2
    assert load_pickle(trees.put(tmp_path, "b.pkl", text)) == "café"
    assert load_pickle(trees.put(tmp_path, "c.pkl", text), encoding="bytes") == b"caf\xe9"


class Runs:
    def __reduce__(self):
        return os.mkdir, ("/tmp/this-must-not-be-made",)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Runs()),
        pickle.dumps([1, OrderedDict(a=Path("x"))]),
        pickle.dumps(np.ma.masked_array([1, 2], [0, 1])),
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"cnumpy\nndarray\n((I4\ntS'O'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O'\ntRS'12345678'\ntR.",
        pickle.dumps([1, 2])[:-3],
        b"",
        b"\x80\x05hello",
    ],
)
def test_other_pickles_are_refused(tmp_path, data):
    with pytest.raises(ValueError, match=r"a\.pkl is not read") as error:
        load_pickle(trees.put(tmp_path, "a.pkl", data))
    assert "\n" not in str(error.value)
    assert not os.path.exists("/tmp/this-must-not-be-made")

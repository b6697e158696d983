"""Tables of the library `datasets`, where it is installed."""

import importlib.util
import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from isometry.data import Unreadable, read, split
from isometry.data.hub import sizes, stored
from tests.data.published import trees

LABELS = [2, 0, 1, 2, 0, 1]


def photo(i):
    return Image.new("RGB", (8 + i, 6), (40 * i, 0, 0))


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The library, with a cache of the test's own and no network."""
    library = pytest.importorskip("datasets")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return library


@pytest.fixture
def table(datasets):
    return make(datasets)


def make(datasets, n=6, **more):
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["owl", "duck", "gull"])}
    columns = {"image": [photo(i) for i in range(n)], "label": (LABELS * 4)[:n]}
    for name, (values, feature) in more.items():
        columns[name], features[name] = values, feature
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


@pytest.mark.skipif(importlib.util.find_spec("datasets") is not None, reason="the library is installed")
def test_without_the_library():
    with pytest.raises(ValueError, match=r"hf:cifar10 is read by the package datasets: pip install datasets\.$"):
        read("hf:cifar10")


def test_a_table(table):
    data = read(table)
    assert data.labels.tolist() == LABELS
    assert data.classes == ("owl", "duck", "gull")
    assert [data.images[i].shape for i in range(6)] == [(3, 6, 8 + i) for i in range(6)]
    assert data.images[2][:, 0, 0].tolist() == [80, 0, 0]
    part = data.select(torch.tensor([5, 1]))
    assert part.images[0].shape == (3, 6, 13)
    assert part.fingerprint() != data.fingerprint() == read(table.with_format("torch")).fingerprint()
    assert pickle.loads(pickle.dumps(data.images))[3].shape == (3, 6, 11)
    assert read(table.select([4, 2])).images[0].shape == (3, 6, 12)


def test_parts(datasets):
    given = datasets.DatasetDict(
        {"test": make(datasets, 4), "train": make(datasets, 6), "unsupervised": make(datasets, 2)}
    )
    data = read(given)
    assert data.split == ("train",) * 6 + ("test",) * 4
    assert [data.images[i].shape[-1] for i in (0, 5, 6, 9)] == [8, 13, 8, 11]
    assert data.notes == ("the parts unsupervised were left out",)
    assert len(split(read(datasets.DatasetDict({"test": make(datasets, 6), "train": make(datasets, 24)}))).test) == 6
    assert read(datasets.DatasetDict({"all": make(datasets, 4)})).split is None
    with pytest.raises(ValueError, match="Parts are called train, validation and test; here they are a, b"):
        read(datasets.DatasetDict({"a": make(datasets), "b": make(datasets)}))
    with pytest.raises(ValueError, match="have other columns"):
        read(datasets.DatasetDict({"train": make(datasets), "test": make(datasets).rename_column("label", "y")}))


def test_columns_by_what_they_hold(datasets):
    coarse = datasets.ClassLabel(names=["night", "day"])
    table = make(datasets, coarse_label=([0, 1, 1, 0, 1, 1], coarse)).rename_columns(
        {"image": "bild", "label": "fine_label"}
    )
    data = read(table)
    assert data.labels.tolist() == LABELS
    assert data.images[0].shape == (3, 6, 8)
    tree = read(table, label="coarse_label, fine_label")
    assert tree.levels == ("coarse_label", "fine_label")
    assert tree.classes == ("day/duck", "day/owl", "night/gull")
    assert read(table, label="coarse_label").classes == ("night", "day")
    with pytest.raises(
        ValueError, match=r"no column 'breed'; it has bild \(Image\), fine_label \(ClassLabel\), coarse"
    ):
        read(table, label="breed")


@pytest.mark.parametrize(
    ("values", "feature", "check"),
    [
        (["b", "a", None], "string", lambda d: d.labels.tolist() == [1, 0, -1] and d.classes == ("a", "b")),
        ([7, 10, 7], "int64", lambda d: d.classes == ("7", "10")),
        ([7, None, 7], "int64", lambda d: d.labels.tolist() == [0, -1, 0]),
        ([0.5, 1.5, 2.0], "float32", lambda d: d.targets[:, 0].tolist() == [0.5, 1.5, 2.0]),
        ([["a", "b"], [], None], ["string"], lambda d: d.multi.tolist() == [[True, True], [False] * 2, [False] * 2]),
    ],
)
def test_labels_of_other_types(datasets, values, feature, check):
    value = datasets.Value
    given = datasets.Sequence(value(feature[0])) if isinstance(feature, list) else value(feature)
    table = make(datasets, 3).remove_columns("label").add_column("label", values, feature=given)
    assert check(read(table))


def test_sets_of_named_classes_and_unknown_ones(datasets):
    names = datasets.ClassLabel(names=["owl", "duck"])
    table = make(datasets, 2, tags=([[0, 1], [1]], datasets.Sequence(names))).remove_columns("label")
    assert read(table).tags == ("duck", "owl")
    assert read(table).multi.tolist() == [[True, True], [True, False]]
    assert read(make(datasets, 2, class_=([None, 1], names)), label="class_").labels.tolist() == [-1, 1]


def test_captions(datasets):
    words = datasets.Value("string")
    said = make(datasets, 2, text=(["an owl", None], words))
    assert read(said).captions == (("an owl",), ())
    many = make(datasets, 2, captions=([["a", "b"], ["c"]], datasets.Sequence(words))).remove_columns("label")
    assert read(many).captions == (("a", "b"), ("c",))
    assert len(read(many).present()) == 0


def test_pictures_in_files(datasets, tmp_path):
    paths = [str(trees.put(tmp_path, f"{i}.jpg", trees.jpeg(8 + i))) for i in range(2)]
    table = datasets.Dataset.from_dict({"image": [*paths, None], "label": [0, 1, 1]}).cast_column(
        "image", datasets.Image()
    )
    data = read(table)
    assert data.images[1].shape == (3, 6, 9)
    before = data.fingerprint()
    with pytest.raises(Unreadable, match="row 2 of the table cannot be read: the cell is empty"):
        data.images[2]
    trees.put(tmp_path, "1.jpg", b"x")
    assert data.fingerprint() != before
    with pytest.raises(Unreadable, match=r"1\.jpg cannot be read"):
        data.images[1]


def test_exif_turns_a_picture(datasets):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees
    photo(2).save(file, "jpeg", exif=exif)
    table = datasets.Dataset.from_dict({"image": [{"bytes": file.getvalue(), "path": None}], "label": ["a"]})
    assert read(table.cast_column("image", datasets.Image())).images[0].shape == (3, 10, 6)


def test_sizes_of_many_pictures(datasets):
    expected = np.array([i % 97 if i % 11 else -1 for i in range(9000)])
    given = [None if n < 0 else {"bytes": b"x" * n, "path": None} for n in expected.tolist()]
    whole = datasets.Dataset.from_dict({"image": given}, features=datasets.Features({"image": datasets.Image()}))
    for rows in (range(9000), range(5000, 8000), range(8999, -1, -7)):
        found = np.concatenate(list(sizes(stored(whole.select(rows), "image"), "image")))
        assert found.tolist() == expected[list(rows)].tolist()


def test_saved_tables(table, tmp_path):
    table.save_to_disk(tmp_path / "birds")
    data = read(f"hf:{tmp_path}/birds")
    assert data.name == "birds"
    assert data.fingerprint() == read(table).fingerprint()


def test_pictures_as_arrays(datasets):
    pixels = [[[0] * 5] * 4] * 3
    table = datasets.Dataset.from_dict({"image": pixels, "label": [1, 2, 1]})
    assert read(table).labels.tolist() == [0, 1, 0]
    assert read(table).images[0].shape == (1, 4, 5)


def test_what_cannot_be_understood(datasets, table, tmp_path):
    bare = table.remove_columns("image")
    for source, words in (
        (table.remove_columns("label"), r"does not tell which column is the label \(label='…'\): image \(Image\)"),
        (
            make(datasets, 6, left=([photo(0)] * 6, datasets.Image())).rename_column("image", "right"),
            "has 2 columns of pictures",
        ),
        (table.select([]), "is empty"),
        (table.to_iterable_dataset(), "gives its rows in turn: load it without streaming=True"),
        (datasets.DatasetDict({"train": bare, "test": bare}), "no column of type Image"),
        ("hf:" + str(tmp_path), "cannot be read: "),
    ):
        with pytest.raises(ValueError, match=words) as error:
            read(source)
        assert "\n" not in str(error.value)

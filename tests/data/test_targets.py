"""Columns of numbers as one continuous label: which columns a text means, and cells that hold no number."""

import numpy as np
import pandas as pd
import pytest
import torch

import isometry
from isometry.data import read
from isometry.data.labels import continuous
from isometry.data.targets import columns_meant, targets_in
from isometry.label_neighbours import label_neighbours
from isometry.relations import CloseTargets
from tests.small import spots

COLUMNS = ["path", "x0", "y0", "x1", "y1", "Age"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x0:y1", ["x0", "y0", "x1", "y1"]),
        ("age", ["Age"]),
        ("age, x0 : y0", ["Age", "x0", "y0"]),
        ("X1", ["x1"]),
    ],
)
def test_a_text_means_columns_in_the_order_of_the_table(text, meant):
    assert columns_meant(text, COLUMNS, "t.csv") == meant


def test_a_column_whose_name_has_a_colon_is_itself():
    assert columns_meant("a:b", ["a:b", "a", "b"], "t.csv") == ["a:b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x0:y2", "no column 'y2'"),
        ("agge", "Did you mean 'age'"),
        ("y1:x0", "from left to right"),
        ("x0:y0,x0", "twice"),
        ("", "no column ''"),
    ],
)
def test_columns_that_cannot_be_meant_are_named(text, says):
    with pytest.raises(ValueError, match=says) as raised:
        columns_meant(text, COLUMNS, "t.csv")
    assert "\n" not in str(raised.value)


def test_whole_numbers_are_targets_and_no_classes(tmp_path):
    data = read(spots(tmp_path, n=8), label_columns="x0:y0")
    table = pd.read_csv(tmp_path / "spots.csv")
    assert data.targets.tolist() == table[["x0", "y0"]].astype(float).to_numpy().tolist()
    assert data.classes == ()
    assert data.labels.tolist() == [-1] * 8


def test_a_frame_reads_as_its_file_does(tmp_path):
    read_back = read(spots(tmp_path, n=8), label_columns="age,x0")
    frame = pd.read_csv(tmp_path / "spots.csv")
    frame["path"] = [str(tmp_path / path) for path in frame["path"]]
    assert torch.equal(read(frame, label_columns="age,x0").targets, read_back.targets)


def test_a_label_named_besides_gives_classes_as_well(tmp_path):
    data = read(spots(tmp_path, n=8), label="age", label_columns="x0,y0")
    assert data.targets.shape == (8, 2)
    assert [float(data.classes[y]) for y in data.labels.tolist()] == data.targets.sum(1).tolist()


BAD = {"text": "abc", "nothing": "", "nan": "nan", "infinity": "inf", "more than a float32 holds": "1e39"}


@pytest.mark.parametrize("case", BAD)
def test_cells_without_a_number_are_named_with_their_rows(case):
    cells = {"x": ["1", "2", "3"], "y": ["4", BAD[case], "5"]}
    with pytest.raises(ValueError, match=r"t\.csv has a row whose label is no finite number: row 2 \(y is ") as raised:
        targets_in(cells, "t.csv")
    assert repr(BAD[case]) in str(raised.value)


def test_of_many_bad_rows_the_first_are_named():
    with pytest.raises(ValueError, match=r"5 rows .*row 1 .*row 2 .*row 3 .*, …"):
        targets_in({"x": ["a", "b", "c", "d", "e", "6"]}, "t")


def test_a_cell_may_hold_a_vector():
    found = targets_in({"pose": [[1, 2], np.array([3.0, 4.0])], "age": [5, 6]}, "t")
    assert found.tolist() == [[1, 2, 5], [3, 4, 6]]
    with pytest.raises(ValueError, match="unequal length in 'pose': 2 numbers in row 1 and 1 in row 2"):
        targets_in({"pose": [[1, 2], [3]]}, "t")


def test_a_table_of_the_hub_has_columns_too():
    datasets = pytest.importorskip("datasets")
    pictures = [np.full((8, 8, 3), 10 * i, np.uint8) for i in range(4)]
    table = datasets.Dataset.from_dict({"image": pictures, "lat": [1, 2, 3, 4], "pose": [[i, -i] for i in range(4)]})
    table = table.cast_column("image", datasets.Image())
    assert read(table, label_columns="lat").targets.tolist() == [[1], [2], [3], [4]]
    assert read(table, label_columns="lat,pose").targets[2].tolist() == [3, 2, -2]


TIMES = [1_700_000_000, 1_700_000_002, 1_700_000_064, 1_700_000_001]


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([0.1, 0.2, 0.3], torch.float32),
        ([1, 2, 300], torch.float32),
        ([2.5] * 3, torch.float32),
        ([0.1] * 3, torch.float32),
        (TIMES, torch.float64),
        ([52.5200066, 52.5200071, 52.5200069], torch.float64),  # a few centimetres
        ([0.0, 1.0, 1.0 + 1e-9], torch.float64),
    ],
)
def test_digits_that_tell_labels_apart_are_kept(numbers, dtype):
    for found in (targets_in({"x": [str(x) for x in numbers]}, "t"), continuous(numbers).targets):
        assert found.dtype == dtype
        assert torch.equal(found[:, 0], torch.tensor(numbers, dtype=torch.float64).to(dtype))


def test_times_in_seconds_are_right_from_the_table_to_the_score(tmp_path):
    frame = pd.read_csv(spots(tmp_path, n=4)).assign(path=lambda t: [str(tmp_path / p) for p in t["path"]], at=TIMES)
    data = read(frame, label_columns="at")
    z = torch.tensor([[0.0], [1.0], [3.0], [1.5]])
    for y in (data.targets, torch.tensor(TIMES), np.array(TIMES)):
        found = isometry.evaluate(
            z, y, "LabelDistance(k=1)", relate="CloseTargets(radius=5)", similarity="euclidean", samples=0
        )
        assert found["LabelDistance(k=1)"].per_query.tolist() == [2, 1, 63, 1]
    assert label_neighbours(data.targets, CloseTargets(), k=1).index.tolist() == [[3], [3], [1], [0]]


def test_what_is_no_table_has_no_columns():
    with pytest.raises(ValueError, match="arrays is none"):
        read((np.zeros((2, 8, 8), np.uint8), [0, 1]), label_columns="x0")


def test_rows_of_arrays_that_hold_nan_are_named():
    with pytest.raises(ValueError, match=r"in 2 of 4 rows \(2, 4; the first row is 1\)"):
        continuous([1.0, float("nan"), 2.0, float("inf")])

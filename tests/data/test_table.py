import numpy as np
import pandas as pd
import pytest
import torch

from isometry.data import read

BIG = (2**53 + 1, 2**53, 2**63 - 1)


@pytest.fixture
def table(draw, tmp_path):
    for i in range(4):
        draw(f"pictures/{i}.png")

    def write(name="t.csv", **columns):
        frame = pd.DataFrame({"path": [f"pictures/{i}.png" for i in range(4)], **columns})
        file = tmp_path / name
        if name.endswith("parquet"):
            frame.to_parquet(file)
        else:
            frame.to_csv(file, index=False, sep="\t" if name.endswith("tsv") else ",")
        return file

    return write


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_words_in_every_kind_of_table(table, name):
    data = read(table(name, label=["owl", "", "elk", "owl"]))
    assert data.classes == ("elk", "owl")
    assert data.labels.tolist() == [1, -1, 0, 1]
    assert data.paths == tuple(f"pictures/{i}.png" for i in range(4))
    assert data.images[3].shape == (3, 6, 8)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_labels_of_the_size_of_a_hash_are_exact(table, name):
    data = read(table(name, label=[BIG[0], BIG[1], BIG[2], BIG[0]]))
    assert data.classes == tuple(str(label) for label in sorted(BIG))
    assert data.labels.tolist() == [1, 0, 2, 1]


def test_labels_with_gaps_are_exact(table):
    data = read(table(label=[str(BIG[0]), "", "-1", str(BIG[1])]))
    assert data.classes == (str(BIG[1]), str(BIG[0]))
    assert data.labels.tolist() == [1, -1, -1, 0]
    nullable = pd.array([BIG[0], None, BIG[1], BIG[0]], dtype="Int64")
    assert read(table("t.parquet", label=nullable)).labels.tolist() == [1, -1, 0, 1]


def test_whole_numbers_are_sorted_by_value(table):
    assert read(table(label=[10, 9, 100, 9])).classes == ("9", "10", "100")


def test_frame_with_paths_of_its_own(table, tmp_path):
    frame = pd.read_csv(table(label=["b", "a", "b", "a"]))
    frame["path"] = [str(tmp_path / path) for path in frame["path"]]
    assert read(frame).labels.tolist() == [1, 0, 1, 0]
    frame["label"] = [1.0, np.nan, 2.0, 1.0]
    assert read(frame).classes == ("1", "2")


def test_open_metric_learning_format(table):
    data = read(
        table(
            label=[0, 0, 1, 1],
            split=["train", "train", "validation", "validation"],
            is_query=[None, None, True, False],
            is_gallery=[None, None, False, True],
            category=["rug", "rug", "sofa", "sofa"],
            sequence=[3, 3, 4, 4],
            x_1=[1, 0, 0, 0], x_2=[5, 8, 8, 8], y_1=[2, 0, 0, 0], y_2=[4, 6, 6, 6],
        )
    )  # fmt: skip
    assert data.split == ("train", "train", "validation", "validation")
    assert data.is_query.tolist() == [False, False, True, False]
    assert data.is_gallery.tolist() == [False, False, False, True]
    assert data.category.tolist() == [0, 0, 1, 1]
    assert data.categories == ("rug", "sofa")
    assert data.sequence.tolist() == [0, 0, 1, 1]
    assert [tuple(data.images[i].shape) for i in (0, 1)] == [(3, 2, 4), (3, 6, 8)]


def test_aliases(table, tmp_path):
    file = table(pid=[1, 1, 2, 2], camid=[0, 1, 0, 1], subset=["Train", "val", "query", "gallery"])
    file.write_text(file.read_text().replace("path,", " Img_Path ,", 1))
    data = read(file)
    assert data.classes == ("1", "2")
    assert data.sequence.tolist() == [0, 1, 0, 1]
    assert data.split == ("train", "validation", "test", "test")
    assert data.is_query.tolist() == [False, False, True, False]
    assert data.is_gallery.tolist() == [False, False, False, True]


def test_sets_of_labels(table):
    for data in (
        read(table(label=["red|round", "round", "", "round | red"])),
        read(table("t.parquet", label=[["red", "round"], ["round"], [], ["round", "red"]])),
    ):
        assert data.tags == ("red", "round")
        assert data.multi.tolist() == [[True, True], [False, True], [False, False], [True, True]]
        assert data.labels.tolist() == [0, 1, -1, 0]


@pytest.mark.parametrize("names", [("script", "letter"), ("label_0", "label_1")])
def test_a_path_of_labels(table, names):
    file = table(**{names[0]: ["latin", "latin", "greek", "greek"], names[1]: ["a", "b", "a", ""]})
    data = read(file, label="label" if names[0] == "label_0" else "script, letter")
    assert data.levels == names
    assert data.classes == ("greek/a", "latin/a", "latin/b")
    assert data.hierarchy.tolist() == [[1, 1], [1, 2], [0, 0], [0, -1]]
    assert data.labels.tolist() == [1, 2, 0, -1]


def test_continuous_labels(table):
    expected = torch.tensor([[0.5, 1], [1.5, -1], [2, 3], [0, 0]])
    for data in (
        read(table(x=[0.5, 1.5, 2, 0], y=[1.0, -1, 3, 0]), label="x,y"),
        read(table(target_0=[0.5, 1.5, 2, 0], target_1=[1, -1, 3, 0])),
    ):
        assert torch.equal(data.targets, expected)
        assert data.labels.tolist() == [-1] * 4
        assert data.classes == ()
    data = read(table(target_1=[0.5, 1.5, 2, 0], label=["a", "b", "a", "b"]))
    assert data.targets.tolist() == [[0.5], [1.5], [2], [0]]
    assert data.labels.tolist() == [0, 1, 0, 1]


def test_roles_without_a_split(table):
    data = read(table(label=[1, 1, 2, 2], is_query=[0, 0, 1, 0], is_gallery=[0, 0, 0, 1]))
    assert data.split == ("train", "train", "test", "test")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"lable": [1] * 4}, r"'label'\. Did you mean 'lable'\? Its columns: path, lable"),
        ({"label": [1] * 4, "split": ["train", "best", "x", "x"]}, "'best'"),
        ({"label": [1] * 4, "is_query": ["perhaps", 1, 1, 1]}, "'perhaps' in is_query"),
        ({"label": [1] * 4, "x_1": [0] * 4}, "x_1, x_2, y_1 and y_2"),
        (
            {"label": [1] * 4, "x_1": [0, 5, 0, 0], "x_2": [0, 5, 9, 9], "y_1": [0] * 4, "y_2": [0, 5, 9, 9]},
            "1 boxes without area, first in row 1",
        ),
        ({"label": [0.5, None, 1, 1]}, "empty cells"),
    ],
)
def test_errors_on_one_line(table, columns, words):
    with pytest.raises(ValueError, match=words) as caught:
        read(table(**columns))
    assert "\n" not in str(caught.value)


def test_errors_of_the_whole_table(table, tmp_path):
    (tmp_path / "none.csv").write_text("path,label\n")
    with pytest.raises(ValueError, match="no rows"):
        read(tmp_path / "none.csv")
    (tmp_path / "void.csv").touch()
    with pytest.raises(ValueError, match="no table"):
        read(tmp_path / "void.csv")
    with pytest.raises(ValueError, match=r"'scrpt'\. Did you mean 'script'"):
        read(table(script=["a"] * 4, letter=["a"] * 4), label="scrpt,letter")


def test_missing_files_are_counted(table):
    file = table(label=[1, 1, 2, 2])
    file.write_text(file.read_text().replace("pictures/", "picture/"))
    with pytest.raises(FileNotFoundError, match=r"4 files that do not exist .*'picture/0.png', 'picture/1.png'.*, …"):
        read(file)

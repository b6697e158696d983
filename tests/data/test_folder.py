import pytest
import torch

from isometry.data import Unreadable, read


def test_a_class_for_each_folder(folder):
    data = read(folder)
    assert data.classes == tuple("abcdefgh")
    assert data.labels.tolist() == [c for c in range(8) for _ in range(3)]
    assert data.paths[3:5] == ("b/0.png", "b/1.png")
    assert data.images[0].shape == (3, 6, 8)
    assert data.split is None
    assert data.name == "birds"
    assert read(str(folder)).fingerprint() == data.fingerprint()


def test_nested_folders_are_a_hierarchy(draw, tmp_path):
    for name in ("cat/lion/1.png", "cat/tiger/1.png", "dog/wolf/1.png", "dog/wolf/2.PNG"):
        draw(name)
    data = read(tmp_path)
    assert data.classes == ("cat/lion", "cat/tiger", "dog/wolf")
    assert data.labels.tolist() == [0, 1, 2, 2]
    assert data.hierarchy.tolist() == [[0, 0], [0, 1], [1, 2], [1, 2]]
    draw("fish/1.png")
    data = read(tmp_path)
    assert data.hierarchy is None
    assert data.classes == ("cat/lion", "cat/tiger", "dog/wolf", "fish")


def test_folders_train_and_test(draw, tmp_path):
    for name in ("train/b/1.png", "val/a/1.png", "Test/a/1.png", "test/b/1.png"):
        draw(name)
    data = read(tmp_path)
    assert dict(zip(data.paths, data.split, strict=True)) == {
        "Test/a/1.png": "test",
        "test/b/1.png": "test",
        "train/b/1.png": "train",
        "val/a/1.png": "validation",
    }
    assert data.classes == ("a", "b")
    assert data.is_query is None


def test_a_class_called_train_is_a_class(draw, tmp_path):
    for name in ("train/1.png", "car/1.png"):
        draw(name)
    assert read(tmp_path).classes == ("car", "train")


def test_query_and_gallery(draw, tmp_path):
    for name in ("train/7/1.png", "query/8/1.png", "gallery/8/1.png", "gallery/10/1.png", "gallery/-1/1.png"):
        draw(name)
    data = read(tmp_path)
    assert data.classes == ("7", "8", "10")
    held = data.part("test")
    assert held.is_query.tolist() == [False, False, False, True]
    assert torch.equal(held.is_gallery, ~held.is_query)
    assert held.labels.tolist() == [-1, 2, 1, 1]


def test_pictures_outside_of_classes_are_unknown(draw, tmp_path):
    draw("1.png")
    draw("a/1.png")
    data = read(tmp_path)
    assert data.labels.tolist() == [-1, 0]
    assert any("unknown" in note for note in data.notes)


def test_what_is_no_picture_is_left_out(folder):
    (folder / "readme.txt").write_text("x")
    (folder / "a" / "._0.png").write_text("x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "0.png").write_text("x")
    (folder / "empty").mkdir()
    data = read(folder)
    assert len(data) == 24
    assert data.notes == ("1 files that are not pictures were left out",)


def test_linked_folders_are_followed_once(folder):
    (folder / "z").symlink_to(folder / "a")
    (folder / "a" / "loop").symlink_to(folder)
    assert len(read(folder)) == 24 + 3


def test_strict_stops_at_the_file_that_is_no_picture(folder):
    (folder / "c" / "1.png").write_text("nothing")
    assert len(read(folder)) == 24
    with pytest.raises(Unreadable, match=r"c.1\.png"):
        read(folder, strict=True)


def test_errors_name_what_is_there(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="Did you mean 'birds'"):
        read(tmp_path / "bird")
    with pytest.raises(FileNotFoundError, match="Did you mean 'glyphs'"):
        read("glyps")
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        read(tmp_path / "none")
    (tmp_path / "x.doc").touch()
    with pytest.raises(ValueError, match="neither a folder nor a table"):
        read(tmp_path / "x.doc")

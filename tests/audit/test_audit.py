"""An audit of a folder finds what was planted in it, says it in a table and on a page, and the fixed table can be read."""

import csv

import numpy as np
import pytest
import torch

from isometry.audit import KINDS, audit, fixes, origins
from isometry.audit.findings import at_least
from isometry.data import Data, read

from .planted import drawing, folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="module")
def found(planted):
    return audit(planted, embed=False)


def of(found, kind):
    return [tuple(found.names[i] for i in one.rows) for one in found.findings if one.kind == kind]


def test_copies_across_parts_are_found_whatever_was_done_to_them(found):
    assert set(of(found, "disputed copy")) == {
        ("test/class08/0.png", "train/class00/jpeg.jpg"),
        ("test/class08/1.png", "train/class01/small.png"),
        ("test/class09/1.png", "train/class02/crop.png"),
        ("test/class10/1.png", "train/class03/flip.png"),
        ("train/class04/1.png", "train/class05/same.png"),
    }
    assert of(found, "copy") == [("train/class04/1.png", "train/class04/again.png")]


def test_broken_and_odd_files_are_called_by_name(found):
    assert {
        kind: of(found, kind) for kind in ("unreadable", "truncated", "empty", "blank", "orientation", "turned")
    } == {
        "unreadable": [("train/class00/text.jpg",)],
        "truncated": [("train/class00/cut.png",)],
        "empty": [("train/class00/empty.jpg",)],
        "blank": [("train/class01/white.png",)],
        "orientation": [("train/class01/bad.jpg",)],
        "turned": [("train/class01/turned.jpg",)],
    }
    assert of(found, "odd size") == [("train/class03/large.png",)]
    assert of(found, "singleton") == [("train/Class 05/0.png",)]
    assert [one.labels for one in found.findings if one.kind == "alike names"] == [("Class 05", "class05")]


def test_copies_made_of_the_pictures_themselves_are_found(found):
    assert all(hit >= 0.95 * count for hit, count in found.copies.found.values())


def test_the_table_and_the_page(found, tmp_path):
    page = found.write(tmp_path / "out").read_text()
    rows = list(csv.DictReader((tmp_path / "out/findings.csv").open()))
    assert len(rows) == len(found.findings)
    assert {row["kind"] for row in rows} <= set(KINDS)
    assert rows[0]["severity"] == "high"
    assert page.count("<img") >= 12  # pairs, side by side
    assert "https://" not in page
    found.write(tmp_path / "out")  # its own files are written over
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").touch()
    with pytest.raises(FileExistsError, match="holds other things"):
        found.write(tmp_path / "other")


def test_the_fixed_table_holds_no_copy_and_nothing_broken(found, tmp_path):
    _, fixed = fixes.write(found, tmp_path)
    assert fixed is not None
    again = audit(read(fixed), embed=False)
    kinds = {one.kind for one in again.findings}
    assert not kinds & {"leaked copy", "copy", "unreadable", "truncated", "empty", "blank"}
    left = [one for one in again.findings if one.kind == "disputed copy"]
    assert [(one.severity, "mirrored" in one.detail) for one in left] == [("medium", True)]  # left and right may be two
    steps = list(csv.DictReader((tmp_path / "fixes.csv").open()))
    assert {step["action"] for step in steps} == {"drop"}
    assert len(again.data) == len(found.data) - len(steps)


def test_one_file_under_two_names_and_a_source_in_two_parts(tmp_path):
    dice = np.random.default_rng(1)
    for k in range(8):
        drawing(dice).save(tmp_path / f"film{k // 2}_{k}.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "film0_0.png")
    lines = [f"film{k // 2}_{k}.png,{k % 2},{'test' if k in (3, 6, 7) else 'train'},s{k // 2}" for k in range(8)]
    table = tmp_path / "t.csv"
    table.write_text("path,label,split,film\n" + "\n".join([*lines, "link.png,0,train,s0"]) + "\n")
    data = read(table)
    by_column, by_pattern = origins(data, column="film", table_path=table), origins(data, pattern="(film[0-9])_")
    found = audit(data, embed=False, origin=by_column)
    assert of(found, "listed twice") == [("film0_0.png", "link.png")]
    assert [one.labels for one in found.findings if one.kind == "source in two parts"] == [("s1",)]
    assert by_pattern is not None
    assert by_pattern[3] == "film1"
    assert {one.labels for one in found.findings if one.kind == "class in two parts"} == {("0",), ("1",)}
    for how, says in (
        ({"column": "flim"}, "Did you mean 'film'"),
        ({"pattern": "("}, "no pattern"),
        ({"pattern": "(zz)"}, "matches none"),
    ):
        with pytest.raises(ValueError, match=says):
            origins(data, table_path=table, **how)


def test_pictures_in_memory_and_ones_that_are_too_small_for_likeness():
    """Pictures of 8 × 8 pixels are copies only where all pixels agree."""
    dice = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 255, (40, 1, 8, 8), generator=dice, dtype=torch.uint8)
    pictures[7], pictures[9] = pictures[3], pictures[4] ^ 1
    found = audit((pictures, [i % 5 for i in range(40)]), embed=False)
    assert [(pair.first, pair.second) for pair in found.copies.pairs] == [(3, 7)]
    assert found.names[3] == "image 3"


def test_few_pictures_and_none_that_can_be_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"x")
    found = audit(tmp_path, embed=False)
    assert {one.kind for one in found.findings} == {"unreadable", "singleton"}
    assert found.parts == ("", "")


def test_a_severity_is_one_of_three(found):
    assert len(at_least(found.findings, "low")) == len(found.findings)
    assert {one.severity for one in at_least(found.findings, "high")} == {"high"}
    with pytest.raises(ValueError, match="low, medium, high"):
        at_least((), "grave")


def test_unknown_labels_contradict_nothing():
    picture = torch.randint(0, 255, (1, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = read((picture.repeat(2, 1, 1, 1), [-1, 4]))
    assert isinstance(data, Data)
    assert [one.kind for one in audit(data, embed=False).findings if one.kind.endswith("copy")] == ["copy"]

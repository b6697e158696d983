"""Every name that can be read is on the page, and says in one line what is wrong with the path that it is given."""

import warnings
from pathlib import Path

import pytest

from isometry.data import read
from isometry.data.published import BENCHMARKS
from isometry.data.published.paired import PAIRED, read_pairs
from isometry.data.read import DOORS
from tests.data.published import trees
from tests.data.published.test_page import PAGE, entry

NAMES = [*BENCHMARKS, *DOORS]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_on_the_page(name):
    assert entry(name) in PAGE or f"`{name}:" in PAGE


def said(source, read=read):
    """What the error says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            read(source)
    text = str(error.value)
    assert text.strip()
    assert "\n" not in text
    return text


@pytest.fixture
def wrong(tmp_path):
    """Paths at which nothing is: no folder, an empty one, one of other things, one of folders, a file."""
    (tmp_path / "empty").mkdir()
    trees.put(tmp_path, "other/a.docx", b"x")
    trees.put(tmp_path, "folders/x/readme.md", b"x")
    trees.put(tmp_path, "file.xyz", b"x")
    return [tmp_path / name for name in ("nowhere", "nowhere/at/all", "empty", "other", "folders", "file.xyz")]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_path_is_told(name, wrong):
    for path in wrong:
        for source in (f"{name}:{path}", f"subset:{name}:{path}"):
            text = said(source)
            assert str(path) in text or path.name in text, source


@pytest.mark.parametrize("name", BENCHMARKS)
def test_marks_that_are_empty_are_told(name, tmp_path):
    """All files and folders of the layout are there, and hold nothing."""
    for number, marks in enumerate(BENCHMARKS[name].marks):
        root = tmp_path / str(number)
        for mark in marks:
            if Path(mark).suffix:
                trees.put(root, mark, b"")
            else:
                (root / mark).mkdir(parents=True, exist_ok=True)
        said(f"{name}:{root}")
        said(f"subset:{name}:{root}")


@pytest.mark.parametrize("name", PAIRED)
def test_a_wrong_path_of_pairs_is_told(name, wrong):
    for path in wrong:
        said(f"{name}:{path}", read_pairs)

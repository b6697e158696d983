"""The shelf gives back what was laid on it, whole or not at all."""

import numpy as np
import pytest
import torch

from isometry.bench.cell import Outcome
from isometry.bench.shelf import Shelf, default_folder

KEY = "0123456789abcdef01234567"
DONE = Outcome(state="done", validation={"MAPAtR()": 0.1}, curve=({"step": 1, "validation": 0.1},), seconds=1.5)


def test_another_process_finds_the_same(tmp_path):
    Shelf(tmp_path).put(KEY, DONE, {"z": torch.eye(3)})
    found = Shelf(tmp_path)
    assert found.outcome(KEY) == DONE
    torch.testing.assert_close(found.tensors(KEY)["z"], torch.eye(3), rtol=0, atol=0)


def test_what_was_not_run_is_none(tmp_path):
    shelf = Shelf(tmp_path)
    assert shelf.outcome(KEY) is None
    assert shelf.tensors(KEY) == {}


def test_nothing_but_whole_files_is_left(tmp_path):
    Shelf(tmp_path).put(KEY, DONE, {"z": torch.eye(3)})
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [f"{KEY}.json", f"{KEY}.safetensors"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"state": "done", "unheard_of": 1}'])
def test_a_damaged_outcome_counts_as_not_run(tmp_path, content):
    shelf = Shelf(tmp_path)
    shelf.put(KEY, DONE, {})
    next(tmp_path.rglob("*.json")).write_bytes(content)
    with pytest.warns(UserWarning, match=f"{KEY}.json is missing or damaged"):
        assert Shelf(tmp_path).outcome(KEY) is None
    shelf.put(KEY, DONE, {})
    assert Shelf(tmp_path).outcome(KEY) == DONE


def test_an_outcome_counts_only_with_its_embeddings(tmp_path):
    Shelf(tmp_path).put(KEY, DONE, {"z": torch.eye(3)})
    path = next(tmp_path.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="damaged"):
        assert Shelf(tmp_path).outcome(KEY) is None
    path.unlink()
    with pytest.warns(UserWarning, match="missing"):
        assert Shelf(tmp_path).outcome(KEY) is None


def test_embeddings_damaged_inside_are_taken_away_and_named(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put(KEY, DONE, {"z": torch.eye(3)})
    path = next(tmp_path.rglob("*.safetensors"))
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(ValueError, match="the same command makes it again"):
        shelf.tensors(KEY)
    assert shelf.outcome(KEY) is None


def test_a_reading_is_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"values": np.arange(6, dtype=np.float64).reshape(2, 3).T, "ids": np.array([3, 1])}

    first, again = Shelf(tmp_path).reading(KEY, make), Shelf(tmp_path).reading(KEY, make)
    assert len(made) == 1
    assert list(first) == list(again) == ["values", "ids"]
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert first[name].dtype == again[name].dtype


def test_a_damaged_reading_is_made_again(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.reading(KEY, lambda: {"x": np.zeros(2)})
    next(tmp_path.rglob("*.safetensors")).write_bytes(b"no")
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(shelf.reading(KEY, lambda: {"x": np.ones(2)})["x"], np.ones(2))


def test_a_value_is_kept_exactly(tmp_path):
    assert Shelf(tmp_path).value(KEY, lambda: {"lr": 0.1 + 0.2}) == {"lr": 0.1 + 0.2}
    assert Shelf(tmp_path).value(KEY, lambda: {"lr": 0.0}) == {"lr": 0.1 + 0.2}


def test_of_two_that_make_a_value_at_once_both_get_the_first(tmp_path):
    assert Shelf(tmp_path).value(KEY, lambda: [2, Shelf(tmp_path).value(KEY, lambda: 1)]) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


@pytest.mark.parametrize("fault", [None, OSError("no hard links here")])
def test_a_damaged_value_is_made_again_on_any_disk(tmp_path, monkeypatch, fault):
    def link(*_):
        raise fault

    if fault:
        monkeypatch.setattr("os.link", link)
    Shelf(tmp_path).value(KEY, lambda: 1)
    path = next(tmp_path.rglob("*.json"))
    path.write_bytes(b"{")
    with pytest.warns(UserWarning, match="damaged"):
        assert Shelf(tmp_path).value(KEY, lambda: 2) == 2
    assert Shelf(tmp_path).value(KEY, lambda: 3) == 2
    assert list(path.parent.iterdir()) == [path]


def test_the_cache_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "bench"
    Shelf().put(KEY, DONE, {})
    assert (tmp_path / "bench" / "cells" / KEY[:2] / f"{KEY}.json").is_file()


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path):
    (tmp_path / "cells").write_text("a file")
    with pytest.raises(OSError):  # noqa: PT011
        Shelf(tmp_path).put(KEY, DONE, {})

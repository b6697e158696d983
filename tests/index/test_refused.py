"""What is no gallery, damaged, newer or in use is refused in one line, and nothing is changed."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

from isometry import index
from isometry.cli import main
from isometry.index.given import vectors
from isometry.index.lock import writing
from tests.index.conftest import DIM, bundle


def largest(gallery, name):
    """The file of this name in the segment of a gallery."""
    return next(gallery.glob(f"s-*/{name}"))


def rewritten(gallery, **changed):
    """Changes entries of the manifest, and leaves its hash."""
    whole = json.loads((gallery / "gallery.json").read_text())
    (gallery / "gallery.json").write_text(json.dumps({**whole, **changed}))


DAMAGE = {
    "no manifest": (lambda g: (g / "gallery.json").unlink(), "holds no gallery.json"),
    "empty manifest": (lambda g: (g / "gallery.json").write_text(""), "no JSON"),
    "manifest of something else": (lambda g: (g / "gallery.json").write_text("[1]"), "not that of a gallery"),
    "newer": (lambda g: rewritten(g, format=9), "format 9"),
    "changed manifest": (lambda g: rewritten(g, holds={}), "SHA-256"),
    "truncated vectors": (lambda g: os.truncate(largest(g, "vectors.f4"), 40), "truncated"),
    "longer ids": (lambda g: largest(g, "ids.i8").open("ab").write(b"12345678"), "truncated or damaged"),
    "changed segment.json": (lambda g: largest(g, "segment.json").write_text("{}"), "SHA-256"),
    "no vectors": (lambda g: largest(g, "vectors.f4").unlink(), "vectors.f4"),
    "no segment": (lambda g: largest(g, "ids.i8").parent.rename(g / "elsewhere"), "segment.json"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_refused_when_it_is_opened(gallery, case):
    damage, says = DAMAGE[case]
    damage(gallery)
    with pytest.raises((ValueError, OSError), match=says) as refused:
        index.read(gallery)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["vectors.f4", "ids.i8", "paths.u1", "pictures.u1"])
def test_one_changed_byte_is_found_by_reading_all(gallery, name):
    index.read(gallery).check()
    with open(largest(gallery, name), "r+b") as file:
        file.seek(17)
        byte = file.read(1)[0]
        file.seek(17)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(index.Refused, match=name):
        index.read(gallery).check()


def test_another_bundle_is_refused(gallery, tmp_path):
    bundle(tmp_path / "other.isom", seed=1)
    os.replace(tmp_path / "other.isom", next(gallery.glob("model-*.isom")))
    held = index.read(gallery)
    with pytest.raises(index.Refused, match="not the one"):
        held.search([Image.new("RGB", (24, 24))])
    with pytest.raises(index.Refused, match="model-"):
        held.check()


def test_a_damaged_attachment_is_refused(gallery):
    held = index.read(gallery)
    held.attach("calibration.json", b"{}")
    next(gallery.glob("a-*")).write_bytes(b"[]")
    with pytest.raises(index.Refused, match=r"calibration\.json"):
        _ = held.calibration


def test_a_bundle_in_a_folder_is_no_gallery(tmp_path):
    (tmp_path / "hub").mkdir()
    for name in ("manifest.json", "gallery.json"):
        (tmp_path / "hub" / name).write_text("{}")
    with pytest.raises(index.Refused, match="is a bundle"):
        index.read(tmp_path / "hub")


WRONG = {
    "k of 0": (lambda g: g.search_vectors(torch.eye(DIM), 0), "1 or more; got 0"),
    "another dimension": (lambda g: g.search_vectors(torch.eye(5), 1), "8 dimensions; got"),
    "not finite": (lambda g: g.search_vectors(torch.full((1, DIM), torch.nan), 1), "finite"),
    "no pictures": (lambda g: g.search([], 1), "list of paths"),
    "a path and no list": (lambda g: g.search("a.png", 1), "list of paths"),
    "no such picture": (lambda g: g.search(["nowhere.png"], 1), "nowhere.png"),
    "an id that is not there": (lambda g: g.items([3, 10**9]), "no picture 1000000000"),
    "a picture that is not there": (lambda g: g.picture(10**9), "no picture 1000000000"),
    "an update of nothing": (lambda g: g.update([10**9], [Image.new("RGB", (24, 24))]), "no picture 1000000000"),
    "ids twice": (lambda g: g.add_vectors(torch.eye(DIM)[:2], ids=[70, 70]), "70 is there twice"),
    "an id that is too large": (lambda g: g.delete([2**64]), "list of integers"),
    "an id that is no integer": (lambda g: g.items(torch.tensor([1.5])), "list of integers"),
    "a picture and no list": (lambda g: g.search(Image.new("RGB", (24, 24)), 1), "list of paths"),
    "negative ids": (lambda g: g.add_vectors(torch.eye(DIM)[:1], ids=[-1]), "not negative; got -1"),
    "too few ids": (lambda g: g.add_vectors(torch.eye(DIM)[:2], ids=[70]), "2 pictures and 1 ids"),
    "too few labels": (lambda g: g.add_vectors(torch.eye(DIM)[:2], labels=["a"]), "2 pictures and 1 labels"),
    "a part that is none": (lambda g: g.add_vectors(torch.eye(DIM)[:1], parts=["holdout"]), "holdout"),
    "infinite vectors": (lambda g: g.add_vectors(torch.full((1, DIM), torch.inf)), "finite"),
    "an attachment elsewhere": (lambda g: g.attach("../x", b""), "plain name"),
    "data that are not there": (lambda g: g.add_data("nowhere/"), "nowhere"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_refused_and_changes_nothing(gallery, case):
    held = index.read(gallery)
    before = sorted(path for path in gallery.rglob("*") if path.name != ".lock")
    act, says = WRONG[case]
    with pytest.raises((ValueError, OSError, KeyError), match=says) as refused:
        act(held)
    assert "\n" not in str(refused.value)
    assert sorted(path for path in gallery.rglob("*") if path.name != ".lock") == before
    assert not held.refresh()


BUILDS = {
    "a folder of other things": (lambda r, t: (r / "thing.isom", r / "data", r / "data"), "not empty"),
    "a gallery": (lambda r, t: (r / "thing.isom", r / "data", r / "gallery"), "holds a gallery"),
    "a file": (lambda r, t: (r / "thing.isom", r / "data", r / "thing.isom"), "is a file"),
    "no bundle": (lambda r, t: (r / "no.isom", r / "data", t / "g"), "no.isom"),
    "no data": (lambda r, t: (r / "thing.isom", r / "nowhere", t / "g"), "nowhere"),
    "no run": (lambda r, t: (r / "data", r / "data", t / "g"), "run"),
    "another width": (lambda r, t: (r / "thing.isom", vectors(torch.eye(5)), t / "g"), "5 dimensions"),
    "ids twice": (lambda r, t: (r / "thing.isom", vectors(torch.eye(DIM)[:2], ids=[1, 1]), t / "g"), "twice"),
    "not finite": (lambda r, t: (r / "thing.isom", vectors(torch.full((1, DIM), torch.nan)), t / "g"), "not finite"),
}


@pytest.mark.parametrize("case", BUILDS)
def test_what_cannot_be_built_leaves_nothing(root, tmp_path, case):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    arguments, says = BUILDS[case]
    with pytest.raises((ValueError, OSError), match=says):
        index.build(*arguments(root, tmp_path), workers=0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_lies_in_the_folder_is_not_swept_away(root, tmp_path):
    shutil.copy(root / "thing.isom", tmp_path / "model.isom")
    with pytest.raises(FileExistsError, match="not empty"):
        index.build(tmp_path / "model.isom", root / "data", tmp_path, workers=0)
    assert [one.name for one in tmp_path.iterdir()] == ["model.isom"]


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_of_several_sizes_for_a_model_of_one(tmp_path, workers):
    made = bundle(tmp_path / "m.isom", transform="Same()")
    (tmp_path / "data").mkdir()
    for size in (24, 30):
        Image.new("RGB", (size, size)).save(tmp_path / "data" / f"{size}.png")
    with pytest.raises(ValueError, match=r"^Pictures are of several sizes, .*Same\(\)") as said:
        index.build(made, tmp_path / "data", tmp_path / "g", workers=workers)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("z", [torch.empty(0, DIM), torch.zeros(3), torch.ones(2, DIM, dtype=torch.int64), "text"])
def test_what_is_no_matrix_is_no_vectors(z):
    with pytest.raises(ValueError, match="float matrix"):
        vectors(z)


def test_one_writer_at_a_time(gallery, monkeypatch):
    """Another process has the gallery: a writer is told so, readers are not disturbed, and it ends with its process."""
    monkeypatch.setattr("isometry.index.lock.PATIENCE", 0.1)
    code = (
        "import sys, time, pathlib; from isometry.index.lock import writing\n"
        "with writing(pathlib.Path(sys.argv[1])): print('has it', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(gallery)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "has it\n"
            held = index.read(gallery)
            with pytest.raises(index.InUse, match=f"another process \\({other.pid}\\)"):
                held.delete([1])
            assert held.search_vectors(torch.eye(DIM), 1)[1].shape == (DIM, 1)
        finally:
            other.kill()
    assert held.delete([1]) == 1


def test_a_thread_that_has_the_folder_may_go_on(gallery):
    with writing(gallery) as first, writing(gallery) as second:
        assert (first, second) == (True, False)
        assert index.read(gallery).delete([1]) == 1


def command(monkeypatch, *words):
    """Runs the command line; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isometry", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("search", "{root}/data", "{root}/a.png"), "is no gallery"),
        (("search", "{root}/gallery", "{root}/no.png"), "no.png"),
        (("search", "{root}/gallery", "{root}/thing.isom"), "not a picture"),
        (("search", "{root}/gallery", "{root}/data/class_0/0.png", "-k", "0"), "got 0"),
        (("search", "{root}/thing.isom", "{root}/data/class_0/0.png"), "carries no gallery"),
        (("delete", "{root}/gallery", "3", "99999"), "no picture 99999"),
        (("update", "{root}/gallery", "99999", "{root}/data/class_0/0.png"), "no picture 99999"),
        (("add", "{root}/gallery", "{root}/nowhere"), "nowhere"),
        (("add", "{root}/gallery", "{root}/data", "{root}/data"), "one folder, table or file"),
        (("index", "{root}/thing.isom", "{root}/data", "-o", "{out}/g", "--kind", "Contrastive()"), "no kind of index"),
        (("index", "{root}/thing.isom", "{root}/data", "-o", "{out}/g", "--recall", "2"), "recall"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_commands_say_it_in_one_line(root, tmp_path, monkeypatch, capsys, words, says):
    assert command(monkeypatch, *(word.format(root=root, out=tmp_path) for word in words)) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert says in said[0]
    assert not list(tmp_path.iterdir())

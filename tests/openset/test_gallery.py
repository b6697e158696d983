"""Calibration in a gallery on disk: kept, used, refused where the gallery has changed; and the commands."""

import json
import warnings

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from isometry import index, openset
from isometry.cli import app
from isometry.openset.calibration import NAME
from tests.openset.conftest import STRANGERS, renamed
from tests.small import folder


def run(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_match_names_what_it_knows_and_says_unknown(root):
    opened = index.read(root / "gallery")
    pictures = [root / "data" / "class_2" / "0.png", root / "new" / "new_0" / "0.png"]
    found = openset.match(opened, [str(p) for p in pictures], k=3)
    calibration = openset.kept(opened)
    assert (found[0].label, found[0].known) == ("class_2", True)
    assert found[0].score == pytest.approx(1, abs=1e-5)
    for one in found:
        assert one.known == (one.score >= one.threshold)
        assert one.known == (one.label != "unknown")
        assert (one.p <= calibration.rate) == one.known
        assert len(one.matches) == 3
        assert one.matches[0].score == pytest.approx(one.score)
        assert one.nearest == one.matches[0].label


def test_a_gallery_without_calibration_says_what_to_do(root, tmp_path):
    index.build(root / "thing.isom", root / "data", tmp_path / "bare", workers=0)
    with pytest.raises(ValueError, match="isometry calibrate GALLERY DATA makes one"):
        openset.match(index.read(tmp_path / "bare"), [str(root / "data" / "class_0" / "0.png")])


def test_a_small_change_warns_a_large_one_refuses_and_again_mends_it(root, gallery):
    picture = [str(root / "data" / "class_1" / "1.png")]
    opened = index.read(gallery)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        openset.match(opened, picture)
    opened.delete([0])
    with pytest.warns(UserWarning, match="1 gone"):
        openset.match(opened, picture)
    new = [str(p) for p in sorted((root / "new").rglob("*.png"))]
    opened.add(new, labels=["new"] * len(new))
    assert openset.standing(opened, openset.kept(opened)).changed == pytest.approx((len(new) + 1) / 32)
    with pytest.raises(openset.Stale, match="36 new, 1 gone"):
        openset.match(opened, picture)
    with pytest.warns(UserWarning, match="not promised any more"):
        assert openset.match(opened, picture, stale=True)[0].label == "class_1"
    made = run("calibrate", gallery, "--again", "--rate", "0.1")
    assert made.exit_code == 0, made.output
    opened.refresh()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert openset.match(opened, picture)[0].label == "class_1"
    assert openset.kept(opened).stamp.size == len(opened)


def test_other_pictures_under_the_same_ids_are_a_change(root, gallery):
    opened = index.read(gallery)
    ids = opened.ids()[:8]
    pictures = [str(p) for p in sorted((root / "new").rglob("*.png"))[:8]]
    opened.update(ids, pictures, labels=["class_0"] * 8)
    found = openset.standing(opened, openset.kept(opened))
    assert found.refused
    assert "8 others than they were" in found.message


def test_another_similarity_is_refused(root):
    opened = index.read(root / "gallery")
    calibration = openset.kept(opened)
    opened.similarity = "euclidean"
    assert openset.standing(opened, calibration).message == "its similarity was cosine and is euclidean"


def test_damage_is_refused(gallery):
    opened = index.read(gallery)
    calibration = openset.kept(opened)
    opened.attach("calibration.safetensors", b"something else")
    with pytest.raises(ValueError, match="calibrate again"):
        openset.kept_pictures(opened, calibration)
    opened.attach(NAME, b'{"format": 1}')
    with pytest.raises(ValueError, match="damaged"):
        openset.kept(opened)


def test_held_pictures_come_back_as_they_were(root):
    opened = index.read(root / "gallery")
    held = openset.held_of(opened.model, root / "strangers", workers=0)
    again, beside = openset.kept_pictures(opened, openset.kept(opened))
    assert torch.equal(again.z, held.z)
    assert list(again.labels) == list(held.labels)
    assert again.sizes.tolist() == [[24, 24]] * (3 * STRANGERS)
    assert torch.equal(beside["ids"], opened.ids())


def test_commands(root, gallery, tmp_path):
    made = run(
        "calibrate", gallery, root / "strangers", "--rate", "0.1", "--per-class", "--report", tmp_path / "c.html"
    )
    assert made.exit_code == 0, made.output
    assert "at most 0.1 of the pictures of new unknown classes" in made.output
    assert "Thresholds of classes" in (tmp_path / "c.html").read_text()
    picture, stranger = root / "data" / "class_2" / "0.png", root / "new" / "new_0" / "0.png"
    table = run("match", gallery, picture, stranger)
    assert table.exit_code == 0, table.output
    assert len(table.stdout.splitlines()) == 3
    listed = run("match", gallery, picture, stranger, "--json", "-k", "2")
    rows = json.loads(listed.stdout)
    assert [row["picture"] for row in rows] == [str(picture), str(stranger)]
    assert len(rows[0]["matches"]) == 2
    assert rows[0].keys() >= {"label", "known", "score", "threshold", "p"}


def test_drift_ends_with_one_only_if_asked(root, gallery, tmp_path):
    dark = renamed(folder(tmp_path / "dark", classes=20, each=3, seed=7), "dark")
    for path in dark.rglob("*.png"):
        Image.open(path).point(lambda v: v // 8).resize((48, 48)).save(path)
    same = renamed(folder(tmp_path / "same", classes=20, each=3, seed=8), "same")
    quiet = run("drift", gallery, same, "--check", "--level", "0.001")
    assert quiet.exit_code == 0, quiet.output
    assert run("drift", gallery, dark).exit_code == 0
    loud = run("drift", gallery, dark, "--check", "--report", tmp_path / "d.html")
    assert "drift: " in loud.output
    assert loud.exit_code == 1
    assert "Where the new pictures lie" in (tmp_path / "d.html").read_text()
    found = json.loads(run("drift", gallery, dark, "--json").stdout)
    assert found["drift"]
    assert {test["name"] for test in found["tests"]} >= {"embeddings", "size of pictures"}


def test_calibrate_wants_data_or_again(root):
    for args in ([], [root / "strangers", "--again"]):
        found = run("calibrate", root / "gallery", *args)
        assert isinstance(found.exception, ValueError)
        assert "not both" in str(found.exception)

import os
import unicodedata

import pytest
import torch

from isometry.data import glyphs as module
from isometry.data.glyphs import default_split, glyphs


@pytest.fixture(scope="module")
def data():
    return glyphs()


def test_has_the_size_that_was_published(data):
    parts = default_split(data)
    for part, classes, images in (("train", 939, 12_487), ("test", 422, 5_011)):
        mine = torch.tensor([p == part for p in parts])
        assert abs(int(mine.sum()) - images) <= 0.02 * images
        assert abs(len(data.labels[mine].unique()) - classes) <= 0.02 * classes


def test_parts_share_no_class_and_no_script(data):
    parts = default_split(data)
    scripts = {
        part: {data.scripts[c] for c, p in zip(data.labels.tolist(), parts, strict=True) if p == part}
        for part in set(parts)
    }
    assert scripts == {"train": {"Latin"}, "validation": {"Greek"}, "test": {"Cyrillic", "Armenian", "Georgian"}}


def test_no_drawing_comes_twice_in_a_class(data):
    seen = {(label, image.numpy().tobytes()) for label, image in zip(data.labels.tolist(), data.images, strict=True)}
    assert len(seen) == len(data.images)


def test_no_two_classes_are_one_letter(data):
    assert len({unicodedata.normalize("NFC", letter) for letter in data.classes}) == len(data.classes)


def test_hierarchy_is_a_tree_whose_leaves_are_the_classes(data):
    assert torch.equal(data.hierarchy[:, 2], data.labels)
    for child, parent in ((1, 0), (2, 1)):
        pairs = data.hierarchy[:, [child, parent]].unique(dim=0)
        assert len(pairs) == len(pairs[:, 0].unique())  # one parent each
    path = {
        data.classes[label]: tuple(p) for label, p in zip(data.labels.tolist(), data.hierarchy.tolist(), strict=True)
    }
    assert path["Ж"][:2] == path["ж"][:2] != path["З"][:2]
    assert path["A"][0] != path["А"][0]  # the Latin and the Cyrillic letter


def test_is_the_same_drawn_anew_and_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    monkeypatch.setattr(
        module,
        "_fonts",
        lambda fonts=module._fonts(): [
            f for f in fonts if "STIXGeneral" in f.name or "Serif" in f.name or "Mono" in f.name
        ],
    )
    drawn, cached = glyphs(), glyphs()
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    anew = glyphs()
    for other in (cached, anew):
        assert torch.equal(other.images, drawn.images)
        assert (other.classes, other.faces, other.scripts) == (drawn.classes, drawn.faces, drawn.scripts)
        assert torch.equal(other.hierarchy, drawn.hierarchy)
    assert file.stat().st_size == len(whole)
    assert os.listdir(tmp_path) == [file.name]  # nothing half-written is left


def test_a_cache_that_cannot_be_written_to_is_not_fatal(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(
        module,
        "_fonts",
        lambda fonts=module._fonts(): [f for f in fonts if "Mono" in f.name or "STIXGeneral" in f.name],
    )
    assert glyphs().images.shape[1:] == (1, 32, 32)

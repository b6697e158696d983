"""Features are what the trunk makes, are made once, and change their name with whatever changes them."""

import json

import pytest
import torch

from isometry.bench import features as made_once
from isometry.bench.features import features, weights_of
from isometry.data import read
from isometry.model import Embedder
from tests.bench.studies import TRUNK
from tests.small import digits, folder


def of(data, cache, trunk=TRUNK, pool="Average()", transform="Same()", **more):
    return features(data, trunk, pool, transform, cache, **more)


def files(cache):
    return sorted(path.name for path in (cache / "features").iterdir())


def test_they_are_the_heads_input(tmp_path):
    data = read(digits(per_class=3))
    found = of(data, tmp_path)
    model = Embedder.parse(TRUNK, "Average()", "Linear(dim=4)")
    model.trunk.load_state_dict(made_once.body(TRUNK, "Average()").model.trunk.state_dict())
    model.eval()
    h = model(data.images.tensor).h.detach()
    torch.testing.assert_close(found.rows, h)
    assert found.readable.tolist() == list(range(60))
    assert not found.unreadable


def test_they_are_made_once(tmp_path):
    data = read(digits(per_class=3))
    first, said = of(data, tmp_path), []
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "features").iterdir()}
    assert torch.equal(of(data, tmp_path, say=said.append).rows, first.rows)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "features").iterdir()} == before
    assert not said


@pytest.mark.parametrize(
    "changed", [{"pool": "Max()"}, {"trunk": TRUNK.replace("16", "12")}, {"transform": "Chain()"}, {"untrained": True}]
)
def test_whatever_they_depend_on_is_in_their_name(tmp_path, changed):
    data = read(digits(per_class=3))
    of(data, tmp_path)
    of(data, tmp_path, **changed)
    assert len(files(tmp_path)) == 4


def test_another_picture_makes_other_features(tmp_path):
    images, labels = digits(per_class=3)
    of(read((images, labels)), tmp_path)
    images = images.copy()
    images[0, 0, 0] ^= 1
    of(read((images, labels)), tmp_path)
    assert len(files(tmp_path)) == 4


def test_pictures_that_cannot_be_read_are_named_and_left_out(tmp_path):
    root = folder(tmp_path / "pictures", classes=4, each=2)
    (root / "class_1" / "0.png").write_bytes(b"no picture")
    found = of(read(root), tmp_path, trunk="ConvNet(widths=(4, 8), channels=3, size=24)")
    assert found.readable.tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert len(found.unreadable) == 1
    assert "class_1" in found.unreadable[0]
    assert bool((found.rows[found.readable].abs().sum(1) > 0).all())


def test_two_that_make_them_at_once_both_succeed(tmp_path):
    data, others = read(digits(per_class=3)), []
    mine = of(data, tmp_path, say=lambda text: others.append(of(data, tmp_path)))  # begun later, ready before
    assert len(others) == 1
    assert torch.equal(mine.rows, others[0].rows)
    assert {name.partition(".")[2] for name in files(tmp_path)} == {"json", "npy"}


def test_a_matrix_without_its_note_is_made_again(tmp_path):
    data = read(digits(per_class=3))
    rows = of(data, tmp_path).rows.clone()
    next((tmp_path / "features").glob("*.json")).unlink()
    next((tmp_path / "features").glob("*.npy")).write_bytes(b"half of")
    assert torch.equal(of(data, tmp_path).rows, rows)


def test_what_is_known_of_a_trunk_is_kept_beside_it(tmp_path):
    known = weights_of(TRUNK, "Flatten()", tmp_path)
    assert (known.channels, known.features, known.published) == (1, 256, False)
    (note,) = (tmp_path / "trunks").iterdir()
    note.write_text(json.dumps({**json.loads(note.read_text()), "digest": "kept"}))
    assert weights_of(TRUNK, "Flatten()", tmp_path).digest == "kept"
    assert weights_of(TRUNK.replace("16", "12"), "Flatten()", tmp_path).digest not in ("kept", known.digest)

"""After any changes a gallery finds what an exhaustive comparison finds."""

import numpy as np
import pytest
import torch
from PIL import Image

import isometry
from isometry import index
from isometry.index.given import vectors
from tests.index.conftest import CLASSES, DIM, EACH, bundle
from tests.index.exhaustive import agrees, brute, held


def test_any_sequence_of_changes_is_that_of_a_dictionary(tmp_path):
    g = np.random.default_rng(0)
    z = torch.randn(20, DIM)
    gallery = held(tmp_path, z)
    other, found, labels = index.read(tmp_path / "g"), dict(enumerate(z)), dict.fromkeys(range(20), "")
    for step in range(24):
        what, n = g.choice(["add", "update", "delete", "compact"], p=[0.5, 0.2, 0.25, 0.05]), int(g.integers(1, 6))
        known = np.array(list(found))
        if what == "compact":
            gallery.compact()
        elif what == "delete":
            some = g.choice(known, min(n, len(known) - 1), replace=False).tolist()
            assert gallery.delete([*some, 10**15]) == len(some)
            found = {i: one for i, one in found.items() if i not in some}
        else:
            new, name = torch.randn(n, DIM), f"of step {step}"
            ids = g.choice(known, n, replace=False).tolist() if what == "update" and n <= len(known) else None
            ids = gallery.add_vectors(new, ids=ids, labels=[name] * n).tolist()
            found |= dict(zip(ids, new, strict=True))
            labels |= dict.fromkeys(ids, name)
        assert other.refresh()
        for one in (gallery, other):
            assert len(one) == len(found)
            assert sorted(one.ids().tolist()) == sorted(found)
        agrees(other, torch.randn(3, DIM), found, 6)
        names = list(found)
        assert other.items(names).labels == tuple(labels[i] for i in names)
        torch.testing.assert_close(
            other.vectors(names), torch.nn.functional.normalize(torch.stack(list(found.values())), dim=1)
        )
    gallery.check()
    assert not other.refresh()
    assert len([one for one in (tmp_path / "g").iterdir() if one.name.startswith("s-")]) < 8


def test_ids_have_64_bits(gallery):
    held = index.read(gallery)
    far = [2**62 + 1, 2**62, 5]
    held.add_vectors(torch.eye(DIM)[:3], ids=far, labels=["a", "b", "c"])
    assert held.items(far).labels == ("a", "b", "c")
    assert held.add_vectors(torch.eye(DIM)[:1]).tolist() == [2**62 + 2]


def test_an_update_keeps_the_label(gallery, root):
    held = index.read(gallery)
    label = held.items([7]).labels
    held.update([7], [str(root / "data" / "class_9" / "0.png")])
    assert held.items([7]).labels == label
    assert held.items([7]).paths == (str(root / "data" / "class_9" / "0.png"),)
    assert held.search([str(root / "data" / "class_9" / "0.png")], 2)[0][1].score > 0.9999


def test_only_what_is_kept_is_found(root):
    gallery = index.read(root / "gallery")
    z = gallery.vectors([0, 1])
    scores, ids = gallery.search_vectors(z, 3, keep=[4, 30, 10**9])
    assert {*ids[:, :2].flatten().tolist()} == {4, 30}
    assert (ids[:, 2] == -1).all()
    assert (scores[:, 2] == -torch.inf).all()
    assert (gallery.search_vectors(z, 2, keep=[])[1] == -1).all()


def test_an_empty_gallery_is_one(tmp_path):
    gallery = held(tmp_path, torch.eye(DIM))
    gallery.delete(gallery.ids())
    for _ in range(2):
        assert len(index.read(tmp_path / "g")) == 0
        assert (gallery.search_vectors(torch.eye(DIM), 2)[1] == -1).all()
        gallery.compact()
    assert gallery.add_vectors(torch.eye(DIM)[:1]).tolist() == [DIM]
    assert gallery.search_vectors(torch.eye(DIM)[:1], 1)[1].tolist() == [[DIM]]


def test_what_is_deleted_leaves_the_disk_at_the_next_compaction(gallery, root):
    held = index.read(gallery)
    path = held.items([11]).paths[0]
    held.delete([11])
    held.compact()
    content = b"".join(one.read_bytes() for one in gallery.rglob("*") if one.is_file() and one.suffix != ".isom")
    assert path.encode() not in content
    assert b"class_3/1.png" in content


def test_changes_of_a_base_with_an_index(tmp_path):
    z, more = torch.randn(300, DIM), torch.randn(20, DIM)
    gallery = held(tmp_path, z, kind="HNSW(links=16)")
    assert gallery.kind.startswith("HNSW")
    gallery.add_vectors(more)
    gallery.delete(range(100))
    found = dict(enumerate(torch.cat([z, more]))) | {}
    found = {i: one for i, one in found.items() if i >= 100}
    sim, _ = brute(more, found)
    for exact in (False, True):
        scores, ids = gallery.search_vectors(more, 5, exact=exact)
        assert (ids >= 100).all()
        torch.testing.assert_close(scores.double(), sim.topk(5, dim=1).values, atol=1e-5, rtol=1e-5)
    assert "120" not in gallery.beside()
    assert "20 added and 100 deleted" in gallery.beside()
    gallery.compact()
    assert gallery.beside() == ""
    assert gallery.kind.startswith("HNSW")
    assert len(index.read(tmp_path / "g")) == 220


def test_what_is_attached_stays_until_it_is_replaced(gallery):
    held, other = index.read(gallery), index.read(gallery)
    held.attach("calibration.json", b'{"rate": 0.1}')
    held.attach("calibration.json", b'{"rate": 0.2}')
    held.compact()
    assert other.refresh()
    assert other.calibration == {"rate": 0.2}
    assert other.attached("notes.txt") is None


# another gallery in the place of the one that was opened


def test_a_gallery_of_another_model_is_read_anew(tmp_path):
    z = torch.randn(30, DIM)
    gallery = held(tmp_path, z)
    pictures = [Image.effect_noise((24, 24), 80).convert("RGB")]
    gallery.search(pictures, 1)  # the model has been read
    index.build(bundle(tmp_path / "n.isom", "euclidean", seed=1), vectors(2 * z), tmp_path / "g", replace=True)
    with pytest.raises(ValueError, match="another gallery than the one that was opened"):
        gallery.add(pictures)
    with pytest.raises(ValueError, match="another gallery"):
        gallery.delete([1])
    assert len(index.read(tmp_path / "g")) == 30
    assert gallery.refresh()
    assert gallery.similarity == "euclidean"
    agrees(gallery, 2 * z[:3], dict(enumerate(2 * z)), 4, "euclidean")
    assert torch.equal(gallery.model(pictures), isometry.load(tmp_path / "n.isom")(pictures))
    assert gallery.add(pictures).tolist() == [30]


def test_readers_of_what_was_replaced_find_what_is_there(gallery):
    writer = index.read(gallery)
    writer.attach("calibration.json", b'{"rate": 0.1}')
    reader = index.read(gallery)
    writer.attach("calibration.json", b'{"rate": 0.2}')
    assert reader.calibration == {"rate": 0.2}


def test_a_deletion_does_not_read_the_index_again(tmp_path):
    z = torch.randn(300, DIM)
    gallery = held(tmp_path, z, kind="HNSW(links=8)")
    gallery.search_vectors(z[:1], 1)
    next((tmp_path / "g").glob("s-*/index")).unlink()
    gallery.delete([0])
    gallery.add_vectors(z[:1], ids=[7])
    ids = gallery.search_vectors(z[:1], 300)[1]
    assert ids[0, 0] == 7
    assert sorted(ids[0, :299].tolist()) == list(range(1, 300))
    assert ids[0, 299] == -1


def test_an_update_keeps_the_part(tmp_path):
    index.build(bundle(tmp_path / "m.isom"), vectors(torch.eye(DIM), parts=["test"] * DIM), tmp_path / "g")
    gallery = index.read(tmp_path / "g")
    gallery.update([3], [Image.new("RGB", (24, 24))])
    assert gallery.items([3]).parts == ("test",)


def test_more_are_asked_for_than_there_are(root):
    gallery = index.read(root / "gallery")
    assert len(gallery.search([Image.new("RGB", (24, 24))], 10**12)[0]) == CLASSES * EACH


def test_the_highest_id_is_the_last(tmp_path):
    gallery = held(tmp_path, torch.eye(DIM))
    gallery.add_vectors(torch.eye(DIM)[:1], ids=[2**63 - 1])
    with pytest.raises(ValueError, match="name them"):
        gallery.add_vectors(torch.eye(DIM)[:1])
    assert gallery.add_vectors(torch.eye(DIM)[:1], ids=[DIM]).tolist() == [DIM]

"""A gallery finds what an exhaustive comparison finds, whatever has been added, replaced and deleted before."""

import numpy as np
import pytest
import torch
from PIL import Image

import isometry
from isometry import index
from isometry.bundle import Bundle
from isometry.data import read
from isometry.expression import parse
from isometry.index.given import read_vectors, vectors
from isometry.index.pictures import shrunk
from tests.index.conftest import CLASSES, DIM, EACH, bundle


def held(tmp_path, z, similarity="cosine", **how):
    """A gallery of ready vectors."""
    index.build(bundle(tmp_path / "m.isom", similarity), vectors(z), tmp_path / "g", **how)
    return index.read(tmp_path / "g")


def brute(z, found, similarity="cosine"):
    """Similarities of queries to vectors by id, in float64."""
    ids = torch.tensor(list(found), dtype=torch.int64)
    return parse(similarity)(z.double(), torch.stack(list(found.values())).double()), ids


def agrees(gallery, z, found, k, similarity="cosine"):
    """Whether a search gives the k best of `found`, and nothing else."""
    scores, ids = gallery.search_vectors(z, k)
    sim, names = brute(z, found, similarity)
    most = min(k, len(found))
    best = sim.topk(most, dim=1).values
    torch.testing.assert_close(scores[:, :most].double(), best, atol=1e-5, rtol=1e-5)
    assert (ids[:, most:] == -1).all()
    assert (scores[:, most:] == -torch.inf).all()
    for row, one in zip(sim, ids[:, :most], strict=True):
        at = torch.tensor([int((names == i).nonzero()) for i in one.tolist()], dtype=torch.int64)
        assert len(set(at.tolist())) == most
        torch.testing.assert_close(row[at], row.topk(most).values, atol=1e-5, rtol=1e-5)


# what is built


def test_it_finds_what_all_comparisons_find(root):
    gallery, data = index.read(root / "gallery"), read(root / "data")
    z, _ = gallery.model.embed(data, workers=0)
    agrees(gallery, z, dict(zip(data.ids.tolist(), z, strict=True)), 7)
    files = sorted((root / "data").rglob("*.png"))[:3]
    for path, matches in zip(files, gallery.search(list(map(str, files)), 4), strict=True):
        assert len(matches) == 4
        assert str(root / "data" / matches[0].path) == str(path)
        assert matches[0].label == path.parent.name


def test_it_says_what_it_holds(root):
    gallery, data = index.read(root / "gallery"), read(root / "data")
    assert len(gallery) == CLASSES * EACH
    assert gallery.dim == DIM
    assert isinstance(gallery.model, Bundle)
    assert gallery.ids().tolist() == data.ids.tolist()
    items = gallery.items(data.ids)
    assert items.paths == data.paths
    assert items.labels == tuple(data.classes[c] for c in data.labels.tolist())
    assert set(gallery.classes) == set(data.classes)
    assert gallery.kind == "Flat()"
    assert gallery.measured[-1]["recall"] == 1


def test_small_pictures_are_kept_as_they_are(root):
    gallery, data = index.read(root / "gallery"), read(root / "data")
    assert np.array_equal(np.asarray(gallery.picture(3)), data.images[3].permute(1, 2, 0).numpy())


def test_large_pictures_are_made_small(tmp_path, root):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    gallery = index.build(root / "thing.isom", root / "data", tmp_path / "g", thumbnails=40, workers=0).read()
    number = gallery.add([str(tmp_path / "a.png")])
    assert gallery.picture(int(number[0])).size == (40, 20)


def test_without_small_pictures_the_file_is_shown(tmp_path, root):
    gallery = index.build(root / "thing.isom", root / "data", tmp_path / "g", thumbnails=0, workers=0).read()
    assert gallery.picture(0).size == (24, 24)
    blank = gallery.add([Image.new("RGB", (24, 24))])
    assert gallery.picture(int(blank[0])) is None


def test_a_shrunk_picture_keeps_its_mean():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 90, 60), dtype=np.uint8))
    small = shrunk(images, 30)
    assert small.shape == (2, 3, 30, 20)
    torch.testing.assert_close(small.float().mean((2, 3)), images.float().mean((2, 3)), atol=1.0, rtol=0)


def test_embeddings_are_those_of_the_model_bit_for_bit(root):
    gallery, data = index.read(root / "gallery"), read(root / "data")
    z = gallery.model([str(root / "data" / path) for path in data.paths])
    assert torch.equal(gallery.vectors(data.ids), torch.nn.functional.normalize(z, dim=1))


def test_unreadable_pictures_are_left_out(tmp_path, root):
    from tests.small import folder

    folder(tmp_path / "data", classes=2, each=3)
    (tmp_path / "data" / "class_0" / "1.png").write_bytes(b"no picture")
    made = index.build(root / "thing.isom", tmp_path / "data", tmp_path / "g", workers=0)
    assert (made.count, made.left_out) == (5, 1)
    assert made.read().ids().tolist() == [0, 2, 3, 4, 5]


def test_the_bundle_is_copied_without_pictures_of_its_own(root):
    copy = index.read(root / "gallery").model
    own = isometry.load(root / "thing.isom")
    assert copy.gallery is None
    images = torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    assert torch.equal(copy(images), own(images))


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "SNR()", "Truncated(size=4)"])
def test_any_similarity(tmp_path, similarity):
    z, q = torch.randn(50, DIM), torch.randn(4, DIM)
    agrees(held(tmp_path, z, similarity), q, dict(enumerate(z)), 6, similarity)


def test_a_gallery_is_replaced_whole(root, gallery):
    before = index.read(gallery)
    before.attach("calibration.json", b'{"rate": 0.01}')
    index.build(root / "thing.isom", vectors(torch.eye(DIM)), gallery, replace=True)
    assert len(before) == CLASSES * EACH  # what was open stays as it was
    assert len(before.search_vectors(torch.eye(DIM), 3)[0]) == DIM
    assert before.refresh()
    assert len(before) == len(index.read(gallery)) == DIM
    assert before.calibration is None


# ready vectors


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_what_embed_writes_is_a_gallery(tmp_path, root, suffix):
    from isometry import use

    use.embed(root / "thing.isom", str(root / "data"), tmp_path / f"z{suffix}", workers=0)
    made = index.build(root / "thing.isom", str(tmp_path / f"z{suffix}"), tmp_path / "g").read()
    own = index.read(root / "gallery")
    assert torch.equal(made.ids(), own.ids())
    assert torch.equal(made.vectors(made.ids()), own.vectors(own.ids()))
    assert made.items(made.ids()).labels == own.items(own.ids()).labels
    assert made.items(made.ids()).paths == own.items(own.ids()).paths


def test_vectors_with_ids_take_the_place_of_what_was_there(tmp_path):
    gallery = held(tmp_path, torch.eye(DIM))
    gallery.add_data(vectors(-torch.eye(DIM)[:2], ids=[1, 90], labels=["a", "b"]))
    assert sorted(gallery.ids().tolist()) == [*range(DIM), 90]
    assert gallery.items([90, 1, 0]).labels == ("b", "a", "")
    assert torch.equal(gallery.vectors([1]), -torch.eye(DIM)[:1])
    assert gallery.add_data(vectors(torch.eye(DIM)[:2])).tolist() == [91, 92]


def test_a_table_beside_vectors_may_hold_parts(tmp_path):
    np.save(tmp_path / "z.npy", np.eye(3, DIM, dtype=np.float32))
    (tmp_path / "z.csv").write_text("id,label,part\n7,a,train\n8,b,\n9,,test\n")
    found = read_vectors(tmp_path / "z.npy").items
    assert (found.ids.tolist(), found.labels, found.parts) == ([7, 8, 9], ("a", "b", ""), ("train", "", "test"))


# changes


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

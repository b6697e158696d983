"""A gallery finds what an exhaustive comparison finds, whatever has been added, replaced and deleted before."""

import numpy as np
import pytest
import torch
from PIL import Image

import isometry
from isometry import index
from isometry.bundle import Bundle
from isometry.data import read
from isometry.index.given import read_vectors, vectors
from isometry.index.pictures import shrunk
from tests.index.conftest import CLASSES, DIM, EACH
from tests.index.exhaustive import agrees, held

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

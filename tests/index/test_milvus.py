"""The store in Milvus, on its embedded form: the same calls as on a cluster."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

from isometry import index
from isometry.index.given import vectors
from isometry.index.items import items_of
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance
from tests.index.conftest import DIM, bundle
from tests.index.test_kinds import clusters

pytest.importorskip("pymilvus")
pytest.importorskip("milvus_lite")

from isometry.index.stores.milvus import Milvus

FIRST = 2**60  # ids are 64 bits wide


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return str(tmp_path_factory.mktemp("milvus") / "gallery.db")


@pytest.fixture(scope="module", params=[inner, minus_distance], ids=["inner", "minus_distance"])
def filled(uri, request):
    store = Milvus(uri, name=request.param.__name__, dim=16, compare=request.param)
    z, ids = clusters(3000, 16), torch.arange(3000) + FIRST
    labels = [f"класс {i % 5}" for i in range(3000)]
    store.add(
        z,
        items_of(ids, labels, [f"a/{i}.png" for i in range(3000)]),
        [b"\x89PNG" + bytes([i % 256]) for i in range(3000)],
    )
    return store, z, ids


@pytest.mark.parametrize("exact", [False, True])
def test_finds_the_nearest_with_their_true_similarities(filled, exact):
    store, z, ids = filled
    q = clusters(300, 16, seed=1)
    sim, found = store.search(q, 10, exact=exact)
    truth, rows = nearest(q, z, 10, similarity=store.compare)
    assert (found == ids[rows]).float().mean() > (0.999 if exact else 0.9)
    torch.testing.assert_close(sim[found == ids[rows]], truth[found == ids[rows]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_only_ids_that_are_kept_are_found(filled, exact):
    store, z, ids = filled
    sim, found = store.search(z[:4], 5, ids[7:10], exact=exact)
    assert (found[:, 3:] == -1).all()
    assert (sim[:, 3:] == -torch.inf).all()
    assert torch.isin(found[:, :3], ids[7:10]).all()
    assert (store.search(z[:4], 5, ids[:0], exact=exact)[1] == -1).all()


def test_what_is_known_comes_back(filled):
    store, z, ids = filled
    some = ids[[5, 2999, 0, 5]]
    items = store.items(some)
    assert items.labels == ("класс 0", "класс 4", "класс 0", "класс 0")
    assert items.paths == ("a/5.png", "a/2999.png", "a/0.png", "a/5.png")
    assert torch.equal(items.ids, some)
    assert torch.equal(store.vectors(some), z[[5, 2999, 0, 5]])
    assert store.pictures(some[:2]) == [b"\x89PNG\x05", b"\x89PNG" + bytes([2999 % 256])]
    assert store.classes() == tuple(f"класс {i}" for i in range(5))
    assert store.has(torch.tensor([FIRST, 3])) == [True, False]
    assert len(store) == 3000
    assert torch.equal(store.ids(), ids)
    with pytest.raises(KeyError, match="no picture 3"):
        store.items(torch.tensor([FIRST, 3]))


def test_what_is_written_is_seen_at_once(uri):
    store = Milvus(uri, name="changes", dim=16)
    z = clusters(30, 16)
    count = store.fill(lambda new: [new.add(z[i : i + 10], items_of(range(i, i + 10))) for i in (0, 10, 20)])
    assert (count, len(store)) == (30, 30)
    store.add(-z[:1], items_of([0], ["other"], ["caf\udce9.png"]), roots=["/root"])  # in the place of what was there
    assert len(store) == 30
    assert store.items(torch.tensor([0])).paths == ("caf\udce9.png",)
    assert store.roots(torch.tensor([0, 1])) == ["/root", ""]
    assert store.search(-z[:1], 1)[1].tolist() == [[0]]
    assert store.delete(torch.tensor([0, 1, 1, 77])) == 2
    assert store.has(torch.tensor([0, 1, 2])) == [False, False, True]
    assert len(store) == 28
    assert 0 not in store.search(-z[:1], 30)[1]
    assert len(Milvus(uri, name="changes", dim=16, create=False)) == 28


def test_a_collection_of_other_vectors_is_refused(filled, uri):
    store = filled[0]
    other = minus_distance if store.compare is inner else inner
    with pytest.raises(ValueError, match="has 16 dimensions, the model 8"):
        Milvus(uri, name=store.name, dim=8, compare=store.compare)
    with pytest.raises(ValueError, match="compares by"):
        Milvus(uri, name=store.name, dim=16, compare=other)
    with pytest.raises(ValueError, match="no collection 'absent'"):
        Milvus(uri, name="absent", dim=16, create=False)
    with pytest.raises(ValueError, match="any other similarity"):
        Milvus(uri, name="own", dim=16, compare=lambda a, b: a @ b.mT)


def test_what_does_not_fit_is_refused(filled):
    store, z, _ = filled
    with pytest.raises(ValueError, match="1 vectors of 16 dimensions are expected"):
        store.add(z[:1, :8], items_of([1]))
    with pytest.raises(ValueError, match="up to 65,535 bytes"):
        store.add(z[:1], items_of([1]), [bytes(60_000)])
    with pytest.raises(ValueError, match="from 1 to 16,384"):
        store.search(z[:1], 0)


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        ("http://127.0.0.1:9", ConnectionError, "did not answer"),
        ("/no/such/folder/a.db", ConnectionError, "not exists.*another process"),
        ("htp://host", ValueError, "Did you mean 'http'"),
        ("notes.txt", ValueError, "ends in .db"),
        ("http://me:secret@host", ValueError, "ISOMETRY_MILVUS_TOKEN"),
    ],
)
def test_a_store_that_is_not_there_is_said_in_a_line(uri, error, message):
    with pytest.raises(error, match=message) as said:
        Milvus(uri, dim=16)
    assert "\n" not in str(said.value)
    assert "secret@" not in str(said.value)


def test_a_gallery_whose_vectors_lie_in_milvus(tmp_path, uri):
    def build(**how):
        return index.build(made, vectors(z, labels=["a"] * 30), tmp_path / "g", store=uri, **how).read()

    made, z = bundle(tmp_path / "m.isom"), clusters(30, DIM)
    gallery, other = build(), index.read(tmp_path / "g")
    assert gallery.add([Image.new("RGB", (24, 24), "red")], labels=["red"]).tolist() == [30]
    gallery.update([3], [Image.new("RGB", (24, 24), "blue")])
    assert gallery.delete([4, 30]) == 2
    assert gallery.add_vectors(z[:2]).tolist() == [31, 32]  # an id that was there is not given again
    assert other.refresh()
    assert (len(other), other.generation) == (31, 5)
    assert (other.items([3]).labels, other.picture(3).size) == (("a",), (24, 24))
    assert set(other.search_vectors(z[:1], 2)[1][0].tolist()) == {0, 31}
    gallery.check()
    first = gallery.folder.manifest.collection
    assert build(replace=True).folder.manifest.collection != first
    assert first not in Milvus(uri, name="other", dim=2).client.list_collections()  # it has been removed
    assert other.refresh()
    assert len(other) == 30
    next((tmp_path / "g").glob("model-*.isom")).write_bytes(b"")
    with pytest.raises(index.Refused, match="model-"):
        other.check()


def test_what_cannot_be_built_leaves_no_collection(tmp_path, uri):
    before = Milvus(uri, name="other", dim=2).client.list_collections()
    z = clusters(30, DIM)
    z[20] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        index.build(bundle(tmp_path / "m.isom"), vectors(z), tmp_path / "g", store=uri)
    assert Milvus(uri, name="other", dim=2).client.list_collections() == before


def test_without_the_client_it_is_said_how_to_get_it():
    code = (
        "import sys; sys.modules['pymilvus'] = None\n"
        "from isometry.index.stores.milvus import Milvus\n"
        "try: Milvus('a.db', dim=2)\n"
        "except ImportError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "A gallery in Milvus needs its client: pip install 'isometry[milvus]'.\n"

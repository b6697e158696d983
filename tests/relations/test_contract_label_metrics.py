"""The contract of every exported distance between labels: a new file is picked up by itself, and wants a case here."""

import importlib.util
import inspect

import numpy as np
import pytest
import torch

import isometry
from isometry import relations
from isometry.label_metric import LabelMetric, metric_of

N = 24
METRICS = {n for n in relations.__all__ if inspect.isclass(t := getattr(relations, n)) and issubclass(t, LabelMetric)}
ALIASES = [n for n in relations.__all__ if n[0].islower() and metric_of(getattr(relations, n))]


def taxi(rows, cols):
    return (rows[:, None] - cols[None]).abs().sum(-1)


def numbers(g, t):
    return torch.randn(N, t, generator=g, dtype=torch.float64)


def maps(g):
    return torch.randint(0, 4, (N, 30), generator=g).double()


def vectors(g):
    """Sets of one to three sentences of four dimensions."""
    made = torch.randn(N, 3, 4, generator=g, dtype=torch.float64)
    made[torch.arange(3) >= torch.randint(1, 4, (N, 1), generator=g)] = torch.nan
    return made.flatten(1)


def bags(g):
    """Sets of two sentences of up to three words of five."""
    word = torch.stack([torch.randperm(5, generator=g)[:3] for _ in range(2 * N)]).view(N, 2, 3)
    weight = torch.randint(1, 4, (N, 2, 3), generator=g)
    made = torch.stack([word, weight], -1).double()
    made[torch.rand(N, 2, 3, generator=g) < 0.3] = torch.nan
    made[:, 0, 0] = torch.tensor([1.0, 1.0])
    return made.flatten(1)


def places(g):
    return torch.rand(N, 2, generator=g, dtype=torch.float64) * torch.tensor([180.0, 360.0]) - torch.tensor(
        [90.0, 180.0]
    )


CASES = {
    "CloseTargets()": lambda g: numbers(g, 3),
    "CloseTargets(radius=2.0)": lambda g: numbers(g, 1),
    "Joints()": lambda g: numbers(g, 8),
    "Joints(radius=3.0, coordinates=3)": lambda g: numbers(g, 6),
    "Scaled(scales=(1.0, 10.0, 0.1))": lambda g: numbers(g, 3),
    "Circular(period=7.0)": lambda g: 10 * numbers(g, 1),
    "Circular()": lambda g: 30 * numbers(g, 2),
    "Places(radius=5000.0)": places,
    "Layouts(regions=4)": maps,
    "Layouts()": maps,
    "Layouts(regions=4, matched=True)": maps,
    "Captions(dim=4)": vectors,
    "WordMover(vectors='words.npz', words=3)": bags,
    "WordMover(vectors='words.npz', relaxed=False, words=3)": bags,
    "GivenDistances(matrix='given.npy')": lambda g: torch.arange(N).double()[:, None],
    "By": lambda g: numbers(g, 3),
}
UNBOUNDED = ("By", "GivenDistances(matrix='given.npy')", "Layouts(regions=4, matched=True)")
TRIANGLE = ("CloseTargets", "Joints", "Scaled", "Circular", "Places")


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    isometry.relations.word_vectors.word_vectors.cache_clear()
    np.savez("words.npz", words=np.array(list("abcde")), vectors=rng.normal(size=(5, 3)))
    apart = rng.random((N, N))
    np.save("given.npy", (apart + apart.T) * (1 - np.eye(N)))


def case(text, dtype=torch.float64):
    if "relaxed=False" in text and importlib.util.find_spec("ot") is None:
        pytest.skip("POT is not installed")
    metric = relations.By(distance=taxi) if text == "By" else isometry.parse(text)
    return metric, CASES[text](torch.Generator().manual_seed(3)).to(dtype)


def close(a, b, **kind):
    torch.testing.assert_close(a, b, **{"rtol": 1e-5, "atol": 1e-5, "check_dtype": False, **kind})


def test_every_exported_distance_has_a_case():
    assert {text.split("(")[0] for text in CASES} == METRICS


@pytest.mark.parametrize("text", CASES)
def test_it_is_symmetric_and_zero_for_equal_labels(text):
    metric, y = case(text)
    apart = metric.distances(y, y)
    close(apart, apart.T, rtol=1e-12, atol=1e-12)
    assert apart.diagonal().abs().max() < 1e-12
    assert apart.isfinite().all()
    assert (apart >= 0).all()
    assert apart.unique().numel() > 5


@pytest.mark.parametrize("text", CASES)
def test_single_precision_and_the_type_of_the_labels(text):
    metric, y = case(text)
    single = metric.distances(y.float(), y.float())
    if "GivenDistances" not in text:  # which has the type of its matrix
        assert single.dtype == torch.float32
        assert metric.distances(y, y).dtype == torch.float64
    close(single, metric.distances(y, y), rtol=1e-4, atol=2e-4 if "Places" not in text else 3.0)
    assert single.diagonal().abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_large_whole_numbers_keep_their_digits(dtype):
    """Times in seconds, two apart: float32 has one number for 128 of them."""
    times = torch.tensor([1_700_000_000, 1_700_000_002, 1_700_000_010], dtype=dtype)
    metric = relations.CloseTargets(radius=5.0)
    assert metric.distances(times, times)[0].tolist() == [0, 2, 10]
    assert metric(times, times).pos[0].tolist() == [True, True, False]
    small = torch.tensor([0, 3, 255], dtype=torch.uint8)
    assert metric.prepared(small).dtype == torch.float32
    assert metric.distances(small, small)[0].tolist() == [0, 3, 255]


@pytest.mark.parametrize("text", CASES)
def test_lists_of_candidates(text):
    """Rows [b 1 t] against columns [b c t], and any number of leading dimensions."""
    metric, y = case(text)
    y = metric.prepared(y).nan_to_num()
    whole = metric.gap(y, y)
    lists = torch.stack([torch.randperm(N, generator=torch.Generator().manual_seed(i))[:5] for i in range(N)])
    close(metric.gap(y[:, None], y[lists])[:, 0], whole.gather(1, lists), atol=1e-12)
    folded = y.view(2, 3, 4, -1)
    close(metric.gap(folded, folded)[1, 2], whole[20:24, 20:24], atol=1e-12)
    assert metric.gap(y[:0, None], y[:0, None]).shape == (0, 1, 1)
    assert metric.gap(y[:0], y).shape == (0, N)


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_its_bound_holds(text, dtype):
    metric, y = case(text, dtype)
    y = metric.prepared(y)
    bound = metric.bound(y)
    if text in UNBOUNDED:
        assert bound is None
        return
    apart, vectors = metric.distances(y, y).double(), bound.vectors.double()
    beside = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist") ** bound.power
    slack = (1e-9 if dtype == torch.float64 else 1e-5) * float(apart.max())
    assert vectors.isfinite().all()
    assert (bound.least * beside <= apart + slack).all()
    assert (apart <= bound.most * beside.nan_to_num() + slack).all() or bound.most == float("inf")
    assert (bound.least * beside).max() > 0.05 * apart.max()  # it says something


@pytest.mark.parametrize("text", CASES)
def test_unknown_labels_are_neither_positive_nor_negative(text):
    metric, y = case(text)
    y[[2, 7]] = torch.nan
    rel, unknown = metric(y, y), torch.zeros(N, dtype=torch.bool)
    unknown[[2, 7]] = True
    either_unknown = unknown[:, None] | unknown[None, :]
    assert not (rel.pos & either_unknown).any()
    assert not (rel.neg & either_unknown).any()
    assert torch.equal(rel.pos | rel.neg, ~either_unknown)
    assert torch.equal(rel.any, ~either_unknown)
    assert torch.equal(rel.known, ~unknown)
    assert rel.gap.isfinite().all()
    assert metric.faults(metric.prepared(y)) == {}


@pytest.mark.parametrize("text", CASES)
def test_positives_lie_within_the_radius(text):
    metric, y = case(text)
    rel = metric(y, y)
    assert torch.equal(rel.pos, rel.gap <= metric.radius)
    assert torch.equal(rel.neg, rel.gap > metric.radius)
    close(rel.affinity, 1 - rel.gap / metric.radius)


@pytest.mark.parametrize("text", CASES)
def test_blocks_of_rows_and_columns_are_parts_of_the_whole(text):
    metric, y = case(text)
    whole, block = metric(y, y), metric(y[3:9], y[5:])
    for name in ("gap", "affinity", "pos", "neg", "any"):
        close(getattr(block, name), getattr(whole, name)[3:9, 5:], atol=1e-12)


@pytest.mark.parametrize("text", [text for text in CASES if text != "By"])
def test_it_is_written_as_it_is_read(text):
    assert repr(case(text)[0]) == text


@pytest.mark.parametrize("text", [text for text in CASES if text.startswith(TRIANGLE)])
def test_no_way_round_is_shorter(text):
    metric, y = case(text)
    apart = metric.distances(y, y)
    assert (apart[:, None, :] <= apart[:, :, None] + apart[None] + 1e-9).all()


@pytest.mark.parametrize("text", CASES)
def test_infinite_labels_are_named_by_row(text):
    metric, y = case(text)
    y[5, 0] = torch.inf
    assert list(metric.faults(metric.prepared(y))) == [5]


@pytest.mark.parametrize("name", ALIASES)
def test_a_function_is_its_component_at_defaults(name):
    alias = getattr(relations, name)
    metric = metric_of(alias)
    assert repr(metric) == f"{type(metric).__name__}()"
    assert alias.reads == metric.reads
    assert isometry.parse(name) is isometry.parse(f"{name}()") is alias
    assert metric_of(metric) is metric
    y = torch.arange(1.0, 2 * 768 + 1).view(2, 768).remainder(3)
    assert torch.equal(alias(y, y).gap, metric(y, y).gap)


def test_classes_have_no_distance():
    assert metric_of(relations.same_class) is None

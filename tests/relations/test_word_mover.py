"""Word Mover's Distance: against a linear programme, its lower bounds, and word vectors from files."""

import importlib.util

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from isometry.relations import WordMover
from isometry.relations.word_vectors import word_vectors

NAN = float("nan")
TABLE = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64).float()
exact = pytest.mark.skipif(importlib.util.find_spec("ot") is None, reason="POT is not installed")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "words.npz"
    words = np.array(["dog", "cat", "runs", "sleeps", "beach", "sofa", "café"])
    np.savez(path, words=words, vectors=TABLE.numpy())
    return str(path)


class Said:
    def __init__(self, *captions):
        self.captions, self.targets = captions, None


def bags(n, words=4, seed=0):
    """One sentence an item."""
    g = torch.Generator().manual_seed(seed)
    word = torch.stack([torch.randperm(7, generator=g)[:words] for _ in range(n)])
    made = torch.stack([word, torch.randint(1, 4, (n, words), generator=g)], -1).double()
    made[torch.arange(words) >= torch.randint(1, words + 1, (n, 1), generator=g)] = NAN
    return made.flatten(1)


def split(bag):
    pairs = bag.view(-1, 2)
    pairs = pairs[~pairs.isnan().any(1)]
    return TABLE[pairs[:, 0].long()].double(), pairs[:, 1] / pairs[:, 1].sum()


def transport(one, other):
    """min Σ T_ij ‖x_i − x'_j‖ with the margins a and a', as a linear programme."""
    (x, a), (y, b) = split(one), split(other)
    n, m = len(a), len(b)
    rows = np.kron(np.eye(n), np.ones(m))
    cols = np.kron(np.ones(n), np.eye(m))
    cost = torch.cdist(x, y).flatten().numpy()
    return linprog(cost, A_eq=np.vstack([rows, cols]), b_eq=np.concatenate([a, b]), method="highs").fun


def centroids(one, other):
    (x, a), (y, b) = split(one), split(other)
    return float(torch.dist(a @ x, b @ y))


def nearest_words(one, other):
    """RWMD of the paper: the greater of the two relaxations."""
    (x, a), (y, b) = split(one), split(other)
    apart = torch.cdist(x, y)
    return float(max(a @ apart.amin(1), b @ apart.amin(0)))


@exact
def test_it_is_the_optimum_of_a_linear_programme(file):
    y = bags(8)
    expected = torch.tensor([[2 * transport(a, b) for b in y] for a in y], dtype=torch.float64)  # both directions
    found = WordMover(vectors=file, relaxed=False, words=4).distances(y, y)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_relaxed_is_the_greatest_of_three_lower_bounds(file):
    """WCD ≤ relaxed ≤ WMD, and RWMD ≤ relaxed."""
    y = bags(12, seed=1)
    relaxed = WordMover(vectors=file, words=4).distances(y, y) / 2
    wcd = torch.tensor([[centroids(a, b) for b in y] for a in y], dtype=torch.float64)
    rwmd = torch.tensor([[nearest_words(a, b) for b in y] for a in y], dtype=torch.float64)
    wmd = torch.tensor([[transport(a, b) for b in y] for a in y], dtype=torch.float64)
    torch.testing.assert_close(relaxed, torch.maximum(wcd, rwmd), rtol=1e-6, atol=1e-6)
    assert (relaxed <= wmd + 1e-6).all()
    assert (relaxed[~torch.eye(12, dtype=torch.bool)] / wmd[~torch.eye(12, dtype=torch.bool)]).mean() > 0.8


def test_the_mean_vectors_may_be_farther_apart_than_the_nearest_words(file):
    """The same words in other shares: RWMD = 0 < WCD, which is WMD here."""
    y = torch.tensor([[0.0, 9.0, 1.0, 1.0], [0.0, 1.0, 1.0, 9.0]], dtype=torch.float64)
    assert nearest_words(*y) == 0
    expected = 0.8 * torch.dist(TABLE[0], TABLE[1]).item()
    assert centroids(*y) == pytest.approx(expected)
    assert transport(*y) == pytest.approx(expected)
    assert WordMover(vectors=file, words=2).distances(y, y)[0, 1].item() == pytest.approx(2 * expected)


@pytest.mark.parametrize("relaxed", [True, pytest.param(False, marks=exact)])
def test_words_by_hand(tmp_path, relaxed):
    """Words at 0, 1 and 3 on a line. {0, 1} to {3}: (3 + 2)/2; {0, 0, 3} to {0}: 1. Both ways: twice that."""
    np.savez(tmp_path / "line.npz", words=np.array(["o", "p", "q"]), vectors=np.array([[0.0], [1.0], [3.0]]))
    metric = WordMover(vectors=str(tmp_path / "line.npz"), relaxed=relaxed, words=2)
    y = metric.labels(Said(("o p",), ("q",), ("o o q",), ("o",)))
    assert metric.distances(y, y)[0, 1].item() == pytest.approx(5)
    assert metric.distances(y, y)[2, 3].item() == pytest.approx(2)


@pytest.mark.parametrize("relaxed", [True, pytest.param(False, marks=exact)])
def test_sets_of_sentences_look_for_the_nearest(file, relaxed):
    metric = WordMover(vectors=file, relaxed=relaxed, words=4)
    y = bags(6, seed=3)
    sets = torch.stack([torch.cat([y[0], y[1]]), torch.cat([y[2], y[3]]), torch.cat([y[4], torch.full((8,), NAN)])])
    single = metric.distances(y, y) / 2
    pair = lambda a, b: float(single[a][:, b].amin(1).sum() + single[a][:, b].amin(0).sum())  # noqa: E731
    expected = [[pair(a, b) for b in ([0, 1], [2, 3], [4])] for a in ([0, 1], [2, 3], [4])]
    torch.testing.assert_close(metric.distances(sets, sets), torch.tensor(expected, dtype=torch.float64))


def test_captions_become_bags_of_known_words(file):
    metric = WordMover(vectors=file, words=3)
    y = metric.labels(Said(("The dog runs; a DOG sleeps.", "xyzzy"), (), ("Café, beach",)))
    assert y.shape == (3, 2 * 3 * 2)
    assert y[0].nan_to_num(-1).tolist() == [0, 2, 2, 1, 3, 1, *[-1] * 6]
    assert y[2, :4].tolist() == [6, 1, 4, 1]
    assert metric.known(y).tolist() == [True, False, True]
    assert metric.faults(y) == {}


def test_words_that_say_little_are_left_out_unless_alone(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("3 2\nthe 1 0\ndog 0 1\nis 1 1\n")
    known = word_vectors(str(path))
    assert known.table.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert known.bag("The dog is") == {1: 1}
    assert known.bag("The is the") == {0: 2, 2: 1}
    assert not known.bag("nothing known")


def test_numbers_that_are_no_words_are_named(file):
    y = torch.tensor([[0.0, 1.0], [7.0, 1.0], [1.5, 1.0], [0.0, -1.0], [NAN, NAN]])
    faults = WordMover(vectors=file, words=1).faults(y)
    assert sorted(faults) == [1, 2, 3]
    assert "0 to 6" in faults[1]
    assert "weight" in faults[3]


def test_half_a_pair_is_no_word(file):
    """(NaN, 3) is not word 0 three times, nor (2, NaN) word 2: an item with nothing else is unknown."""
    whole = torch.tensor([[2.0, 1.0, NAN, NAN], [3.0, 2.0, NAN, NAN]])
    halves = torch.tensor([[2.0, 1.0, NAN, 3.0], [3.0, 2.0, 5.0, NAN]])
    metric = WordMover(vectors=file, words=2)
    torch.testing.assert_close(metric.distances(halves, halves), metric.distances(whole, whole))
    torch.testing.assert_close(metric.gap(halves, halves), metric(whole, whole).gap)
    assert sorted(metric.faults(halves)) == [0, 1]
    assert metric.faults(whole) == {}
    assert metric.known(torch.tensor([[NAN, 3.0, 5.0, NAN]])).tolist() == [False]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.txt", None, "There are no word vectors"),
        ("bad.txt", "dog one two\n", "Line 1 of .* no word with its numbers"),
        ("odd.txt", "dog 1 2\ncat 1\n", "Line 2 of .* has 1 numbers, and the first has 2"),
        ("empty.txt", "", "0 words and vectors of shape"),
    ],
)
def test_files_without_vectors_are_named(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=said):
        word_vectors(str(tmp_path / name))


def test_an_archive_without_words_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", vectors=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"has no words; it has vectors"):
        word_vectors(str(tmp_path / "a.npz"))


def test_a_wrong_width_is_named(file):
    with pytest.raises(ValueError, match=r"16 pairs .* 10 label columns are no multiple of 32"):
        WordMover(vectors=file)(torch.zeros(2, 10), torch.zeros(2, 10))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        WordMover(words=0)

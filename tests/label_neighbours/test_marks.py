"""What is kept is used again for the same distance only."""

import os

import numpy as np
import pytest
import torch

from isometry.label_metric import LabelMetric
from isometry.label_neighbours import fingerprint, label_neighbours, open_neighbours
from isometry.relations import By, CloseTargets, GivenDistances, Layouts, Scaled, WordMover
from isometry.relations.word_vectors import word_vectors
from isometry.samplers import DenseTriplets

Y = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 2)))
IDS = torch.arange(50)


def distances(seed):
    points = np.random.default_rng(seed).normal(size=(50, 2))
    return np.linalg.norm(points[:, None] - points, axis=-1).astype(np.float32)


def apart(rows, cols):
    return torch.cdist(rows, cols)


def other_way(rows, cols):
    return 9 - apart(rows, cols).clamp_max(9)


class Weighed(LabelMetric):
    """A distance with something that its text does not tell."""

    weights: torch.Tensor

    def gap(self, rows, cols):
        return torch.cdist(rows * self.weights, cols * self.weights)


def same_lists(one, other):
    return np.array_equal(one.index, other.index) and np.array_equal(one.distance, other.distance)


def test_another_matrix_of_one_size_is_another_distance(tmp_path):
    one, other = (GivenDistances(matrix=distances(seed)) for seed in (0, 1))
    assert repr(one) == repr(other)
    assert one.mark() != other.mark()
    assert one.mark() == GivenDistances(matrix=torch.from_numpy(distances(0))).mark()
    label_neighbours(IDS, one, 3, folder=tmp_path / "near")
    found = label_neighbours(IDS, other, 3, folder=tmp_path / "near")
    assert same_lists(found, label_neighbours(IDS, other, 3))


def test_a_file_that_was_written_again_is_another_distance(tmp_path):
    file, home = tmp_path / "m.npy", tmp_path / "near"
    np.save(file, distances(0))
    before = GivenDistances(matrix=str(file))
    label_neighbours(IDS, before, 3, folder=home)
    assert GivenDistances(matrix=str(file)).mark() == before.mark()
    np.save(file, distances(1))
    os.utime(file, (1e9, 1e9))
    after = GivenDistances(matrix=str(file))
    assert len({before.mark(), after.mark()}) == 2
    plain = label_neighbours(IDS, GivenDistances(matrix=distances(1)), 3)
    assert same_lists(label_neighbours(IDS, after, 3, folder=home), plain)


def test_other_word_vectors_are_another_distance(tmp_path):
    file, marks = tmp_path / "words.npz", []
    for seed in (0, 1, 0):
        np.savez(file, words=np.array(["cat", "dog"]), vectors=np.random.default_rng(seed).normal(size=(2, 3)))
        word_vectors.cache_clear()  # as in a new process
        marks.append(WordMover(vectors=str(file)).mark())
    assert marks[0] == marks[2] != marks[1]


def test_distances_are_told_apart_by_all_that_they_hold():
    told = [CloseTargets(), CloseTargets(radius=2.0), Scaled(scales=(1.0, 2.0)), Scaled(scales=(1.0, 3.0)), Layouts()]
    assert len({metric.mark() for metric in told}) == len(told)
    assert CloseTargets().mark() == CloseTargets().mark()
    assert By(distance=apart).mark() is None
    assert Weighed(weights=torch.ones(2)).mark() is None
    assert fingerprint(Y, By(distance=apart), 3) is None


def test_what_a_function_found_is_found_anew(tmp_path):
    home = tmp_path / "near"
    label_neighbours(Y, By(distance=apart), 3, folder=home)
    found = label_neighbours(Y, By(distance=other_way), 3, folder=home)
    assert same_lists(found, label_neighbours(Y, By(distance=other_way), 3))
    assert same_lists(open_neighbours(home), found)
    with pytest.raises(ValueError, match="neighbours of other labels or another metric"):
        open_neighbours(home, fingerprint(Y, CloseTargets(), 3))


def test_a_function_is_not_looked_up_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    y = np.arange(5000, dtype=np.float32)
    fold = By(distance=lambda rows, cols: (rows.remainder(1000) - cols.remainder(1000).T).abs())
    for metric, period in ((By(distance=lambda rows, cols: (rows - cols.T).abs()), 1), (fold, 1000)):
        anchor, *near = next(iter(DenseTriplets(neighbours=4, relate=metric).bind(y)))[:5]
        assert all((item - anchor) % period == 0 for item in near)
        assert len(set(near)) == 4
    assert not list(tmp_path.iterdir())

"""Continuous labels that nothing can be learned from are named before training; odd ones are noted."""

import dataclasses

import numpy as np
import pytest
import torch

from isometry.data import read, split
from isometry.label_check import check, check_all
from isometry.relations import By, Captions, Circular, GivenDistances, Joints, label_tree


def data(targets):
    """Grey pictures with these labels."""
    made = read((np.zeros((len(targets), 8, 8), np.uint8), np.arange(len(targets)) + 0.5))
    return dataclasses.replace(made, targets=torch.as_tensor(targets, dtype=torch.float32))


def poses(n=12, width=4):
    return torch.rand(n, width, generator=torch.Generator().manual_seed(0))


def test_sound_labels_are_passed_without_a_word():
    made = data(poses())
    assert check(made, Joints()) == []
    assert check_all(made, split(made), Joints()) == []


def test_classes_are_none_of_its_business():
    assert check(read((np.zeros((4, 8, 8), np.uint8), [1, 1, 1, 1]))) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_rows_without_a_number_are_named_from_one(bad):
    targets = poses()
    targets[[2, 5]] = bad
    with pytest.raises(ValueError, match=r"not finite numbers in rows 3, 6\."):
        check(data(targets), Joints())


def test_rows_are_those_of_the_source_after_a_split():
    targets = poses()
    targets[7, 1] = float("nan")
    with pytest.raises(ValueError, match="in row 8"):
        check(data(targets).select(torch.tensor([3, 7, 9])))


def test_half_a_joint_too_many_is_named():
    with pytest.raises(ValueError, match=r"5 label columns are no multiple"):
        check(data(poses(width=5)), Joints())


def test_what_the_metric_itself_finds_faulty_is_named():
    class Unit(Joints):
        def faults(self, labels):
            return dict.fromkeys((labels > 1).any(1).nonzero()[:, 0].tolist(), "a joint outside the picture")

    targets = poses()
    targets[4] = 3.0
    with pytest.raises(ValueError, match=r"a joint outside the picture \(in row 5\)"):
        check(data(targets), Unit())


def test_equal_labels_are_refused_in_any_part():
    with pytest.raises(ValueError, match=r"all 6 labels are equal \(2\)"):
        check(data([[2.0]] * 6))
    made = data(poses())
    parts = split(made)
    constant = torch.where(torch.isin(made.ids, parts.test.ids)[:, None], 0.5, made.targets)
    made = dataclasses.replace(made, targets=constant)
    with pytest.raises(ValueError, match=r"arrays \(test part\): all \d labels are equal"):
        check_all(made, split(made))


def test_places_that_never_vary_and_copies_are_noted():
    targets = poses(n=10)
    targets[:, 1] = 7.0
    targets[3] = targets[8]
    notes = check(data(targets))
    assert len(notes) == 2
    assert notes[0] == "numbers that never vary, at these places of the label: 2 (of 4)"
    assert notes[1].startswith("20.0% of the labels equal another one exactly (rows 4 and 9): ")


def test_of_many_copies_the_first_are_named():
    targets = poses(n=12)
    targets[6:11] = targets[:1]
    (note,) = check(data(targets))
    assert note.startswith("50.0% of the labels equal another one exactly (rows 1 and 7, 1 and 8, 1 and 9, …): ")


@pytest.mark.parametrize(
    ("relate", "targets"),
    [
        (Circular(period=24), [[1.0], [24.0], [5.0], [0.0], [7.0], [48.0]]),
        (Captions(dim=2), [[1.0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [1, 1, 0, 1], [2, 0, 3, 0]]),
        (By(distance=lambda a, b: (a.abs() - b.abs().T).abs()), [[1.0], [2], [-3], [-2], [5], [2]]),
    ],
)
def test_different_labels_at_distance_0_are_named(relate, targets):
    """24 h and 0 h; sentences in another order, or twice as long; what a function of yours does not see."""
    notes = [note for note in check(data(targets), relate) if note.startswith("different labels at distance 0 (")]
    said = {Circular: "rows 2 and 4, 2 and 6", Captions: "rows 1 and 3, 2 and 6", By: "rows 2 and 4"}[type(relate)]
    assert notes == [f"different labels at distance 0 ({said}): {relate!r} cannot tell them apart"]


def test_a_matrix_that_puts_different_items_in_one_place_is_noted():
    apart = 1 - torch.eye(5)
    apart[1, 3] = apart[3, 1] = 0
    (note,) = check(data(poses(n=5)), GivenDistances(matrix=apart))
    assert note.startswith("different labels at distance 0 (rows 2 and 4): ")


def test_a_relation_of_labels_that_are_not_there_is_refused():
    with pytest.raises(ValueError, match="label_tree reads hierarchy, and arrays has none"):
        check(data(poses()), label_tree)

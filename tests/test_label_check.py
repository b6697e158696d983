"""Continuous labels that nothing can be learned from are named before training; odd ones are noted."""

import dataclasses

import numpy as np
import pytest
import torch

from isometry.data import read, split
from isometry.label_check import check, check_all
from isometry.relations import Joints, label_tree


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
    assert notes[1].startswith("20.0% of the labels equal another one exactly")


def test_a_relation_of_labels_that_are_not_there_is_refused():
    with pytest.raises(ValueError, match="label_tree reads hierarchy, and arrays has none"):
        check(data(poses()), label_tree)

"""Folds share no class, leave the test alone, and are the same on every machine."""

import dataclasses

import numpy as np
import pytest
import torch

from isometry.bench.folds import ALWAYS, TEST, divided
from isometry.data import read
from tests.small import digits


def data(labels, **more):
    labels = np.array(labels)
    found = read((np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 2, 2), labels))
    return dataclasses.replace(found, **more)


@pytest.mark.parametrize("windows", [False, True])
def test_each_training_class_validates_once_and_no_part_shares_a_class(windows):
    found = read(digits(per_class=4))
    division = divided(found, 3, windows)
    validated = []
    for fold in range(3):
        parts = division.splits(found, fold)
        classes = [set(getattr(parts, name).present().tolist()) for name in ("train", "validation", "test")]
        assert not classes[0] & classes[1]
        assert not (classes[0] | classes[1]) & classes[2]
        assert len(parts.train) + len(parts.validation) + len(parts.test) == len(found)
        validated += sorted(classes[1])
    assert sorted(validated) == list(range(10))
    assert sorted(np.bincount(division.fold[division.fold >= 0])) == [12, 12, 16]


def test_windows_are_runs_of_the_sorted_classes():
    # Musgrave et al.: the first half of the classes, in four runs; each is an eighth of all.
    found = data(np.repeat(np.arange(16), 2))
    assert divided(found, 4, windows=True).fold[::2].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, *[TEST] * 8]


def test_a_hash_of_the_name_decides_and_not_the_order_of_the_images():
    found = data(np.repeat(np.arange(16), 2))
    order = torch.randperm(len(found))
    assert torch.equal(divided(found, 4).fold[order], divided(found.select(order), 4).fold)


def test_single_images_and_those_without_a_label_train_in_every_fold():
    found = data([*np.repeat(np.arange(16), 2), 90, -1], split=("train",) * 16 + ("test",) * 16 + ("train",) * 2)
    division = divided(found, 2)
    assert division.fold[-2:].tolist() == [ALWAYS, ALWAYS]
    for fold in range(2):
        train, validation, test = division.positions(fold)
        assert {32, 33} <= set(train.tolist())
        assert (len(train), len(validation), len(test)) == (10, 8, 16)


def test_a_validation_part_of_the_datas_own_is_cut_up_with_the_training_part():
    parts = ("train",) * 8 + ("validation",) * 8 + ("test",) * 8
    query = torch.arange(24) % 2 == 0
    found = data(np.repeat(np.arange(12), 2), split=parts, is_query=query, is_gallery=~query)
    division = divided(found, 2, windows=True)
    assert division.fold.tolist() == [0] * 8 + [1] * 8 + [TEST] * 8
    assert division.splits(found, 0).validation.is_query is None
    assert torch.equal(division.test(found).is_query, query[16:])


def test_a_validation_part_is_the_test_where_there_is_no_other():
    found = data(np.repeat(np.arange(8), 2), split=("train",) * 10 + ("validation",) * 6)
    assert (divided(found, 2).fold == TEST).tolist() == [False] * 10 + [True] * 6


@pytest.mark.parametrize("own", [("train", "train", "test", "test"), ("train", "validation", "test", "test")])
def test_a_split_of_the_datas_own_that_shares_classes_is_refused(own):
    with pytest.raises(ValueError, match=r"8 of 8 test classes of .* are trained on as well") as caught:
        divided(data(np.repeat(np.arange(8), 4), split=own * 8), 2)
    assert "\n" not in str(caught.value)


def test_one_training_image_of_a_test_class_is_refused_and_one_without_a_label_is_not():
    labels = np.repeat(np.arange(16), 2)
    with pytest.raises(ValueError, match=r"1 of 8 test classes"):
        divided(data([*labels, 15], split=("train",) * 16 + ("test",) * 16 + ("train",)), 2)
    assert divided(data([*labels, -1, -1], split=("train",) * 16 + ("test",) * 17 + ("train",)), 2).count == 2


def test_one_line_says_why_data_cannot_be_cut():
    with pytest.raises(ValueError, match=r"3 folds need 6 training classes with two images or more, and .* has 4"):
        divided(data(np.repeat(np.arange(8), 2)), 3)
    with pytest.raises(ValueError, match="has no classes"):
        divided(data([-1, -1, -1]), 2)
    with pytest.raises(ValueError, match=r"no fold 2: .* 0 to 1"):
        divided(data(np.repeat(np.arange(8), 2)), 2).positions(2)
    with pytest.raises(ValueError, match="test part"):
        divided(data([*np.repeat(np.arange(8), 2), 8, 9], split=("train",) * 16 + ("test",) * 2), 2)

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from isometry.data import Arrays, Data, read, split

NO_PICTURES = np.zeros((1, 1), np.uint8)


def data_of(labels, **fields):
    data = read((np.broadcast_to(NO_PICTURES, (len(labels), 1, 1)), labels))
    return dataclasses.replace(data, **fields)


def classes_of(data):
    return {data.classes[c] for c in data.present().tolist()}


def disjoint(parts):
    train, validation, test = (classes_of(part) for part in (parts.train, parts.validation, parts.test))
    return not (train & validation or train & test or validation & test)


def test_second_half_of_the_classes_tests_and_a_quarter_of_the_first_validates():
    parts = split(data_of(np.repeat(np.arange(1, 201), 3)))
    assert classes_of(parts.test) == {str(c) for c in range(101, 201)}
    assert len(parts.validation.present()) == 25
    assert len(parts.train.present()) == 75
    assert disjoint(parts)
    assert "last 100" in parts.rule
    assert parts.notes == ()


def test_same_every_time_and_another_for_another_seed():
    data = data_of(np.repeat(np.arange(100), 2))
    one, again, other = split(data), split(data), split(data, seed=1)
    assert torch.equal(one.validation.ids, again.validation.ids)
    assert not torch.equal(one.validation.ids, other.validation.ids)
    assert torch.equal(one.test.ids, other.test.ids)


def test_a_new_class_moves_no_other_out_of_validation():
    few = split(data_of(np.repeat(np.arange(90), 2)), validation=0.2, test=0.001)
    more = split(data_of(np.repeat([*range(90), 1000], 2)), validation=0.2, test=0.001)
    assert len(classes_of(few.validation) - classes_of(more.validation)) <= 1


@pytest.mark.parametrize("n", range(4, 12))
def test_few_classes(n):
    parts = split(data_of(np.repeat(np.arange(n), 3)))
    assert disjoint(parts)
    assert len(parts.train.present()) >= 2
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 3 * n


def test_too_few_classes():
    with pytest.raises(ValueError, match="3 classes with two images or more"):
        split(data_of([0, 0, 1, 1, 2, 2, 3]))
    with pytest.raises(ValueError, match="no labels"):
        split(data_of([-1, -1]))


def test_what_has_no_match_trains():
    parts = split(data_of(np.array([*np.repeat(np.arange(10), 2), 10, 11, 12, -1, -1])))
    assert {"10", "11", "12"} <= classes_of(parts.train)
    assert (parts.train.labels == -1).sum() == 2
    assert "3 classes of one image" in parts.rule


def test_given_parts_without_validation_take_it_from_the_training_classes():
    labels = np.repeat(np.arange(40), 2)
    data = data_of(labels, split=tuple("train" if y < 30 else "test" for y in labels))
    parts = split(data, validation=0.2)
    assert len(parts.validation.present()) == 6
    assert disjoint(parts)
    assert parts.test.labels.min() == 30
    assert len(parts.train) == 48


def test_a_validation_part_without_a_test_part_is_the_test():
    labels = np.repeat(np.arange(40), 2)
    data = data_of(labels, split=tuple("train" if y < 30 else "validation" for y in labels))
    parts = split(data)
    assert parts.test.labels.min() == 30
    assert disjoint(parts)
    assert "as test the part that it names validation" in parts.rule


def test_all_three_given_are_kept():
    parts = split(read("glyphs"))
    assert [len(part.present()) for part in (parts.train, parts.validation, parts.test)] == [939, 324, 422]
    assert parts.rule == "the parts that glyphs names"


def test_one_part_alone_is_an_error():
    with pytest.raises(ValueError, match="only the part 'train'"):
        split(data_of([0, 0, 1, 1], split=("train",) * 4))
    with pytest.raises(ValueError, match="only the part 'validation' and 'test'"):
        split(data_of([0, 0, 1, 1], split=("test", "test", "validation", "validation")))


def test_queries_without_a_match_are_counted():
    labels = np.array([*np.repeat(np.arange(8), 2), 20, 20, 21, 22, 22, -1])
    part = np.array(["train"] * 16 + ["test"] * 6)
    query = np.isin(np.arange(22), [16, 18, 19, 21])
    gallery = np.isin(np.arange(22), [17, 20])
    parts = split(
        data_of(
            labels, split=tuple(part.tolist()), is_query=torch.from_numpy(query), is_gallery=torch.from_numpy(gallery)
        )
    )
    (note,) = parts.notes
    assert note.startswith("2 test queries (1 classes) have no match in the gallery: they are not scored")
    assert parts.validation.is_query is None
    assert parts.test.is_query.sum() == 4


def test_no_query_with_a_match_is_an_error():
    labels = np.array([*np.repeat(np.arange(8), 2), 20, 21, 22])
    part = ("train",) * 16 + ("test",) * 3
    with pytest.raises(ValueError, match=r"No query of the test part .* has a match"):
        split(data_of(labels, split=part))
    labels[-1] = 20
    one = torch.arange(19)
    with pytest.raises(ValueError, match="No query of the test part"):
        split(data_of(labels, split=part, is_query=one == 16, is_gallery=one == 16))
    assert len(split(data_of(labels, split=part, is_query=one == 16, is_gallery=one >= 16)).test) == 3


def test_classes_on_both_sides_are_told():
    labels = np.repeat(np.arange(10), 4)
    parts = split(data_of(labels, split=("train", "train", "test", "test") * 10))
    assert any("trained on as well" in note for note in parts.notes)


def test_continuous_labels_are_divided_by_image():
    parts = split(data_of(torch.rand(40, 2)))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [15, 5, 20]
    assert parts.rule.startswith("by image")


def test_continuous_labels_with_given_parts_validate_on_a_share_of_the_training_images():
    data = data_of(torch.rand(40, 3), split=("train",) * 30 + ("test",) * 10)
    parts = split(data, validation=0.2)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [24, 6, 10]
    assert parts.test.ids.tolist() == list(range(30, 40))
    assert torch.equal(parts.validation.ids, split(data, validation=0.2).validation.ids)


def test_open_metric_learning_table(draw, tmp_path):
    rows = [
        {"path": str(draw(f"{y}/{i}.png")), "label": y, "split": "train" if y < 6 else "validation",
         "is_query": None if y < 6 else i == 0, "is_gallery": None if y < 6 else i > 0}
        for y in range(9) for i in range(3)
    ]  # fmt: skip
    parts = split(read(pd.DataFrame(rows)))
    assert len(parts.test) == 9
    assert parts.test.is_query.sum() == 3
    assert parts.test.is_gallery.sum() == 6


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0])
def test_shares(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        split(data_of([0]), validation=share)


def test_what_has_the_same_caption_is_in_one_part():
    said = tuple((f"a {k % 30}",) for k in range(120))
    images = Arrays(torch.zeros(120, 1, 2, 2, dtype=torch.uint8))
    nothing = torch.full((120,), -1)
    data = Data(
        images=images, labels=nothing, classes=(), ids=torch.arange(120), captions=said, targets=torch.rand(120, 1)
    )
    for seed in range(5):
        made = split(data, seed=seed)
        parts = [{c for (c,) in part.captions} for part in (made.train, made.validation, made.test)]
        assert sum(map(len, parts)) == 30
        assert abs(len(made.test) - 60) <= 4

"""A protocol is everything besides the model that a value depends on: it changes with that, and with nothing else."""

import dataclasses
import json

import numpy as np
import pytest
import torch

import isometry
from isometry.data import read, split
from isometry.embedder import untrained
from isometry.evaluation import Embeddings
from isometry.fingerprint import Protocol, content, from_json, protocol_of
from tests.measured import pictures, protocol
from tests.small import SETTINGS, digits, folder


def birds(images, classes, name="cub"):
    return Protocol(
        data=name,
        part="test",
        images=images,
        classes=classes,
        content=str(images),
        split="the last half of the classes",
        preprocessing="CentreCrop()",
        size="224 × 224",
        queries=images,
        gallery=images,
        metrics=("Recall(k=1)", "MAPAtR()"),
    )


def test_the_other_cub_is_named_in_words():
    said = birds(5924, 100).difference(birds(5794, 200))
    assert said == "data: 5,924 test images of 100 classes (cub) against 5,794 test images of 200 classes (cub)"
    assert birds(5924, 100).fingerprint() != birds(5794, 200).fingerprint()


ONE = birds(5924, 100)
CHANGES = {
    "content": ("x", "data: other content in 5,924 test images of 100 classes (cub)"),
    "part": ("validation", "5,924 validation images"),
    "split": ("by image", "split: the last half of the classes against by image"),
    "preprocessing": ("CentreCrop(size=256)", "CentreCrop() against CentreCrop(size=256)"),
    "size": ("256 × 256", "size: 224 × 224 against 256 × 256"),
    "gallery": (9000, "roles: 5,924 queries in a gallery of 5,924 against 5,924 queries in a gallery of 9,000"),
    "search": (
        "not of the query's own camera",
        "search: all but the query itself against not of the query's own camera",
    ),
    "relation": ("label_tree", "relation: that of the labels against label_tree"),
    "metrics": (("Recall(k=1)", "MRR()"), "metrics: only the first has MAPAtR(); only the second has MRR()"),
    "similarity": ("euclidean", "similarity: cosine against euclidean"),
    "rerank": ("KReciprocal()", "rerank: none against KReciprocal()"),
    "ties": ("by index", "ties: the mean over all orders of equals, or one by a hash of the ids against by index"),
    "version": (0, "version of the evaluation: 2 against 0"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_part_changes_the_fingerprint_and_is_named(name):
    value, says = CHANGES[name]
    other = dataclasses.replace(ONE, **{name: value})
    assert ONE.fingerprint() != other.fingerprint()
    assert says in ONE.difference(other)


def test_every_part_is_tried():
    named = {field.name for field in dataclasses.fields(Protocol)}
    assert named == {*CHANGES, "data", "images", "classes", "queries"}  # the datas name is words only


def test_the_name_of_the_data_and_the_order_of_the_metrics_do_not_matter():
    other = dataclasses.replace(ONE, data="my copy", metrics=ONE.metrics[::-1])
    assert ONE.fingerprint() == other.fingerprint()
    assert ONE.difference(other) == ""


def test_it_survives_json():
    assert from_json(json.loads(json.dumps(ONE.as_json()))) == ONE


@pytest.mark.parametrize(("change", "says"), [({"colour": "x"}, "colour"), ({"content": None}, "lacks content")])
def test_parts_that_are_not_known_or_missing_are_refused(change, says):
    values = {k: v for k, v in {**ONE.as_json(), **change}.items() if v is not None}
    with pytest.raises(ValueError, match=says):
        from_json(values)


def test_content_is_of_what_is_there_whatever_else_the_source_holds():
    images = np.random.default_rng(0).integers(0, 255, (12, 4, 4), dtype=np.uint8)
    whole = read((images, list("aabbccddeeff")))
    part = whole.select(torch.arange(6, 12))
    alone = read((images[6:], list("ddeeff")))
    assert content(part) == content(alone)
    assert content(part) != content(read((images[6:], list("ddeefg"))))
    assert content(part) != content(read((images[:6], list("ddeeff"))))
    assert content(part) != content(part.select(torch.arange(5)))
    roles = dataclasses.replace(part, is_query=torch.arange(6) < 3, is_gallery=torch.arange(6) >= 3)
    assert content(part) != content(roles)


def test_content_of_unlabelled_images_can_be_had():
    data = dataclasses.replace(pictures(4, 2), labels=torch.full((8,), -1))
    assert content(data) == content(data)


def test_the_seed_that_chooses_validation_classes_is_no_part_of_it(tmp_path):
    data = read(folder(tmp_path / "data", classes=12))
    ready = untrained(isometry.config.Config(**COLOURS), 0)
    found = [protocol_of(_zeros(parts.test), ready, ["MRR()"], part="test", rule=parts.rule)
             for parts in (split(data, seed=0), split(data, seed=1))]  # fmt: skip
    assert split(data, seed=0).validation.labels.tolist() != split(data, seed=1).validation.labels.tolist()
    assert found[0] == found[1]
    assert found[0].size == "20 × 20"
    assert "seed" not in found[0].split


COLOURS = {"trunk": "ConvNet(widths=(8,), channels=3, size=20)", "transform": "CentreCrop(size=20, resize=24)"}


def _zeros(data):
    return Embeddings(torch.zeros(len(data), 2), data)


def test_images_that_could_not_be_read_are_not_part_of_what_was_measured(tmp_path):
    data = read(folder(tmp_path / "data"))
    ready = untrained(isometry.config.Config(**COLOURS), 0)
    whole, without = (
        protocol_of(_zeros(part), ready, ["MRR()"], part="all", rule="none")
        for part in (data, data.select(torch.arange(1, len(data))))
    )
    assert whole.difference(without) == "data: 24 images of 6 classes (data) against 23 images of 6 classes (data)"


def test_cameras_relations_and_re_ranking_are_part_of_it(tmp_path):
    data = read(folder(tmp_path / "data"))
    ready = untrained(isometry.config.Config(**COLOURS), 0)
    plain = protocol_of(_zeros(data), ready, ["MRR()"], part="all", rule="none")
    seen = dataclasses.replace(data, sequence=data.ids % 2)
    other = protocol_of(
        _zeros(seen), ready, ["MRR()"], part="all", rule="none", relate="label_tree", rerank="KReciprocal()"
    )
    said = plain.difference(other)
    assert "against all but the query itself and its class in its own sequence" in said
    assert "relation: that of the labels against label_tree; rerank: none against KReciprocal()" in said


def test_trunk_loss_and_training_are_not_part_of_it_and_what_is_measured_is(tmp_path):
    first = isometry.train(digits(), loss="SupCon()", out=tmp_path / "first", report=False, **SETTINGS).metrics
    other = {**SETTINGS, "trunk": "ConvNet(widths=(4, 8), size=8)", "budget": "4 steps", "lr": 1e-4, "seed": 3}
    second = isometry.train(digits(), loss="Triplet()", out=tmp_path / "second", report=False, **other).metrics
    assert first["fingerprint"] == second["fingerprint"] == from_json(first["protocol"]).fingerprint()
    third = isometry.train(digits(20), loss="Triplet()", out=tmp_path / "third", report=False, **other).metrics
    assert third["fingerprint"] != first["fingerprint"]
    said = from_json(first["protocol"]).difference(from_json(third["protocol"]))
    assert said.startswith("data: 300 test images of 10 classes (arrays) against 200 test images of 10 classes")


def test_a_protocol_of_made_up_data_is_what_the_tests_think():
    data = pictures()
    assert protocol(data, ["MRR()"]).content == content(data)

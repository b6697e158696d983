"""Looking at a model changes nothing, and a run writes down what was seen."""

import dataclasses
import json

import pytest
import torch

import isometry
from isometry.config import Config
from isometry.data import read, split
from isometry.diagnostics import geometry, look, row, side
from isometry.embedder import untrained
from isometry.training import STATE
from tests.small import SETTINGS, digits, same, state_of

SMALL = Config(trunk="ConvNet(widths=(4, 8), size=8)", head="Linear(dim=4)")


@pytest.fixture(scope="module")
def parts():
    images, labels = digits()
    return split(read((images, labels)), seed=0)


def test_looking_changes_nothing(parts):
    ready = untrained(SMALL, 0)
    ready.model.train()
    before = {name: value.clone() for name, value in ready.model.state_dict().items()}
    state = torch.get_rng_state()
    look(ready, seen=parts.train, unseen=parts.validation, images=40, points=8, workers=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert ready.model.training
    assert all(torch.equal(value, before[name]) for name, value in ready.model.state_dict().items())
    assert all(p.grad is None for p in ready.model.parameters())


def test_a_side_of_pictures_is_what_the_model_makes_of_them(parts):
    ready = untrained(SMALL, 0)
    found = side(ready, parts.train, images=0, batch_size=64, workers=0)
    z, index = ready.embed(parts.train, workers=0)
    torch.testing.assert_close(found.z, z)
    assert torch.equal(found.y, parts.train.labels[index])
    torch.testing.assert_close(ready.model.head(found.h), found.z)
    pictures = found.inputs(torch.arange(5))
    assert 0 <= float(pictures.min()) < float(pictures.max()) <= 1
    torch.testing.assert_close(ready.model.embed(pictures), z[:5], rtol=1e-2, atol=1e-3)


def test_whole_and_head_are_measured_and_agree_with_their_parts(parts):
    ready = untrained(SMALL, 0)
    found = look(ready, seen=parts.train, unseen=parts.validation, images=60, points=16, workers=0)
    sides = {
        name: side(ready, data, images=60, workers=0)
        for name, data in (("seen", parts.train), ("unseen", parts.validation))
    }
    again = geometry(**sides, head=ready.model.head, whole=lambda x: ready.model(x).z, points=16)
    assert found.values() == pytest.approx(again.values(), rel=1e-5)
    assert found.unseen.whole.between > found.unseen.whole.median > 0
    assert found.unseen.images <= 60
    assert not found.unseen.left_out


def test_the_same_classes_are_looked_at_whatever_the_order(parts):
    ready = untrained(SMALL, 0)
    turned = parts.train.select(torch.arange(len(parts.train)).flip(0))
    one, other = (side(ready, data, images=50, workers=0) for data in (parts.train, turned))
    assert torch.equal(one.y.unique(), other.y.unique())


def test_pictures_without_classes_are_said_to_have_none(parts):
    nameless = dataclasses.replace(parts.validation, labels=torch.full_like(parts.validation.labels, -1))
    found = row(untrained(SMALL, 0), dataclasses.replace(parts, validation=nameless), 50, workers=0)
    assert found.keys() == {"left_out"}
    assert "no pictures of known class" in found["left_out"]


def test_a_run_writes_a_row_at_each_validation_and_learns_the_same(tmp_path):
    runs = {
        n: isometry.train(digits(), loss="SupCon()", out=tmp_path / str(n), geometry=n, report=n > 0, **SETTINGS)
        for n in (0, 40)
    }
    assert same(state_of(runs[0].folder / STATE), state_of(runs[40].folder / STATE))
    logs = {k: [json.loads(r) for r in (run.folder / "log.jsonl").read_text().splitlines()] for k, run in runs.items()}
    assert not [r for r in logs[0] if "geometry" in r]
    rows = [r for r in logs[40] if "geometry" in r]
    assert [r["step"] for r in rows] == [r["step"] for r in logs[40] if "validation" in r]
    last = rows[-1]["geometry"]
    assert last["ratio"] == pytest.approx(last["unseen"]["radius"] / last["train"]["radius"], rel=1e-4)
    assert last["unseen"]["whole"]["between"] > 0
    assert last["train"]["head"]["q95"] > 0
    assert '<section id="geometry">' in runs[40].report.read_text()


def test_a_negative_number_of_pictures_is_refused():
    with pytest.raises(ValueError, match="geometry are at least 0"):
        Config(geometry=-1)

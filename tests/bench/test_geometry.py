"""The geometry of a study's models: asked for, measured, averaged, tested and shown; and no key of another study changed."""

import dataclasses
import json
import math

import pytest
import torch

from isometry.bench import recipe as recipes
from isometry.bench import runner
from isometry.bench.findings import SEPARATED, from_json
from isometry.bench.markdown import markdown
from isometry.bench.page import render
from isometry.bench.plan import planned
from isometry.bench.readings import readings_of
from isometry.bench.shelf import Shelf
from isometry.bench.study import Study
from isometry.bench.sum_up import findings_of
from isometry.bench.training import train_cell
from isometry.evaluation import Embeddings, measure
from isometry.ops.holm import holm
from tests.bench import made_shelf, made_up, tiny
from tests.bench.studies import cell, opened, recipe
from tests.small import digits

NAMES = {"r", "r*", "r*/r", "gap", "separated", "L95", "L95 head", "anisotropy", "certificate"}
FLOW = "RealNVP(dim=8)"


def asking(folder, **settings):
    """A study that asks for the geometry."""
    made = recipe(**settings).changed(geometry=True)
    return Study.open(made, cache=folder, data=digits(per_class=8))


def test_keys_are_those_from_before_there_was_a_geometry(tmp_path):
    """Written down from the version without it: what was trained with that is not trained again."""
    study = opened(tmp_path, frozen=False)
    assert (study.held_hash, cell(study).key) == ("03a2d0e48fa93c1e292a922b", "b312519c2ff55d7c9bd89b8e")


def test_only_a_study_that_asks_has_other_keys(tmp_path):
    plain, asks = opened(tmp_path, frozen=False), asking(tmp_path, frozen=False)
    assert plain.held_hash != asks.held_hash
    assert asks.held.keys() - plain.held.keys() == {"geometry"}


@pytest.mark.parametrize("frozen", [True, False], ids=["head", "whole model"])
def test_a_tested_model_has_a_geometry_and_a_searched_one_has_none(tmp_path, frozen):
    study = asking(tmp_path, frozen=frozen, pool="Flatten()" if frozen else "Average()")
    outcome, tensors = train_cell(study, cell(study, head=FLOW), tmp_path / "work")
    assert outcome.geometry.keys() >= NAMES
    assert ("L95 trunk" in outcome.geometry) == (not frozen)
    assert outcome.geometry["r*/r"] == pytest.approx(outcome.geometry["r*"] / outcome.geometry["r"])
    share = float(measure(Embeddings(tensors["z"], study.test), "Separated()", samples=0)["Separated()"])
    assert outcome.geometry["separated"] == pytest.approx(share)
    searched = train_cell(study, cell(study, head=FLOW, tested=False), tmp_path / "other")[0]
    assert (outcome.state, searched.state, searched.geometry) == ("done", "done", {})


def test_looking_changes_nothing_that_is_trained(tmp_path):
    one, other = opened(tmp_path), asking(tmp_path)
    found = [train_cell(s, cell(s), tmp_path / "work") for s in (one, other)]
    assert torch.equal(found[0][1]["z"], found[1][1]["z"])
    assert found[0][0].validation == found[1][0].validation
    assert found[0][0].geometry == {}


def stretch(cell, flaw):
    """An invented stretch: half as large for the better method, one of a seed and fold not known."""
    if flaw and (cell.seed, cell.fold) == (2, 1) and "Softmax" in cell.setting.loss:
        return math.nan
    return (0.5 if "Softmax" in cell.setting.loss else 1.0) + 0.01 * cell.seed + 0.1 * cell.fold


def invented(folder, *, flaw=False):
    study = made_shelf.opened(folder, geometry=True)
    shelf = Shelf(folder)
    plan = planned(study, shelf)
    while plan.todo:
        for one in plan.todo:
            outcome, tensors = made_shelf.trained(study, one)
            shape = {"L95": stretch(one, flaw), "r*": 0.02} if one.tested else {}
            shelf.put(one.key, dataclasses.replace(outcome, geometry=shape), tensors)
        plan = planned(study, shelf)
    return study, shelf, plan


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("geometry")
    study, shelf, plan = invented(folder)
    return plan, readings_of(study, shelf, plan), findings_of(study, shelf, plan)


def test_a_value_is_the_mean_over_folds_with_each_seed(found):
    plan, readings, findings = found
    each = [[o.geometry["L95"] for o in row] for row in plan.methods[0].outcomes]
    assert readings.geometry["L95"].values("plain").tolist() == pytest.approx([sum(row) / 2 for row in each])
    row = next(r for r in findings.geometry if (r.method, r.metric) == ("plain", "L95"))
    assert (row.reading, row.seeds, row.folds) == (SEPARATED, 4, 2)
    assert row.value == pytest.approx(sum(map(sum, each)) / 8)
    assert row.low < row.value < row.high


def test_an_effect_is_paired_by_seed_and_corrected_over_the_cards(found):
    effects = found[2].effects
    one = next(e for e in effects if (e.method, e.twin, e.measure) == ("better", "plain", "L95"))
    assert one.by_seed == pytest.approx([-0.5] * 4)
    assert (one.difference, one.low, one.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert one.value - one.twin_value == pytest.approx(one.difference)
    for measure_ in {e.measure for e in effects}:
        own = [e for e in effects if e.measure == measure_]
        assert [e.p_holm for e in own] == pytest.approx(holm(torch.tensor([e.p for e in own])).tolist())
    assert {e.measure for e in effects} == {*found[2].metrics, "L95", "r*"}


def test_an_effect_on_a_metric_is_the_verdicts_own(found):
    findings = found[2]
    for verdict in findings.verdicts:
        same = [
            e
            for e in findings.effects
            if (e.method, e.twin, e.measure) == (verdict.method, verdict.twin, findings.metric)
        ]
        assert (same[0].difference, same[0].p_holm) == pytest.approx((verdict.difference, verdict.p_holm))


def test_a_value_that_is_not_known_is_left_out_with_its_seed(tmp_path):
    study, shelf, plan = invented(tmp_path, flaw=True)
    findings = findings_of(study, shelf, plan)
    effect = next(e for e in findings.effects if (e.method, e.measure) == ("better", "L95"))
    assert [math.isnan(d) for d in effect.by_seed] == [False, True, False, False]
    assert effect.difference == pytest.approx(-0.5)
    row = next(r for r in findings.geometry if (r.method, r.metric) == ("better", "L95"))
    assert row.seeds == 3
    assert math.isfinite(row.low)


def test_page_and_tables_show_it_with_the_differences_from_the_twin(found):
    findings = found[2]
    text, html = markdown(findings), render(findings)
    assert "## Geometry" in text
    assert "| better − plain |" in text
    assert "−0.500 [−0.500, −0.500] ★" in text
    assert '<section id="geometry">' in html
    assert "<small>less plain</small>" in html
    assert "#geometry" in html


def test_what_was_not_asked_for_is_not_shown():
    findings = made_up.study(3)
    assert "Geometry" not in markdown(findings)
    assert "#geometry" not in render(findings)


def test_findings_of_earlier_versions_are_read(found):
    values = json.loads(json.dumps(runner.plain(dataclasses.asdict(found[2]))))
    assert from_json(values).effects == found[2].effects
    older = {name: value for name, value in values.items() if name not in ("geometry", "effects")}
    older["outcomes"] = {k: {n: v for n, v in o.items() if n != "geometry"} for k, o in values["outcomes"].items()}
    again = from_json(older)
    assert (again.geometry, again.effects) == ((), ())
    assert again.rows == from_json(values).rows


METHODS = """
reference = "plain"
geometry = true
controls = []
[[methods]]
name = "plain"
loss = "Contrastive()"
[[methods]]
name = "flow"
loss = "Contrastive()"
head = "RealNVP(dim=8)"
[[methods]]
name = "kept"
loss = "Contrastive() + 0.05*Determinant()"
head = "RealNVP(dim=8)"
space = { "Determinant.factor" = [0.005, 5.0, "log"] }
[[cards]]
system = "a"
claim = "It helps."
source = "Nobody, 2020"
method = "kept"
twin = "flow"
"""


@pytest.mark.slow
def test_a_study_of_flows_from_end_to_end(tmp_path):
    path = tiny.write(tmp_path)
    top, rest = METHODS.split("[[methods]]", 1)
    text = (
        path.read_text()
        .split("[[methods]]", 1)[0]
        .replace("trials = 3", "trials = 1")
        .replace("count = 2", "count = 2\ntested = 1")
    )
    path.write_text(top + text + "[[methods]]" + rest)
    findings = runner.run(
        recipes.read(path), data_root=tmp_path, out=tmp_path / "out", cache=tmp_path / "shelf", workers=0
    )
    assert (findings.done, findings.missing) == (findings.planned, ())
    assert {m.name for m in findings.methods if not m.failures} >= {"plain", "flow", "kept"}
    assert {e.measure for e in findings.effects} >= {*NAMES, "MAPAtR()"}
    assert all(len(e.by_seed) == 2 for e in findings.effects)
    assert from_json(json.loads((tmp_path / "out" / "findings.json").read_text())).effects == findings.effects

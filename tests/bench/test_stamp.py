"""What was found is worked out once, and again as soon as anything that it follows from is another."""

import dataclasses
import json
import math

import pytest
import torch

from isometry.bench import stamp, sum_up
from isometry.bench.findings import CONCATENATED, SEPARATED, from_json
from isometry.bench.plan import planned
from isometry.bench.readings import readings_of
from isometry.bench.shelf import Shelf
from tests.bench.made_shelf import GIVEN, opened, run

SMALL = {"methods": [GIVEN["methods"][0], GIVEN["methods"][2]], "cards": GIVEN["cards"][:1], "final": {"seeds": 2}}


@pytest.fixture(scope="module")
def over(tmp_path_factory):
    """A study that is over: its folder, itself, its shelf, plan and readings."""
    folder = tmp_path_factory.mktemp("stamp")
    study = opened(folder, **SMALL)
    shelf, plan = run(study, folder)
    return folder, study, shelf, plan, readings_of(study, shelf, plan)


def refused(*_):
    raise AssertionError("findings were worked out")


def test_findings_are_read_as_they_were_worked_out(over, monkeypatch):
    folder, study, shelf, plan, readings = over
    made = sum_up.findings_of(study, shelf, plan, readings)
    assert repr(stamp.found(study, shelf, plan, readings)) == repr(made)
    monkeypatch.setattr(sum_up, "findings_of", refused)
    later = Shelf(folder)
    again = planned(study, later)
    assert repr(stamp.found(study, later, again, readings_of(study, later, again))) == repr(made)


def test_no_number_is_lost_on_the_shelf(over):
    found = sum_up.findings_of(*over[1:])
    rows = (dataclasses.replace(found.rows[0], p=math.nan, detectable=math.inf, value=0.1 + 0.2), *found.rows[1:])
    found = dataclasses.replace(found, rows=rows)
    assert repr(from_json(json.loads(json.dumps(dataclasses.asdict(found))))) == repr(found)


def test_what_is_not_over_is_not_kept(tmp_path):
    study = opened(tmp_path, **SMALL)
    shelf, plan = run(study, tmp_path, most=3)
    readings = readings_of(study, shelf, plan)
    before = sorted(tmp_path.rglob("*.json"))
    assert stamp.found(study, shelf, plan, readings).done == 3
    assert sorted(tmp_path.rglob("*.json")) == before


def test_another_score_is_another_stamp(over):
    _, study, _, plan, readings = over
    names = {stamp.stamp(study, plan, readings)}
    for reading in (SEPARATED, CONCATENATED):
        table = readings.tables[reading, "MAPAtR()"]
        column = table.columns["better"].clone()
        column[3, 1] = torch.nextafter(column[3, 1], torch.tensor(2.0))
        columns = {**table.columns, "better": column}
        changed = {(reading, "MAPAtR()"): dataclasses.replace(table, columns=columns)}
        other = dataclasses.replace(readings, tables={**readings.tables, **changed})
        names.add(stamp.stamp(study, plan, other))
    assert len(names) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"reference": "better"},
        {"metrics": "Recall(k=1), MAPAtR()"},
        {"metric": "Recall(k=1)"},
        {"cards": []},
        {"controls": ["random linear"]},
        {"methods": [{**SMALL["methods"][0], "note": "told so"}, SMALL["methods"][1]]},
        {"final": {"seeds": 1}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_question_is_another_stamp(over, changed):
    folder, study, _, plan, readings = over
    other, shelf = opened(folder, **{**SMALL, **changed}), Shelf(folder)
    again = planned(other, shelf)
    assert again.over
    assert stamp.stamp(other, again, readings_of(other, shelf, again)) != stamp.stamp(study, plan, readings)


def test_another_outcome_under_the_same_key_is_another_stamp(over):
    """As after a training that failed was run again."""
    _, study, _, plan, readings = over
    first, *others = plan.methods
    slower = dataclasses.replace(first.outcomes[0][0], seconds=60.0)
    outcomes = ((slower, *first.outcomes[0][1:]), *first.outcomes[1:])
    other = dataclasses.replace(plan, methods=(dataclasses.replace(first, outcomes=outcomes), *others))
    assert stamp.stamp(study, other, readings) != stamp.stamp(study, plan, readings)


def test_other_code_is_another_stamp(over, monkeypatch):
    _, study, _, plan, readings = over
    before = stamp.stamp(study, plan, readings)
    monkeypatch.setattr(stamp, "code", lambda: ("another",))
    assert stamp.stamp(study, plan, readings) != before

"""Findings written as JSON and read again."""

import dataclasses
import json

import pytest

from isometry.bench.findings import from_json
from isometry.bench.runner import plain
from tests.bench import made_up


@pytest.mark.parametrize("make", [made_up.study, made_up.nothing], ids=["a study", "an empty one"])
def test_findings_survive_their_file(make):
    found = make()
    text = json.dumps(plain(dataclasses.asdict(found)))
    again = from_json(json.loads(text))
    assert json.dumps(plain(dataclasses.asdict(again))) == text
    assert [type(row) for row in again.rows] == [type(row) for row in found.rows]


def test_a_file_of_something_else_is_refused():
    with pytest.raises(ValueError, match="no findings"):
        from_json({"name": "x"})

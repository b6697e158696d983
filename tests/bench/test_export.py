"""What is written for `isometry compare` is what the study found."""

import pytest

from isometry.bench.export import export
from isometry.bench.findings import SEPARATED
from isometry.bench.readings import readings_of
from isometry.comparison import compare
from tests.bench.made_shelf import opened, run


def test_two_methods_of_a_study_can_be_compared(tmp_path):
    study = opened(tmp_path / "cache")
    shelf, plan = run(study, tmp_path / "cache")
    readings = readings_of(study, shelf, plan)
    folders = export(study, plan, readings, tmp_path / "out")
    assert len(folders) == 4 * 4
    assert (tmp_path / "out" / "methods" / "better" / "seed-3").is_dir()
    found = compare([f for f in folders if f.parent.name in ("plain", "better")], metrics="MAPAtR()", samples=50)
    plain, better = found.rows
    values = readings.tables[SEPARATED, "MAPAtR()"]
    assert plain.runs == better.runs == 4
    assert better.value == pytest.approx(float(values.values("better").mean()), abs=1e-6)
    assert better.difference == pytest.approx(float(values.difference("better", "plain").difference), abs=1e-6)
    when = [(f / "metrics.json").stat().st_mtime_ns for f in folders]
    export(study, plan, readings, tmp_path / "out")
    assert [(f / "metrics.json").stat().st_mtime_ns for f in folders] == when

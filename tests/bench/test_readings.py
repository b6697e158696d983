"""Readings: what `measure` says of each model, averaged and joined; made once."""

import pytest
import torch

from isometry.bench import readings as module
from isometry.bench.findings import CONCATENATED, SEPARATED
from isometry.bench.readings import readings_of
from isometry.evaluation import Embeddings, measure
from tests.bench.made_shelf import opened, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readings")
    study = opened(folder)
    shelf, plan = run(study, folder, fail=lambda c: c.tested and c.setting.loss.startswith("Triplet") and c.fold == 1)
    return study, shelf, plan, readings_of(study, shelf, plan)


def test_separated_is_the_mean_over_folds_and_concatenated_is_joined(made):
    study, shelf, plan, readings = made
    cells = plan.methods[0].finals[2]
    z = [torch.nn.functional.normalize(shelf.tensors(cell.key)["z"], dim=1) for cell in cells]
    each = [measure(Embeddings(one, study.test), "MAPAtR()", samples=0)["MAPAtR()"].per_query for one in z]
    joined = measure(Embeddings(torch.cat(z, 1), study.test), "MAPAtR()", samples=0)["MAPAtR()"].per_query
    assert torch.allclose(readings.tables[SEPARATED, "MAPAtR()"].columns["plain"][:, 2], (each[0] + each[1]) / 2)
    assert torch.equal(readings.tables[CONCATENATED, "MAPAtR()"].columns["plain"][:, 2], joined)


def test_a_seed_without_all_its_folds_does_not_count(made):
    _, _, _, readings = made
    assert readings.seeds["plain"] == (0, 1, 2, 3)
    assert readings.seeds["fails"] == ()
    assert "fails" not in readings.tables[SEPARATED, "MAPAtR()"].columns


def test_measured_once(made, monkeypatch):
    study, shelf, plan, readings = made
    monkeypatch.setattr(module, "scores", lambda *_: pytest.fail("measured again"))
    again = readings_of(study, shelf, plan)
    for key, table in readings.tables.items():
        for name, column in table.columns.items():
            assert torch.equal(column, again.tables[key].columns[name])


def test_a_method_against_itself_with_other_seeds_and_a_better_one(made):
    table = made[3].tables[SEPARATED, "MAPAtR()"]
    alike, better = table.difference("again", "plain"), table.difference("better", "plain")
    assert float(alike.p) > 0.05
    assert float(better.p) < 0.01
    assert float(better.low) > 0.05
    turned = table.difference("plain", "better")
    assert float(turned.difference) == pytest.approx(-float(better.difference))
    assert float(turned.p) == pytest.approx(float(better.p))
    assert table.difference("plain", "fails") is None


def test_a_statistic_of_the_whole_space_is_tested_over_seeds(made):
    table = made[3].tables[SEPARATED, "EffectiveRank()"]
    assert table.statistic
    assert table.columns["plain"].shape == (1, 4)
    assert float(table.difference("better", "plain").freedom) == 3


def test_pairs_use_the_seeds_that_both_have(tmp_path):
    study = opened(tmp_path)
    shelf, plan = run(study, tmp_path, fail=lambda c: c.tested and c.seed == 2 and "Softmax" in c.setting.loss)
    table = readings_of(study, shelf, plan).tables[SEPARATED, "MAPAtR()"]
    gap = table.values("better") - table.values("plain")[[0, 2, 3]]
    assert float(table.difference("better", "plain").difference) == pytest.approx(float(gap.mean()))


def test_one_common_seed_has_a_difference_and_no_test(tmp_path):
    study = opened(tmp_path, controls=["raw pixels"])
    shelf, plan = run(study, tmp_path, fail=lambda c: c.tested and c.seed > 1 and "Softmax" in c.setting.loss)
    readings = readings_of(study, shelf, plan)
    for metric in ("MAPAtR()", "EffectiveRank()"):
        table = readings.tables[SEPARATED, metric]
        for second in ("plain", "raw pixels"):
            found = table.difference("better", second)
            gap = table.values("better") - table.values(second)[0]
            assert table.paired("better", second) == 1
            assert float(found.difference) == pytest.approx(float(gap))
            assert torch.stack([found.low, found.high, found.p, found.detectable]).isnan().all()
        assert (table.paired("plain", "raw pixels"), table.paired("plain", "fails")) == (4, 4)
        assert float(table.difference("plain", "raw pixels").p) < 0.05


def test_nothing_run_is_nothing_read(tmp_path):
    study = opened(tmp_path)
    shelf, plan = run(study, tmp_path, most=0)
    readings = readings_of(study, shelf, plan)
    assert all(not table.columns for table in readings.tables.values())

"""Findings of invented trainings: who stands where, what is tested, what failed, what is missing."""

import itertools
import math

import pytest
import torch
from scipy import stats

from isometry.bench.findings import CONCATENATED, SEPARATED
from isometry.bench.sum_up import best_of, findings_of
from isometry.ops.holm import holm
from tests.bench.made_shelf import opened, run


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    study = opened(folder)
    shelf, plan = run(study, folder, fail=lambda cell: cell.tested and cell.setting.loss.startswith("Triplet"))
    return findings_of(study, shelf, plan)


def row_of(found, method, metric="MAPAtR()", reading=SEPARATED):
    return next(r for r in found.rows if (r.method, r.metric, r.reading) == (method, metric, reading))


def test_every_method_with_a_value_has_a_row_in_each_reading(found):
    keys = {(r.method, r.metric, r.reading) for r in found.rows}
    assert keys == set(itertools.product(("plain", "again", "better"), found.metrics, (SEPARATED, CONCATENATED)))
    assert found.planned == found.done
    assert found.missing == ()


def test_the_better_method_is_told_from_the_reference_and_the_same_one_is_not(found):
    better, again, plain = (row_of(found, name) for name in ("better", "again", "plain"))
    assert better.p_holm < 0.01
    assert better.difference_low > 0.05
    assert again.p_holm > 0.05
    assert again.difference_low < 0 < again.difference_high
    assert math.isnan(plain.difference)
    assert math.isnan(plain.p)
    assert better.value - plain.value == pytest.approx(better.difference, abs=1e-6)
    assert all(r.low < r.value < r.high and r.seeds == 4 and r.folds == 2 for r in (better, again, plain))


def test_holm_goes_over_all_methods_and_over_all_pairs(found):
    own = [row_of(found, name) for name in ("again", "better")]
    assert [r.p_holm for r in own] == pytest.approx(holm(torch.tensor([r.p for r in own])).tolist())
    assert [p.p_holm for p in found.pairs] == pytest.approx(holm(torch.tensor([p.p for p in found.pairs])).tolist())
    assert len(found.pairs) == 3


def test_failures_are_results(found):
    fails = next(m for m in found.methods if m.name == "fails")
    assert len(fails.failures) == 8
    assert math.isnan(fails.seconds)
    assert fails.setting is not None
    assert fails.failures[0].endswith("diverged (The loss was nan at step 3.)")
    assert fails.runs == fails.planned_runs
    assert found.verdicts[1].verdict == "not run"
    assert found.verdicts[0].verdict == "supported"


def test_costs_are_beside_the_median(found):
    seconds = {m.name: m.seconds for m in found.methods}
    assert (seconds["plain"], seconds["better"]) == (pytest.approx(1.6), pytest.approx(1.35))
    assert next(m for m in found.methods if m.name == "better").cost == pytest.approx(1.35 / 1.6)


def test_what_differs_is_said(found):
    assert len(found.differs) == 1
    assert found.differs[0].startswith("threads: 1 in ")


def test_a_study_that_did_not_begin_and_one_half_done(tmp_path):
    study = opened(tmp_path)
    empty = findings_of(study, *run(study, tmp_path, most=0))
    assert empty.rows == empty.pairs == ()
    assert empty.done == 0
    assert len(empty.missing) == 4
    assert (empty.queries, empty.classes) == (120, 30)
    half = findings_of(study, *run(study, tmp_path, most=4))
    assert half.done > 0
    assert half.rows == ()
    assert len(half.trials) > 0
    assert {v.verdict for v in half.verdicts} == {"not run"}


def test_a_trial_that_still_runs_is_no_failed_one(tmp_path):
    study = opened(tmp_path, folds={"count": 2})
    begun = findings_of(study, *run(study, tmp_path, most=1))
    assert begun.done > 0
    assert begun.trials == begun.knobs == ()
    over = findings_of(study, *run(study, tmp_path))
    assert all(len(t.states) == 2 and math.isfinite(t.value) for t in over.trials)


def test_differences_count_the_seeds_that_the_reference_has(tmp_path):
    study = opened(tmp_path, controls=["raw pixels"])
    few = findings_of(
        study,
        *run(
            study,
            tmp_path,
            fail=lambda cell: cell.tested and cell.seed in (1, 2) and cell.setting.loss.startswith("Contrastive"),
        ),
    )
    counts = {name: (row_of(few, name).seeds, row_of(few, name).paired) for name in ("plain", "better", "raw pixels")}
    assert counts == {"plain": (2, 2), "better": (4, 2), "raw pixels": (0, 2)}
    assert few.seeds == 4


def test_best_of_is_the_mean_over_all_draws():
    values = [0.3, 0.1, math.nan, 0.5, 0.2]
    known = [0.0 if v != v else v for v in values]
    for n, expected in enumerate(best_of(values), 1):
        drawn = [max(some) for some in itertools.combinations(known, n)]
        assert expected == pytest.approx(sum(drawn) / len(drawn))


def test_controls_are_tested_against_the_reference_and_cost_the_methods_nothing(tmp_path):
    study = opened(tmp_path, controls=["raw pixels", "PCA"])
    measured = findings_of(study, *run(study, tmp_path))
    raw = row_of(measured, "raw pixels")
    assert raw.control
    assert (raw.seeds, raw.folds) == (0, 1)
    assert math.isnan(raw.spread)
    assert raw.low < raw.value < raw.high
    assert raw.p_holm < 0.05
    assert raw.difference < 0
    assert row_of(measured, "raw pixels", reading=CONCATENATED).value == raw.value
    assert row_of(measured, "better").p_holm == pytest.approx(3 * row_of(measured, "better").p)  # three methods
    rank, plain = (row_of(measured, name, "EffectiveRank()") for name in ("PCA", "plain"))
    t = (rank.value - plain.value) / (plain.spread / 4**0.5)  # over the seeds of the reference alone
    assert rank.p == pytest.approx(2 * stats.t.sf(abs(t), 3))

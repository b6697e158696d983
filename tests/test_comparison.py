"""Runs in one table: the numbers are those of the tests they name, and what cannot be compared is refused."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

import isometry
from isometry.comparison import Row, compare, read_queries
from isometry.ops.holm import holm
from isometry.run import METRICS
from tests.measured import TEXTS, folder, pictures


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        folder(root / f"good-{seed}", noise=0.8, seed=seed)
        folder(root / f"poor-{seed}", noise=1.1, seed=seed, loss="Triplet()")
    folder(root / "poor-7", noise=1.1, seed=7, loss="Triplet()")
    return root


def row(found, metric, run) -> Row:
    return next(r for r in found.rows if (r.metric, r.run) == (metric, run))


def of_class(place, metric="MAPAtR()"):
    return read_queries(place).table.groupby("label")[metric].sum().to_numpy()


def test_two_runs_are_paired_by_class(runs):
    found = isometry.compare([runs / "good-0", runs / "poor-0"])
    first, second = row(found, "MAPAtR()", "good-0"), row(found, "MAPAtR()", "poor-0")
    kept = json.loads((runs / "good-0" / METRICS).read_text())["test"]["MAPAtR()"]
    assert (first.value, first.low, first.high) == pytest.approx((kept["value"], kept["low"], kept["high"]), abs=1e-6)
    assert math.isnan(first.difference)
    assert math.isnan(first.p)
    gaps = of_class(runs / "poor-0") - of_class(runs / "good-0")
    assert second.difference == pytest.approx(gaps.sum() / 144)
    assert second.difference_low < second.difference < second.difference_high < 0
    expected = stats.permutation_test((gaps,), np.sum, permutation_type="samples", n_resamples=9999, rng=0)
    assert second.p == pytest.approx(expected.pvalue, abs=0.01)
    error = (gaps / 6).std(ddof=1) / 24**0.5  # classes of six
    t = stats.t(23)
    assert second.detectable == pytest.approx((t.ppf(0.975) + t.ppf(0.8)) * error)


def test_holm_corrects_for_every_test_of_the_table(runs):
    found = compare([runs / "poor-0", runs / "good-0"])
    tested = [r for r in found.rows if r.run == "good-0"]
    assert len(tested) == 2
    corrected = holm(torch.tensor([r.p for r in tested], dtype=torch.float64)).tolist()
    assert [r.p_holm for r in tested] == corrected
    assert all(math.isnan(r.p_holm) for r in found.rows if r.run == "poor-0")


def test_runs_of_other_seeds_are_one_group(runs):
    found = compare([runs / "good-2", runs / "poor-0", runs / "good-0", runs / "good-1"])
    assert [r.run for r in found.rows] == ["good", "poor-0"] * 2
    good = row(found, "MAPAtR()", "good")
    values = np.array([read_queries(runs / f"good-{s}").table["MAPAtR()"].mean() for s in range(3)])
    assert good.runs == 3
    assert good.value == pytest.approx(values.mean())
    assert good.spread == pytest.approx(values.std(ddof=1))
    expected = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert (good.spread_low, good.spread_high) == pytest.approx(expected)
    assert good.low < good.value < good.high
    each = [(r.seed, r.value) for r in found.each if r.metric == "MAPAtR()"]
    assert each == [(s, pytest.approx(values[s])) for s in range(3)]
    assert found.folders["good"] == tuple(str(runs / f"good-{s}") for s in range(3))


def test_groups_of_the_same_seeds_are_paired_and_others_are_not(runs):
    """The variance of a difference: between classes, and between pairs of seeds or between seeds on each side."""
    both = {s: [read_queries(runs / f"{n}-{s}").table["MAPAtR()"].mean() for n in ("good", "poor")] for s in range(3)}
    goods, poors = (np.array([both[s][i] for s in range(3)]) for i in range(2))

    def expected(gaps, sources):
        error = gaps.std(ddof=1) / 24**0.5
        sources = [(error**2, 23), *sources]
        total = sum(v for v, _ in sources)
        freedom = total**2 / sum(v**2 / f for v, f in sources)
        return 2 * stats.t(freedom).sf(abs(gaps.mean()) / total**0.5)

    found = row(compare([runs / f"{n}-{s}" for n in ("good", "poor") for s in range(3)]), "MAPAtR()", "poor")
    gaps = sum(of_class(runs / f"poor-{s}") - of_class(runs / f"good-{s}") for s in range(3)) / 18
    assert found.p == pytest.approx(expected(gaps, [((poors - goods).var(ddof=1) / 3, 2)]))
    mixed = [runs / "good-0", runs / "good-1", runs / "poor-2", runs / "poor-7"]
    found = row(compare(mixed), "MAPAtR()", "poor")
    other = np.array([poors[2], read_queries(runs / "poor-7").table["MAPAtR()"].mean()])
    gaps = (of_class(runs / "poor-2") + of_class(runs / "poor-7")) / 12
    gaps = gaps - (of_class(runs / "good-0") + of_class(runs / "good-1")) / 12
    sources = [(other.var(ddof=1) / 2, 1), (goods[:2].var(ddof=1) / 2, 1)]
    assert found.p == pytest.approx(expected(gaps, sources))
    assert found.difference_low < found.difference < found.difference_high


def test_one_run_against_several_is_taken_to_vary_as_they_do(runs):
    values = np.array([read_queries(runs / f"good-{s}").table["MAPAtR()"].mean() for s in range(3)])
    gaps = of_class(runs / "poor-0") / 6 - sum(of_class(runs / f"good-{s}") for s in range(3)) / 18
    of_classes, of_seeds = gaps.var(ddof=1) / 24, values.var(ddof=1) * (1 + 1 / 3)
    freedom = (of_classes + of_seeds) ** 2 / (of_classes**2 / 23 + of_seeds**2 / 2)
    expected = 2 * stats.t(freedom).sf(abs(gaps.mean()) / (of_classes + of_seeds) ** 0.5)
    goods = [runs / f"good-{s}" for s in range(3)]
    one = compare([*goods, runs / "poor-0"])
    assert row(one, "MAPAtR()", "poor-0").p == pytest.approx(expected)
    assert row(compare([runs / "poor-0", *goods]), "MAPAtR()", "good").p == pytest.approx(expected)
    assert "poor-0: one seed; another is taken to change as much as in the group it stands against." in one.notes


def test_a_run_against_its_own_copy_does_not_differ(runs, tmp_path):
    copy = folder(tmp_path / "copy", noise=0.8, loss="Contrastive()")
    found = row(compare([runs / "good-0", copy]), "MAPAtR()", "copy")
    assert (found.difference, found.p, found.p_holm) == (0, 1, 1)


def test_queries_as_the_sample_give_narrower_intervals(runs):
    pair = [runs / "good-0", runs / "poor-0"]
    wide, narrow = (row(compare(pair, per_query=flag), "MAPAtR()", "good-0") for flag in (False, True))
    assert narrow.high - narrow.low < wide.high - wide.low
    assert "independent" in compare(pair, per_query=True).notes[-1]


def test_a_statistic_of_the_whole_space_has_a_value_and_seeds_alone_test_it(tmp_path):
    places = [
        folder(tmp_path / f"{loss}-{s}", noise=noise, seed=s, loss=f"{loss}()", whole=["Recall(k=1)"])
        for loss, noise in (("SupCon", 0.8), ("Triplet", 1.2))
        for s in range(3)
    ]
    single = row(compare(places[::3]), "Recall(k=1)", "Triplet-0")
    kept = json.loads((places[3] / METRICS).read_text())["test"]["Recall(k=1)"]
    assert (single.value, single.low) == (kept["value"], kept["low"])
    assert single.difference < 0
    assert math.isnan(single.p)
    assert math.isnan(single.difference_low)
    group = row(compare(places), "Recall(k=1)", "Triplet")
    a, b = ([json.loads((p / METRICS).read_text())["test"]["Recall(k=1)"]["value"] for p in part]
            for part in (places[:3], places[3:]))  # fmt: skip
    assert group.p == pytest.approx(stats.ttest_rel(b, a).pvalue)


def test_one_class_has_no_p_and_no_interval(tmp_path):
    data = pictures(1, 8)
    pair = [folder(tmp_path / f"{n}", data, noise=n, loss=f"{loss}()") for n, loss in ((1, "SupCon"), (2, "Triplet"))]
    found = row(compare(pair), "MAPAtR()", "2")
    assert found.value == 1
    assert all(math.isnan(x) for x in (found.low, found.difference_low, found.p, found.p_holm, found.detectable))
    assert json.loads(compare(pair).json())["rows"][1]["p"] is None


def test_what_differs_between_runs_is_said(runs, tmp_path):
    unknown = folder(tmp_path / "weights", known=False)
    said = compare([runs / "good-0", runs / "poor-0", unknown]).notes
    assert said[:3] == ("good-0: loss SupCon()", "poor-0: loss Triplet()", "weights: its settings are not known")
    assert any("another seed" in note for note in said)


@pytest.mark.filterwarnings("ignore:.*have no match")
def test_few_classes_are_said(tmp_path):
    data = pictures(5, 4)
    unknown = dataclasses.replace(data, labels=data.labels.where(data.labels > 0, -1))
    pair = [folder(tmp_path / loss, unknown, loss=f"{loss}()") for loss in ("SupCon", "Triplet")]
    assert "There are 4 classes: intervals and p are rough." in compare(pair).notes


def test_folders_of_one_name_go_by_their_paths(runs, tmp_path):
    other = folder(tmp_path / "good-0", loss="Triplet()")
    assert [r.run for r in compare([runs / "good-0", other]).rows[:2]] == [str(runs / "good-0"), str(other)]


def test_metrics_in_common_can_be_compared(runs, tmp_path):
    other = folder(tmp_path / "x", metrics="MAPAtR(), MRR()", loss="Triplet()")
    found = compare([runs / "good-0", other], metrics="MAPAtR(), MAPAtR()")
    assert len(found.rows) == 2
    assert {r.metric for r in found.rows} == {"MAPAtR()"}
    assert found.protocol.metrics == ("MAPAtR()",)


def test_the_table_of_runs_of_one_seed_has_no_column_of_seeds(runs):
    titles, cells = compare([runs / "good-0", runs / "poor-0"]).table()
    assert titles == ["metric", "run", "value", "difference", "p", "p (Holm)", "detectable"]
    assert [line[0] for line in cells] == ["Recall(k=1)"] * 2 + ["MAPAtR()"] * 2
    assert str(compare([runs / "good-0", runs / "poor-0"])).startswith("| metric | run |")


def test_a_comparison_repeats_itself(runs):
    pair = [runs / "good-0", runs / "poor-0"]
    assert compare(pair).json() == compare(pair).json()
    assert compare(pair).json() != compare(pair, seed=1).json()


def test_what_train_returns_is_compared_as_well_as_folders(runs):
    found = compare([isometry.run.Run(runs / "good-0", {}), str(runs / "poor-0")])
    assert set(found.folders) == {"good-0", "poor-0"}
    assert TEXTS.startswith(found.rows[0].metric)

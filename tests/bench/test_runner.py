"""The runner in one process: what it leaves behind, and that it goes on after any end to the same findings."""

import dataclasses
import json
from pathlib import Path

import pytest

from isometry.bench import crew, runner, sum_up, worker
from isometry.bench.plan import planned
from isometry.bench.progress import Silent
from isometry.bench.recipe import read
from isometry.bench.shelf import Shelf
from isometry.bench.store import Store
from tests.bench import tiny


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study that ran in one process, and what was found."""
    root = tmp_path_factory.mktemp("bench")
    path = tiny.write(root)
    found = runner.run(path, data_root=root, out=root / "out", cache=root / "cache", workers=0)
    return root, path, found


def opened(root, path, cache):
    shelf = Shelf(cache)
    return runner.opened(read(path), root, shelf), shelf


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def outcomes_in(cache):
    return len(list(Path(cache).glob("cells/*/*.json")))


def test_a_study_leaves_its_findings_in_words_tables_and_data(undisturbed):
    root, path, found = undisturbed
    assert [method.failures for method in found.methods] == [(), ()]
    assert (found.done, found.planned, found.missing) == (tiny.PLANNED, tiny.PLANNED, ())
    assert {row.method for row in found.rows} >= {"Contrastive", "NormSoftmax"}
    assert sorted(p.name for p in (root / "out").iterdir()) == [
        "findings.json", "index.html", "methods", "recipe.toml", "results.md", "study.db", "work",
    ]  # fmt: skip
    assert read(root / "out" / "recipe.toml") == read(path)
    assert "Contrastive" in (root / "out" / "results.md").read_text()
    assert tiny.results_in(root / "out") == tiny.results_of(found)
    assert not list((root / "out" / "work").iterdir())


def test_the_same_call_again_trains_nothing_works_nothing_out_and_writes_nothing(undisturbed, monkeypatch):
    root, path, found = undisturbed

    def work(*_):
        raise AssertionError("a cell was trained, or findings were worked out")

    monkeypatch.setattr(worker, "train_cell", work)
    monkeypatch.setattr(crew, "Crew", work)
    monkeypatch.setattr(sum_up, "findings_of", work)
    before = {file: file.stat().st_mtime_ns for file in (root / "out").rglob("*.*")}
    heard = Heard()
    again = runner.run(path, data_root=root, out=root / "out", cache=root / "cache", show=heard)
    assert heard.lines == ["Working out the findings."]
    assert tiny.results_of(again) == tiny.results_of(found)
    assert {file: file.stat().st_mtime_ns for file in (root / "out").rglob("*.*")} == before
    runner.run(path, data_root=root, out=root / "elsewhere", cache=root / "cache")
    assert not (root / "elsewhere" / "study.db").exists()
    for name in ("findings.json", "index.html", "recipe.toml", "results.md"):
        assert (root / "elsewhere" / name).read_bytes() == (root / "out" / name).read_bytes()


def test_a_page_that_was_lost_or_changed_is_written_again(undisturbed):
    root, path, _ = undisturbed
    places = {"data_root": root, "out": root / "lost", "cache": root / "cache"}
    runner.run(path, **places)
    files = [root / "lost" / name for name in ("index.html", "results.md")]
    before = [file.read_bytes() for file in files]
    files[0].unlink()
    files[1].write_text("changed")
    runner.run(path, **places)
    assert [file.read_bytes() for file in files] == before


def test_more_seeds_train_only_those(undisturbed, monkeypatch):
    root, path, _ = undisturbed
    ran = []
    train = worker.train_cell
    monkeypatch.setattr(worker, "train_cell", lambda *given: ran.append(given[1]) or train(*given))
    recipe = read(path).changed(final={"seeds": 3})
    (root / "more").mkdir()
    (root / "more" / "recipe.toml").write_text(read(path).to_toml())
    heard = Heard()
    found = runner.run(recipe, data_root=root, out=root / "more", cache=root / "cache", workers=0, show=heard)
    assert "more holds findings of another recipe" in heard.lines[0]
    assert sorted((cell.seed, cell.fold, cell.tested) for cell in ran) == [(3, 0, True)] * 2 + [(3, 1, True)] * 2
    assert found.seeds == 3


def test_trials_are_told_to_optuna_once(undisturbed):
    optuna = pytest.importorskip("optuna")
    root, path, found = undisturbed
    study, shelf = opened(root, path, root / "cache")
    url = f"sqlite:///{root}/out/study.db"
    for _ in range(2):
        runner.dashboard.tell(study, planned(study, shelf), Store(url))
    shown = optuna.get_all_study_summaries(url)
    assert sorted(one.study_name.partition(": ")[2] for one in shown) == ["Contrastive", "NormSoftmax"]
    assert [one.n_trials for one in shown] == [3, 3]
    best = {one.study_name.partition(": ")[2]: one.best_trial.value for one in shown}
    assert best == {method.name: pytest.approx(method.validation) for method in found.methods}


def test_trials_are_told_in_order_though_a_later_one_is_over_first(undisturbed, tmp_path):
    pytest.importorskip("optuna")
    root, path, _ = undisturbed
    study, shelf = opened(root, path, root / "cache")
    whole, store = planned(study, shelf), Store(f"sqlite:///{tmp_path}/study.db")
    method = whole.methods[0]
    first, second, *rest = method.trials
    trials = (first, dataclasses.replace(second, outcomes=(None,) * len(second.outcomes)), *rest)
    runner.dashboard.tell(
        study, dataclasses.replace(whole, methods=(dataclasses.replace(method, trials=trials),)), store
    )
    assert list(store.told_so_far().values()) == [1]
    runner.dashboard.tell(study, dataclasses.replace(whole, methods=(method,)), store)
    assert list(store.told_so_far().values()) == [3]


def test_a_failing_training_is_recorded_and_can_be_retried(undisturbed, tmp_path, monkeypatch):
    root, path, found = undisturbed
    train = worker.train_cell

    def broken(study, cell, folder):
        if "NormSoftmax" in cell.setting.loss:
            raise RuntimeError("on\npurpose")
        return train(study, cell, folder)

    monkeypatch.setattr(worker, "train_cell", broken)
    places = {"data_root": root, "out": tmp_path / "out", "cache": tmp_path / "cache", "workers": 0}
    one = runner.run(path, **places)
    failed = one.methods[1]
    assert failed.setting is None
    assert len(failed.failures) == 3
    assert all("RuntimeError: on purpose" in line for line in failed.failures)
    assert one.methods[0].setting == found.methods[0].setting
    monkeypatch.setattr(worker, "train_cell", train)
    assert runner.run(path, **places).methods[1].setting is None
    assert tiny.results_of(runner.run(path, **places, retry=True)) == tiny.results_of(found)


def test_a_full_disk_is_no_result(undisturbed, tmp_path, monkeypatch):
    root, path, _ = undisturbed

    def full(*_):
        raise OSError("z.safetensors could not be written (the disk is full: free some room).")

    monkeypatch.setattr(worker, "train_cell", full)
    with pytest.raises(OSError, match="the disk is full"):
        runner.run(path, data_root=root, out=tmp_path / "out", cache=tmp_path / "cache", workers=0)
    assert outcomes_in(tmp_path / "cache") == 0
    assert Store(f"sqlite:///{tmp_path}/out/study.db").taken() == {}


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(undisturbed, tmp_path, monkeypatch):
    root, path, found = undisturbed
    train, ran = worker.train_cell, []

    def interrupted(*given):
        ran.append(given)
        if len(ran) > 4:
            raise KeyboardInterrupt
        return train(*given)

    monkeypatch.setattr(worker, "train_cell", interrupted)
    places = {"data_root": root, "out": tmp_path / "out", "cache": tmp_path / "cache", "workers": 0}
    with pytest.raises(runner.Stopped, match=f"4 of {tiny.PLANNED} trainings done. The same command goes on"):
        runner.run(path, **places)
    so_far = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert (so_far["done"], len(so_far["missing"])) == (4, 2)
    monkeypatch.setattr(worker, "train_cell", train)
    assert tiny.results_of(runner.run(path, **places)) == tiny.results_of(found)


def test_what_is_no_number_is_null_in_the_data():
    assert runner.plain({"a": float("nan"), 1: (1.0, "x")}) == {"a": None, "1": [1.0, "x"]}

"""The runner survives: whatever is killed, wherever it is called again, the findings are the same."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isometry.bench import crew, runner, worker
from isometry.bench.plan import planned
from isometry.bench.progress import Silent
from isometry.bench.recipe import read
from isometry.bench.shelf import Shelf
from isometry.bench.store import Store, alive
from tests.bench import tiny


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study that ran in one process, and what was found."""
    root = tmp_path_factory.mktemp("bench")
    path = tiny.write(root, budget=60)
    found = runner.run(path, data_root=root, out=root / "out", cache=root / "cache", workers=0)
    return root, path, found


def opened(root, path, cache):
    shelf = Shelf(cache)
    return runner.opened(read(path), root, shelf), shelf


def job(root, path, cache, out):
    """What a worker of this process is told, written to a file."""
    told = told_to(root, path, cache, out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "job.json").write_text(json.dumps(dataclasses.asdict(told)))
    return [sys.executable, "-m", "isometry.bench.worker", str(out / "job.json")]


def told_to(root, path, cache, out):
    places = {"data_root": str(root), "cache": str(cache), "out": str(out), "store": f"sqlite:///{out}/study.db"}
    return worker.Job(recipe=read(path).to_toml(), **places)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def wait_for(met, seconds=120):
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


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


def test_the_same_call_again_trains_nothing(undisturbed, monkeypatch):
    root, path, found = undisturbed

    def train(*_):
        raise AssertionError("a cell was trained")

    monkeypatch.setattr(worker, "train_cell", train)
    monkeypatch.setattr(crew, "Crew", train)
    heard = Heard()
    again = runner.run(path, data_root=root, out=root / "again", cache=root / "cache", show=heard)
    assert heard.lines == ["Working out the findings."]
    assert tiny.results_of(again) == tiny.results_of(found)
    assert not (root / "again" / "study.db").exists()


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


def test_a_worker_killed_at_work_changes_nothing(undisturbed, tmp_path):
    root, path, found = undisturbed
    words = job(root, path, tmp_path / "cache", tmp_path / "out")
    killed = subprocess.Popen(words, start_new_session=True, stdin=subprocess.PIPE)
    wait_for(lambda: outcomes_in(tmp_path / "cache") >= 3 or killed.poll() is not None)
    killed.kill()
    killed.communicate()
    before = outcomes_in(tmp_path / "cache")
    assert 3 <= before < tiny.PLANNED
    again = runner.run(path, data_root=root, out=tmp_path / "out", cache=tmp_path / "cache", workers=0)
    assert tiny.results_of(again) == tiny.results_of(found)


def test_a_worker_whose_parent_is_gone_ends_by_itself(undisturbed, tmp_path):
    root, path, _ = undisturbed
    words = job(root, path, tmp_path / "cache", tmp_path / "out")
    assert subprocess.run(words, timeout=60, check=False, input=b"").returncode == worker.STOPPED


@pytest.mark.skipif(os.name == "nt", reason="a script's background is a matter of POSIX")
def test_a_worker_stops_when_asked_though_a_script_had_that_ignored(undisturbed, tmp_path):
    root, path, _ = undisturbed
    words = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *job(root, path, tmp_path / "cache", tmp_path / "out")]
    running = subprocess.Popen(words, stdin=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "out" / "study.db").exists() or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    assert running.wait(crew.GRACE) == worker.STOPPED
    running.communicate()


def test_only_the_user_may_read_what_workers_are_told(tmp_path):
    told = told_to(tmp_path, tiny.write(tmp_path), tmp_path, tmp_path)
    team = crew.Crew(told, 0, 1, tmp_path / "workers", Shelf(tmp_path), Store(told.store))
    assert worker.Job(**json.loads(team.path.read_text())) == told
    assert os.name == "nt" or team.path.stat().st_mode & 0o777 == 0o600
    team.stop()
    assert not team.path.exists()


@pytest.mark.parametrize(("given", "seen"), [("-1", []), ("", []), ("0,2", ["0", "2"]), ("1,-1,2", ["1"])])
def test_devices_are_those_that_the_environment_shows(monkeypatch, given, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert crew._devices() == seen


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


def test_a_training_that_kills_its_workers_counts_as_failed(tmp_path):
    """Three workers die while they hold one cell."""
    store, shelf = Store(f"sqlite:///{tmp_path}/study.db"), Shelf(tmp_path)
    team = crew.Crew.__new__(crew.Crew)
    team.deaths, team.store, team.shelf, team.folder = crew.Counter(), store, shelf, tmp_path
    said = []
    for _ in range(crew.DEATHS):
        store.claim("abc")
        said += team._died(0, store.pid, -signal.SIGKILL, 0)
        assert store.taken() == {}
    assert shelf.outcome("abc").state == "failed"
    assert "signal 9" in shelf.outcome("abc").message
    assert "counts as failed" in said[-1]


def test_workers_that_die_between_trainings_stop_a_study_only_when_nothing_is_done(tmp_path):
    team = crew.Crew.__new__(crew.Crew)
    team.deaths, team.store, team.shelf = crew.Counter(), Store(f"sqlite:///{tmp_path}/study.db"), Shelf(tmp_path)
    team.folder = tmp_path
    (tmp_path / "0.log").write_text("first\nImportError: no such thing\n")
    for done in range(5):
        assert "started again" in team._died(0, 1, 1, done)[0]
    team._died(0, 1, 1, 9)
    team._died(0, 1, 1, 9)
    with pytest.raises(OSError, match=r"trained nothing: ImportError: no such thing \(log: .*0\.log\)"):
        team._died(0, 1, 1, 9)


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


@pytest.mark.slow
def test_twenty_kills_change_nothing(undisturbed, tmp_path):
    """SIGKILL at random moments, now of all, now of workers only, now of the parent only."""
    root, path, found = undisturbed
    draw = random.Random(0)
    words = [sys.executable, "-m", "isometry.cli", "bench", str(path), "--data-root", str(root), "--workers", "2"]
    words += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    kills = 0
    while kills < 20:
        parent = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(3):
            time.sleep(draw.uniform(1, 9))
            whom = draw.choice(["all", "workers", "parent"])
            workers = children(parent.pid)
            if whom != "workers":
                parent.kill()
                parent.wait()
            for pid in workers if whom != "parent" else []:
                os.kill(pid, signal.SIGKILL)
            kills += 1
            if whom != "workers":
                wait_for(lambda pids=workers: not any(map(alive, pids)))
                break
        if parent.poll() is None:
            parent.kill()
            parent.wait()
    assert subprocess.run(words, check=False).returncode == 0
    assert tiny.results_in(tmp_path / "out") == tiny.results_of(found)


def children(pid):
    """Workers of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_what_is_no_number_is_null_in_the_data():
    assert runner.plain({"a": float("nan"), 1: (1.0, "x")}) == {"a": None, "1": [1.0, "x"]}

"""Workers: whatever is killed, however often, the findings are the same."""

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
from isometry.bench.recipe import read
from isometry.bench.shelf import Shelf
from isometry.bench.store import Store, alive
from tests.bench import tiny


def job(root, path, cache, out):
    """What a worker of this process is told, written to a file."""
    told = told_to(root, path, cache, out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "job.json").write_text(json.dumps(dataclasses.asdict(told)))
    return [sys.executable, "-m", "isometry.bench.worker", str(out / "job.json")]


def told_to(root, path, cache, out):
    places = {"data_root": str(root), "cache": str(cache), "out": str(out), "store": f"sqlite:///{out}/study.db"}
    return worker.Job(recipe=read(path).to_toml(), **places)


def outcomes_in(cache):
    return len(list(Path(cache).glob("cells/*/*.json")))


def wait_for(met, seconds=120):
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_worker_killed_at_work_changes_nothing(tmp_path):
    root, path = tmp_path, tiny.write(tmp_path, budget=20)
    found = runner.run(path, data_root=root, out=root / "whole", cache=root / "shelf", workers=0)
    words = job(root, path, tmp_path / "cache", tmp_path / "out")
    killed = subprocess.Popen(words, start_new_session=True, stdin=subprocess.PIPE)
    wait_for(lambda: outcomes_in(tmp_path / "cache") >= 3 or killed.poll() is not None)
    killed.kill()
    killed.communicate()
    before = outcomes_in(tmp_path / "cache")
    assert 3 <= before < tiny.PLANNED
    again = runner.run(path, data_root=root, out=tmp_path / "out", cache=tmp_path / "cache", workers=0)
    assert tiny.results_of(again) == tiny.results_of(found)


def test_a_worker_whose_parent_is_gone_ends_by_itself(tmp_path):
    root, path = tmp_path, tiny.write(tmp_path, budget=2000)
    words = job(root, path, tmp_path / "cache", tmp_path / "out")
    assert subprocess.run(words, timeout=60, check=False, input=b"").returncode == worker.STOPPED


@pytest.mark.skipif(os.name == "nt", reason="a script's background is a matter of POSIX")
def test_a_worker_stops_when_asked_though_a_script_had_that_ignored(tmp_path):
    root, path = tmp_path, tiny.write(tmp_path, budget=2000)
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


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    """SIGKILL at random moments, now of all, now of workers only, now of the parent only."""
    root, path = tmp_path, tiny.write(tmp_path, budget=60)
    found = runner.run(path, data_root=root, out=root / "whole", cache=root / "shelf", workers=0)
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

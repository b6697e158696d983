"""A claim is one worker's; the dead lose theirs; what is wrong with a database is one line."""

import os
import sqlite3
import subprocess
import sys

import pytest

from isometry.bench import store as module
from isometry.bench.store import Store, alive


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def other(url, *, host="elsewhere", pid=1):
    """A worker of another machine."""
    found = Store(url, worker="other")
    found.host, found.pid = host, pid
    return found


def dead_pid():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_cell_is_claimed_once(url):
    mine, theirs = Store(url), other(url)
    assert mine.claim("a")
    assert not theirs.claim("a")
    assert not mine.claim("a")
    assert theirs.claim("b")
    assert theirs.taken() == {"a": 0, "b": 1}
    mine.release("a")
    assert theirs.claim("a")
    mine.release("a")  # no longer ours: nothing happens
    assert not mine.claim("a")


def test_of_many_processes_one_has_each_cell(url):
    Store(url)
    code = (
        "import sys; from isometry.bench.store import Store; s = Store(sys.argv[1]);"
        "print(*[k for k in range(40) if s.claim(str(k))]); sys.stdout.flush(); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([sys.executable, "-c", code, url], **pipes) for _ in range(3)]
    got = [process.stdout.readline().split() for process in running]
    for process in running:
        process.communicate()
    assert sorted(int(k) for keys in got for k in keys) == list(range(40))


def test_a_dead_process_loses_its_claim_at_once(url):
    mine = Store(url)
    assert other(url, host=mine.host, pid=dead_pid()).claim("a")
    assert mine.taken() == {}
    assert mine.claim("a")
    assert mine.beat("a")


def test_another_machine_loses_its_claim_when_its_beat_stands_still(url, monkeypatch):
    mine, theirs = Store(url), other(url)
    theirs.claim("a")
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    assert not mine.claim("a")
    now[0] = module.STALE - 1
    assert theirs.beat("a")
    assert not mine.claim("a")
    now[0] += module.STALE - 1
    assert not mine.claim("a")
    now[0] += 2
    assert mine.claim("a")
    assert not theirs.beat("a")


def test_of_two_that_take_over_one_succeeds(url, monkeypatch):
    gone, first, second = other(url), Store(url), other(url, host="third", pid=3)
    gone.claim("a")
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    assert not first.claim("a")
    assert not second.claim("a")
    now[0] = module.STALE + 1
    assert [first.claim("a"), second.claim("a")] == [True, False]


def test_a_beating_claim_stays_and_a_lost_one_is_told(url, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.02)
    mine, lost = Store(url), []
    mine.claim("a")
    with mine.beating("a", lost=lambda: lost.append(1)):
        other(url, host=mine.host, pid=mine.pid).release("a")
        for _ in range(200):
            if lost:
                break
            module.time.sleep(0.02)
    assert lost


def test_what_a_process_held_is_given_back(url):
    mine = Store(url)
    mine.claim("a")
    mine.claim("b")
    assert sorted(mine.held_by(mine.pid)) == ["a", "b"]
    mine.forget(mine.pid)
    assert mine.held_by(mine.pid) == []


def test_trials_told_are_counted(url):
    mine = Store(url)
    mine.tell("x", 3)
    mine.tell("x", 4)
    assert Store(url).told_so_far() == {"x": 4}


def test_who_is_alive():
    assert alive(os.getpid())
    assert not alive(dead_pid())
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    zombie.stdout = None
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody asked yet how
    assert not alive(zombie.pid)
    zombie.wait()


def test_a_locked_database_is_waited_for_and_then_named(url, tmp_path, monkeypatch):
    mine = Store(url)
    mine.engine.dispose()
    monkeypatch.setattr(module, "RETRIES", 2)
    monkeypatch.setattr(module, "WAIT", 0.05)
    impatient = Store(url)
    with sqlite3.connect(tmp_path / "study.db", isolation_level=None) as other_program:
        other_program.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match=r"study\.db cannot be used \(database is locked\)"):
            impatient.claim("a")
        other_program.execute("ROLLBACK")
    assert impatient.claim("a")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "database's URL"),
        ("sqlite3:///x.db", "database's URL"),
        ("postgresql+nodriver://u@h/x", "database's URL"),
    ],
)
def test_a_wrong_url_is_one_line(given, said):
    with pytest.raises(ValueError, match=said) as caught:
        Store(given)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_no_database_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RETRIES", 1)
    (tmp_path / "x.db").write_text("this is no database, but long enough to look like one " * 40)
    with pytest.raises(OSError, match=r"x\.db cannot be used"):
        Store(f"sqlite:///{tmp_path}/x.db")


@pytest.mark.parametrize(
    "word",
    [
        "postgresql://me:secret@host/name", "--store=postgresql+psycopg://me:secret@host:1/name", "x://:sec@secret@host",
        "postgresql://host/name?user=me&password=secret",
    ],
)  # fmt: skip
def test_passwords_are_not_shown(word):
    shown = module.without_password(word)
    assert "***" in shown
    assert "sec" not in shown


@pytest.mark.parametrize("word", ["sqlite:///C:/a@b.db", "postgresql://me@host:5432/name", "Circle(gamma=64)", "a:b@c"])
def test_what_has_no_password_is_shown_as_it_is(word):
    assert module.without_password(word) == word

"""`isometry bench` as a user meets it: wrong input is one line and exit code 2, and nothing is left half-written."""

import os
import signal
import sys

import pytest

from isometry import cli
from isometry.bench import command, shipped
from tests.bench import tiny


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """Runs the command in this process; returns what it printed, and what it said of errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path / "cache"))
    tiny.write(tmp_path)

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["isometry", "bench", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        assert left.value.code == code, out + err
        return out, err

    return run


def test_a_study_from_the_command_line(bench, tmp_path):
    words = ("tiny.toml", "--data-root", ".", "--workers", "0")
    out, _ = bench(*words, "--plan")
    assert f"0 of {tiny.PLANNED} trainings done" in out
    assert "Time left with 1 workers: unknown time" in out
    assert not (tmp_path / "runs").exists()
    out, _ = bench(*words)
    assert "page: runs/tiny/index.html" in out
    assert "isometry bench tiny.toml --data-root . --workers 0" in (tmp_path / "runs/tiny/findings.json").read_text()
    out, _ = bench(*words, "--plan")
    assert f"{tiny.PLANNED} of {tiny.PLANNED} trainings done; 0 can start now" in out
    out, _ = bench(*words, "--plan", "--add", "Triplet()", "--seeds", "3", "--trials", "4", "--only", "Contrastive")
    assert "Triplet" in out


def test_a_study_in_the_background_can_be_stopped(bench):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        bench("zzz", code=2)
        for number in (signal.SIGINT, signal.SIGTERM):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


@pytest.mark.parametrize("words", [["--store", "x://me:secret@host/name"], ["--store=x://me:secret@host/name"]])
def test_the_command_on_the_page_has_no_password(monkeypatch, words):
    monkeypatch.setattr(sys, "argv", ["isometry", "bench", "tiny.toml", *words])
    assert "secret" not in command.typed()
    assert "me:***@host/name" in command.typed()


def test_no_time_means_no_training_and_says_so(bench, tmp_path):
    _, err = bench("tiny.toml", "--data-root", ".", "--limit", "0", "--workers", "1")
    assert f"{tiny.PLANNED} trainings were not run. The same command goes on." in err
    assert "3 of 3 trainings of the search" in (tmp_path / "runs/tiny/results.md").read_text()


def test_a_dry_run_says_what_works_and_keeps_nothing(bench, tmp_path):
    with open(tmp_path / "tiny.toml", "a") as file:
        file.write('[[methods]]\nloss = "Triplet()"\nsampler = "Plain(batch_size=8)"\n')
    before = sorted(tmp_path.rglob("*"))
    out, _ = bench("tiny.toml", "--data-root", ".", "--workers", "0", "--dry-run")
    assert "works  Contrastive" in out
    assert "3 of 3 methods work" in out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["zzz"], "There is no recipe zzz. Shipped are "),
        (["tiny.tml"], "There is no recipe tiny.tml. Did you mean 'tiny.toml'?"),
        (["glyfs"], "There is no recipe glyfs. Did you mean 'glyphs'?"),
        (["tiny.toml", "--data-root", "nowhere"], "There is no folder nowhere: --data-root"),
        (["tiny.toml", "--only", "Contrastve", "--data-root", "."], "Did you mean 'Contrastive'?"),
        (["tiny.toml", "--add", "Tripplet()", "--data-root", "."], "Triplet"),
        (["tiny.toml", "--store", "nonsense", "--data-root", "."], "--store is a database's URL"),
        (["tiny.toml", "--out", "tiny.toml", "--data-root", "."], "The folder tiny.toml cannot be made"),
        (["tiny.toml", "--out", "tiny.toml/in", "--data-root", "."], "tiny.toml is a file. Name another one."),
        (["tiny.toml", "--cache", "tiny.toml", "--data-root", "."], "The folder tiny.toml cannot be made"),
        (["emoji"], "--data-root names"),
        (["tiny.toml", "--trials", "0"], "--trials"),
        (["tiny.toml", "--workers", "-1"], "--workers"),
        (["tiny.toml", "--limit", "soon"], "--limit"),
        ([], "Missing argument 'recipe'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_wrong_input_is_one_line_and_leaves_nothing_behind(bench, words, said, tmp_path):
    _, err = bench(*words, code=2)
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused_at_once(bench, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    _, err = bench("tiny.toml", "--data-root", ".", "--out", "closed/out", code=2)
    assert "closed may not be written to" in err


def test_shipped_recipes_are_found_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = shipped.shipped()
    assert {"glyphs", "emoji"} <= set(known)
    assert shipped.read("glyphs") == shipped.read("recipes/glyphs.toml") == shipped.read(known["glyphs"])
    (tmp_path / "glyphs.toml").write_text((tmp_path / "glyphs.toml").name)
    with pytest.raises(ValueError, match=r"glyphs\.toml is no TOML"):
        shipped.read("glyphs.toml")  # one's own file goes first

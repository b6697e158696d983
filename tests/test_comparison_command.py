"""`isometry compare` as a user meets it: tables in three forms, and wrong input is one line and exit code 2."""

import csv
import io
import json
import shutil
import sys

import pytest

from isometry.cli import main
from isometry.comparison import compare
from isometry.run import METRICS
from tests.measured import folder, pictures


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    folder(root / "good-0", noise=0.8)
    for seed in range(2):
        folder(root / f"poor-{seed}", noise=1.1, seed=seed, loss="Triplet()")
    return root


REFUSED = {
    "one run": (lambda runs, tmp: [runs / "good-0"], "two runs or more; got 1"),
    "a folder that is not there": (lambda runs, tmp: [runs / "good-0", tmp / "none"], "There is no folder"),
    "an unfinished run": (lambda runs, tmp: [runs / "good-0", tmp], "no metrics.json"),
    "a run twice": (lambda runs, tmp: [runs / "good-0", runs / "." / "good-0"], "given twice"),
    "a seed twice": (lambda runs, tmp: [runs / "good-0", _copy(runs, tmp)], "same settings and the same seed (0)"),
    "other data": (
        lambda runs, tmp: [runs / "good-0", folder(tmp / "x", pictures(20))],
        "data: 144 test images of 24 classes (data) against 120 test images of 20 classes (data).",
    ),
    "other metrics": (
        lambda runs, tmp: [runs / "good-0", folder(tmp / "x", metrics="MAPAtR(), MRR()")],
        'only the first has Recall(k=1); only the second has MRR(). Compare what both have with --metrics "MAPAtR()".',
    ),
    "re-ranked results": (
        lambda runs, tmp: [runs / "good-0", folder(tmp / "x", rerank="KReciprocal()")],
        "rerank: none against KReciprocal()",
    ),
    "an older version": (lambda runs, tmp: [runs / "good-0", _old(runs, tmp)], "older isometry"),
    "damaged metrics": (lambda runs, tmp: [runs / "good-0", _cut(runs, tmp, METRICS)], "metrics.json is damaged"),
    "damaged queries": (lambda runs, tmp: [runs / "good-0", _cut(runs, tmp, "queries.parquet")], "damaged"),
    "no queries": (lambda runs, tmp: [runs / "good-0", _without_queries(runs, tmp)], "no queries.parquet"),
    "queries of another run": (lambda runs, tmp: [runs / "good-0", _mixed(runs, tmp)], "different measurements"),
}


def _copy(runs, tmp):
    return shutil.copytree(runs / "good-0", tmp / "copy")


def _old(runs, tmp):
    place = _copy(runs, tmp)
    metrics = json.loads((place / METRICS).read_text())
    del metrics["protocol"]
    (place / METRICS).write_text(json.dumps(metrics))
    return place


def _cut(runs, tmp, name):
    place = _copy(runs, tmp)
    (place / name).write_bytes((place / name).read_bytes()[:-60])
    return place


def _without_queries(runs, tmp):
    place = _copy(runs, tmp)
    (place / "queries.parquet").unlink()
    return place


def _mixed(runs, tmp):
    place, other = _copy(runs, tmp), folder(tmp / "other", pictures(20))
    shutil.copy(other / "queries.parquet", place)
    return place


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["isometry", "compare", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(runs, tmp_path, monkeypatch, capsys, case):
    make, says = REFUSED[case]
    out = tmp_path / "out.md"
    assert command(monkeypatch, *make(runs, tmp_path), "--out", out) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    assert not out.exists()


WRONG = {
    "a metric that was not measured": (("--metrics", "MRR()"), "MRR() was not measured in"),
    "a metric that does not exist": (("--metrics", "MARR()"), "Did you mean"),
    "a file of no known form": (("--out", "x.txt"), ".md, .csv, .json"),
    "a folder that is not there": (("--out", "none/x.md"), "There is no folder none"),
    "a confidence in per cent": (("--confidence", "95"), "between 0 and 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_one_line(runs, tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    words, says = WRONG[case]
    assert command(monkeypatch, runs / "good-0", runs / "poor-0", *words) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_table_and_writes_it(runs, tmp_path, monkeypatch, capsys):
    words = [runs / "good-0", runs / "poor-0", runs / "poor-1", "--seeds"]
    for suffix in ("md", "csv", "json"):
        assert command(monkeypatch, *words, "--out", tmp_path / f"table.{suffix}") == 0
    said = capsys.readouterr().out
    found = compare(words[:-1])
    assert said.count(found.protocol.fingerprint()) == 3
    assert "poor (2 seeds)" in said
    assert "… seed 1" in said
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == "| metric | run | value | over seeds | difference | p | p (Holm) | detectable |"
    assert {line.count("|") for line in lines[:10]} == {9}
    read = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert len(read) == 2 * 2 + 2 * 2
    assert float(read[1]["difference"]) == found.rows[1].difference
    assert read[0]["p"] == ""
    whole = json.loads((tmp_path / "table.json").read_text())
    assert whole["rows"][1]["p"] == found.rows[1].p
    assert whole["fingerprint"] == found.protocol.fingerprint()
    assert [one["seed"] for one in whole["seeds"]] == [0, 1, 0, 1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.csv", "table.json", "table.md"]

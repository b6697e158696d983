"""A study as Markdown: whole tables, nothing that breaks them, nothing invented."""

import dataclasses
import re

import pytest

from isometry.bench.markdown import cards, every_metric, leaderboard, markdown

from .made_up import NAN, nothing, study
from .test_page import every


@pytest.fixture(scope="module")
def findings():
    return study(6)


def tables(text):
    """Tables as lists of rows of cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("| "):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            found, rows = [*found, rows], []
    return found


def test_every_method_and_control_has_a_row_with_its_numbers(findings):
    (rows,) = tables(leaderboard(findings))
    by_name = {row[0].strip("*").removesuffix(" †"): row for row in rows[2:]}
    shown = [r for r in findings.rows if r.metric == findings.metric and r.reading == "separated"]
    assert set(by_name) == {r.method for r in shown}
    for r in shown:
        assert by_name[r.method][1] == f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
    values = [float(row[1].split()[0]) for row in rows[2:8]]
    assert values == sorted(values, reverse=True)
    assert by_name["tuned contrastive"][3:6] == ["–", "–", "–"]


def test_seeds_stand_beside_every_value(findings):
    rows = tuple(dataclasses.replace(r, paired=3) if r.method == "Method A" else r for r in findings.rows)
    (shown,) = tables(leaderboard(dataclasses.replace(findings, rows=rows)))
    at = shown[0].index("seeds")
    seeds = {row[0].removesuffix(" †"): row[at] for row in shown[2:]}
    assert (seeds["Method A"], seeds["Method B"], seeds["*PCA*"]) == ("5 of 5, 3 paired", "5 of 5", "–")
    assert tables(leaderboard(nothing()))[0][2][at] == "0 of 5"


def test_every_claim_has_a_row(findings):
    (rows,) = tables(cards(findings))
    assert [row[4].strip("*") for row in rows[2:]] == [v.verdict for v in findings.verdicts]
    assert rows[2][3] == "+0.021 [+0.012, +0.030], p = 0.003"
    assert rows[5][3] == "–"


def test_every_reading_of_every_metric_has_a_column(findings):
    (rows,) = tables(every_metric(findings))
    assert rows[0][1:] == [f"{m}, {r}" for r in ("separated", "concatenated") for m in ("R@1", "R-precision", "MAP@R")]


@pytest.mark.parametrize("attack", ["|", "a\n| b |", "[x](http://y)", "<script>", "`", "*"])
def test_names_break_no_table(findings, attack):
    text = markdown(every(findings, lambda v: attack + v if isinstance(v, str) else v))
    assert [[len(r) for r in t] for t in tables(text)] == [[len(r) for r in t] for t in tables(markdown(findings))]
    outside = re.sub(r"(?<!\\)`.*?`", "", text)
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)


def test_missing_numbers_are_dashes(findings):
    assert "nan" not in markdown(every(findings, lambda v: NAN if isinstance(v, float) else v)).lower()


def test_nothing_run_and_nothing_claimed():
    text = markdown(nothing())
    for part in ("No method has been tested yet", "names no published claims", "0 of 180 trainings done"):
        assert part in text
    assert leaderboard(dataclasses.replace(nothing(), methods=())) == "No method has been tested yet."


def test_the_same_findings_give_the_same_text(findings):
    assert markdown(findings) == markdown(study(6))

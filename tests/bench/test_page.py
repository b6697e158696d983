"""The page of a study as text and in a browser: nothing missing, nothing unescaped, nothing invented, nothing fetched."""

import dataclasses
import math
import re

import pytest

from isometry.bench.findings import CONCATENATED, Pair
from isometry.bench.page import render, write_page
from isometry.bench.page.view import View
from isometry.bench.ranks import Ranks
from tests.browser import NEEDED, driven
from tests.report.test_page import Page

from .made_up import NAN, letters, nothing, study

ATTACK = '</script><script>alert(1)</script>"><img src=x onerror=alert(1)><!--\x00\u2028&amp;\ud800'

CURVE = ("step", "seconds", "validation")


@pytest.fixture(scope="module")
def findings():
    return study()


@pytest.fixture(scope="module")
def text(findings):
    return render(findings)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def every(thing, change):
    """The same findings with each plain value changed; states and readings are no free text and stay."""
    if dataclasses.is_dataclass(thing):
        kept = {"state", "states", "reading", "metric", "metrics", "verdict", "control", "seeds", "folds"}
        fields = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
        return dataclasses.replace(thing, **{k: every(v, change) for k, v in fields.items() if k not in kept})
    if isinstance(thing, tuple):
        return tuple(every(one, change) for one in thing)
    if isinstance(thing, dict):
        return {k if k in CURVE else every(k, change): every(v, change) for k, v in thing.items()}
    return change(thing)


def drawn(text):
    """The page without its style and scripts, which are the same for every study."""
    return re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S)


def test_all_that_was_found_is_on_the_page(findings, page):
    said = [m.name for m in findings.methods] + [row.method for row in findings.rows if row.control]
    said += [part for v in findings.verdicts for part in (v.system, v.claim, v.source, v.verdict, v.said)]
    said += [line for m in findings.methods for line in (*m.varies, m.setting.loss)]
    said += [part for m in findings.methods for line in m.failures for part in line.split(": ")]
    said += [k.knob for k in findings.knobs] + [
        *findings.missing,
        *findings.differs,
        *findings.held,
        *findings.held.values(),
    ]
    said += [findings.name, findings.about, findings.held_hash, findings.command, findings.version]
    for part in said:
        assert " ".join(str(part).split()) in page.text
    assert " ".join(findings.recipe.split()) in page.text


def test_the_answer_is_written_from_the_numbers(findings, page):
    rows = [r for r in findings.rows if r.metric == findings.metric and r.reading == "separated" and not r.control]
    best = max(rows, key=lambda r: r.value)
    ties = [p for p in findings.pairs if best.method in (p.first, p.second) and p.p_holm >= 0.05]
    assert f"Best is {best.method}: MAP@R {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]." in page.text
    assert f"{len(ties)} of 13 others cannot be told from it" in page.text
    assert f"Over tuned contrastive: +{best.difference:.3f} [+{best.difference_low:.3f}, " in page.text
    assert "14 methods under equal conditions: 8 to 10 of 10 trials of search each, then 5 seeds × 4 folds" in page.text
    assert "7 of 840 planned trainings have not run" in page.text


def test_a_study_whose_best_is_the_control_says_so():
    findings = study(3)
    rows = tuple(dataclasses.replace(r, value=0.9) if r.method == "tuned contrastive" else r for r in findings.rows)
    text = Page(render(dataclasses.replace(findings, rows=rows))).text
    assert "No method came out above tuned contrastive, which is itself the best." in text


def test_controls_above_the_best_and_few_seeds_are_told():
    findings = study(3)
    rows = [dataclasses.replace(r, value=0.8) if r.method == "raw pixels" else r for r in findings.rows]
    rows = tuple(r if r.control else dataclasses.replace(r, seeds=2, paired=2) for r in rows)
    text = Page(render(dataclasses.replace(findings, rows=rows, classes=12))).text
    assert "Without any training, raw pixels (0.800) stands above it." in text
    assert "Only 2 seeds and 12 classes: intervals and p are rough." in text
    assert "then 2 of 5 seeds × 4 folds" in text
    assert "Without any training" not in Page(render(findings)).text


def test_seeds_are_those_that_were_run():
    findings = study(4)
    rows = [dataclasses.replace(r, seeds=1, paired=1) if r.method == "Method A" else r for r in findings.rows]
    rows = tuple(dataclasses.replace(r, paired=3) if r.method == "Method B" else r for r in rows)
    page = render(dataclasses.replace(findings, rows=rows))
    said = "Only 1 seed of Method A: intervals and p are rough, and a difference over one seed has none."
    assert said in Page(page).text
    assert "then 1 to 5 of 5 seeds" in Page(page).text
    assert '<span class="short">1<small>of 5</small></span>' in page
    assert "<span>5<small>of 5, 3 paired</small></span>" in page


def test_pairs_that_were_not_tested_are_not_called_noise():
    findings = study(3)
    pairs = [dataclasses.replace(p, low=NAN, high=NAN, p=NAN, p_holm=NAN, detectable=NAN) for p in findings.pairs]
    half = (pairs[0], *findings.pairs[1:])
    assert re.search(
        r"correction over all pairs: \d of 2;", Page(render(dataclasses.replace(findings, pairs=half))).text
    )
    text = Page(render(dataclasses.replace(findings, pairs=tuple(pairs)))).text
    assert "No two methods can be told apart: a test takes two seeds that both have." in text


def test_a_difference_that_is_noise_is_called_noise():
    findings = study(3)
    rows = tuple(dataclasses.replace(r, p_holm=0.3) for r in findings.rows)
    text = Page(render(dataclasses.replace(findings, rows=rows))).text
    assert "p = 0.300 after Holm: no difference that can be told from noise." in text


def test_methods_stand_in_the_order_of_their_values(text):
    rungs = re.findall(r'<li class="rung (?:best|noise|below)".*?class="reads">([^<]+)<', text)
    values = [float(v) for v in rungs[:14]]
    assert values == sorted(values, reverse=True)


def test_the_matrix_is_antisymmetric_and_holds_what_holm_leaves(findings, text):
    told = sum(p.p_holm < 0.05 for p in findings.pairs)
    assert text.count('<td class="cell more"') == text.count('<td class="cell less"') == told
    view = View(findings)
    one, other = view.against("Method A", "Method B"), view.against("Method B", "Method A")
    assert (one.difference, one.low, one.high) == (-other.difference, -other.high, -other.low)


@pytest.mark.parametrize("methods", [2, 3, 45])
def test_few_methods_and_many(methods):
    text = render(study(methods, trials=3))
    Page(text)
    assert len(text.encode()) < 1_000_000


def test_a_study_of_which_nothing_has_run_shows_no_number():
    text = Page(render(nothing())).text
    for part in (
        "No method has been tested yet",
        "No two methods have been compared yet",
        "No trial has been made yet",
    ):
        assert part in text
    assert "180 of 180 planned trainings have not run" in text
    empty = dataclasses.replace(nothing(), methods=(), held={}, missing=(), metrics=(), planned=0, reference="")
    assert "0 methods under equal conditions" in Page(render(empty)).text


def test_numbers_that_are_missing_are_dashes():
    findings = study(4)
    lost = every(findings, lambda v: NAN if isinstance(v, float) else v)
    text = render(lost)
    Page(text)
    assert not re.search(r"\b(nan|inf)\b", drawn(text), re.I)
    half = dataclasses.replace(
        findings, rows=tuple(dataclasses.replace(r, low=NAN, difference=NAN, p_holm=NAN) for r in findings.rows),
        pairs=tuple(dataclasses.replace(p, p_holm=NAN, low=NAN) for p in findings.pairs), reference="nobody",
    )  # fmt: skip
    text = render(half)
    Page(text)
    assert not re.search(r"\b(nan|inf)\b", drawn(text), re.I)


def test_one_reading_alone_is_what_is_ranked():
    findings = study(4)
    rows = tuple(r for r in findings.rows if r.reading == CONCATENATED)
    text = Page(render(dataclasses.replace(findings, rows=rows))).text
    assert "the folds’ models joined" in text
    assert "No control was measured." in text


def test_the_page_asks_nobody_for_anything(text, page):
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert "default-src 'none'" in text


def test_names_stay_text():
    text = render(every(study(4), lambda v: v + ATTACK if isinstance(v, str) else v))
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert "<!--" not in drawn(text)


def test_the_same_findings_give_the_same_page(text):
    assert text == render(study())


def test_ranks_only_over_six_data_sets():
    findings = nothing()

    def over(count):
        names, blocks = tuple(f"Method {letters(k)}" for k in range(4)), tuple(f"set {k}" for k in range(count))
        mean, alike = (1.0, 2.0, 3.2, 3.8), ((0, 1), (1, 3))
        return Ranks(methods=names, mean=mean, blocks=blocks, statistic=9.0, p=0.03, critical=1.9, alike=alike)

    assert "There is no rank diagram: these are results of 1 data set" in Page(render(findings)).text
    assert "There is no rank diagram: these are results of 5 data sets" in Page(render(findings, over(5))).text
    assert "Mean rank over 6 data sets" in Page(render(findings, over(6))).text


def test_writing_leaves_the_whole_file_alone(tmp_path):
    findings = nothing()
    assert write_page(findings, tmp_path / "page.html").read_text(encoding="utf-8") == render(findings)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_pair_that_was_not_tested_is_neither_told_apart_nor_tied():
    findings = dataclasses.replace(study(4), reference="")  # from it, differences are tested by their rows
    first, second = (row.method for row in View(findings).standing[:2])
    pairs = tuple(p for p in findings.pairs if {p.first, p.second} != {first, second})
    view = View(dataclasses.replace(findings, pairs=pairs))
    assert (view.place(first), view.place(second)) == ("best", "")
    assert second not in view.tied
    lone = Pair(first=first, second=second, difference=NAN, low=NAN, high=NAN, p=NAN, p_holm=NAN, detectable=math.inf)
    Page(render(dataclasses.replace(findings, pairs=(lone,))))


@NEEDED
def test_in_a_browser_tables_sort_and_nothing_is_too_wide(findings, tmp_path):
    with driven(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        )
        driver.get(write_page(findings, tmp_path / "page.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 400
        costs = "return [...document.querySelector('table.sortable').tBodies[0].rows].map(r => r.cells[8].dataset.by)"
        driver.execute_script("document.querySelector('table.sortable').tHead.rows[0].cells[8].firstChild.click()")
        values = driver.execute_script(costs)
        known = [float(v) for v in values if v]
        assert known == sorted(known, reverse=True)
        assert values[-6:] == [""] * 6
        driver.execute_script(
            "const s = document.querySelector('#highlight'); s.value = '3'; s.dispatchEvent(new Event('change'))"
        )
        assert driver.execute_script("return document.querySelectorAll('.on[data-m=\"3\"]').length") == 2
        assert driver.get_log("browser") == []

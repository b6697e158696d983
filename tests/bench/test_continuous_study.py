"""The study of continuous labels: its recipes cross what they say, and its answers follow from numbers by a rule."""

import dataclasses
import importlib
import math
import sys
from pathlib import Path

import pytest

from isometry.bench import recipe
from isometry.bench.findings import SEPARATED, Effect, Row
from tests.bench import made_up

ROOT = Path(__file__).parents[2]
NAMES = ("poses", "emoji")
NDCG, NEAR = "NDCG(k=100, gain=DistanceGain())", "LabelDistance(k=10)"


@pytest.fixture(scope="module")
def grid():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("continuous_grid")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def answers(grid):
    return importlib.import_module("continuous_answers")


@pytest.fixture(scope="module")
def pages(grid):
    pytest.importorskip("matplotlib")
    return importlib.import_module("continuous_study")


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_recipe_is_what_the_script_writes(grid, name):
    written = importlib.import_module("continuous_recipe").recipe(name)
    assert (ROOT / "recipes" / f"continuous-{name}.toml").read_text() == written


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_and_way_of_mining_is_tried_alike(grid, name):
    study = recipe.read(ROOT / "recipes" / f"continuous-{name}.toml")
    cells = {grid.decoded(m.name): m for m in study.methods}
    assert {
        c._replace(loss=loss, mined=k) for c in [grid.CENTRE] for loss in grid.LOSSES for k in grid.MINED
    } <= cells.keys()
    assert {c._replace(dim=d, length=n) for c in [grid.CENTRE] for d in grid.DIMS for n in grid.LENGTHS} <= cells.keys()
    assert study.search.rates == (3e-3, 1e-3, 1e-2)
    assert len({m.loss for m in study.methods}) == len(grid.LOSSES) + len(grid.ALONE)
    for cell, m in cells.items():
        assert f"neighbours={cell.mined}" in (m.sampler or study.train.sampler)
        head = m.head or study.model.head
        assert (f"dim={cell.dim}" in head, "normalise=True" in head) == (True, cell.length == "unit")


def test_the_grid_is_whole_and_a_comparison_differs_in_one_thing(grid):
    cells = grid.grid()
    assert len(set(cells)) == 7 * 5 * 8 * 2
    assert {cell for cell in grid.staged() if cell.loss not in grid.ALONE} <= set(cells)
    assert {cell.loss for cell in grid.staged()} == {*grid.LOSSES, *grid.ALONE}
    assert all(grid.decoded(cell.name) == cell for cell in (*cells, *grid.staged()))
    assert grid.decoded("raw pixels") is None
    for _, one, other in grid.compared():
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


def made(grid, difference, skip=(), seeds=5):
    """Findings in which each comparison comes out as `difference(question, method, twin)` says, in nDCG."""
    effects, cells = [], {}
    for question, one, other in grid.compared():
        if one in skip or other in skip:
            continue
        change = difference(question, one, other)
        cells |= {one: 0.7 + change, other: 0.7}
        for measure, sign, size in ((NDCG, 1, 0.7), (NEAR, -1, 2.0)):
            d = sign * change
            effects.append(
                Effect(
                    method=one.name, twin=other.name, measure=measure, value=size + d, twin_value=size, difference=d,
                    low=d - 0.004, high=d + 0.004, p=0.5, p_holm=0.001 if abs(change) > 0.004 else 1.0,
                    by_seed=(d,) * seeds,
                )
            )  # fmt: skip
    rows = tuple(row(cell.name, metric, v) for cell, v in cells.items() for metric in (NDCG, NEAR))
    return dataclasses.replace(
        made_up.nothing(), effects=tuple(effects), rows=rows, metric=NDCG, metrics=(NDCG, NEAR), seeds=seeds,
        reference=grid.CENTRE.name,
    )  # fmt: skip


def row(name, metric, value):
    nan = math.nan
    return Row(
        method=name, control=False, metric=metric, reading=SEPARATED, value=value, low=value - 0.01, high=value + 0.01,
        spread=0.002, seeds=5, folds=1, paired=5, difference=nan, difference_low=nan, difference_high=nan, p=nan,
        p_holm=nan, detectable=nan,
    )  # fmt: skip


def verdicts(answers, findings):
    return [a.verdict for a in answers.answers(findings)]


def test_all_that_is_claimed_and_found_is_supported(grid, answers):
    """Better in all but the unit and the smaller embeddings: every claim holds."""
    findings = made(grid, lambda q, a, b: -0.02 if q == "c" and (a.length != b.length or a.dim < b.dim) else 0.02)
    assert verdicts(answers, findings) == ["supported"] * 6


def test_all_that_comes_out_the_other_way_is_not_supported(grid, answers):
    findings = made(grid, lambda q, a, b: 0.02 if q == "c" else -0.02)
    assert verdicts(answers, findings) == ["not supported"] * 6


def test_one_comparison_each_way_leaves_it_undecided(grid, answers):
    findings = made(grid, lambda q, a, b: 0.02 if a.length == "free" else -0.02)
    assert [v for v, q in zip(verdicts(answers, findings), "abccde", strict=True) if q in "ad"] == ["undecided"] * 2


def test_label_distances_are_better_where_they_are_smaller(answers):
    effect = Effect(
        method="x", twin="y", measure=NEAR, value=1.9, twin_value=2.0, difference=-0.1, low=-0.12, high=-0.08, p=0.0,
        p_holm=0.0, by_seed=(),
    )  # fmt: skip
    assert answers.verdict_of(effect) == "supported"
    assert answers.verdict_of(dataclasses.replace(effect, difference=0.1, low=0.08, high=0.12)) == "not supported"
    small = dataclasses.replace(effect, difference=-0.01, low=-0.03, high=0.01, p_holm=0.4)
    assert answers.verdict_of(small) == "not supported"
    assert answers.verdict_of(dataclasses.replace(small, low=-0.05)) == "undecided"
    assert answers.verdict_of(None) == "not run"


def test_what_is_too_small_to_matter_supports_neither_side(grid, answers):
    """A tie is no win for either: neither for unit embeddings nor, turned round, for free ones."""
    tie = made(grid, lambda q, a, b: 0.0)
    assert verdicts(answers, tie) == ["not supported"] * 6
    effect = tie.effects[0]
    assert answers.turned(answers.turned(effect)) == effect


def test_a_page_is_written_from_what_was_run_and_says_what_was_not(grid, pages, tmp_path):
    skipped = {cell for cell in grid.grid() if cell.loss == "nDCG surrogate" or cell.dim == 512}
    findings = made(grid, lambda q, a, b: 0.02, skip=skipped)
    drawn = {draw.__name__: draw(findings) for draw in (pages.dimension_figure, pages.mining_figure)}
    assert all(len(figure.axes) == 2 for figure in drawn.values())
    text = pages.page(findings, {"../images/x.svg": "a figure"})
    ran = len({grid.decoded(r.method) for r in findings.rows} & set(grid.grid()))
    assert f"Of the grid’s 560 cells {ran} were run" in text
    for start in (
        "**Why log-ratio, and not ratio?**",
        "**Is log-ratio with dense mining ahead",
        "| nDCG surrogate | – |",
    ):
        assert start in text
    assert "![a figure](../images/x.svg)" in text
    assert " nan" not in text.lower()


def test_a_study_of_which_nothing_ran_has_a_page(grid, pages):
    findings = made(grid, lambda q, a, b: 0.0, skip={*grid.grid(), *grid.staged()})
    text = pages.page(findings, {})
    assert text.count("*Not run.*") == 6
    assert pages.dimension_figure(findings) is None

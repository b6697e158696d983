"""The plan follows from the recipe and the shelf alone: never from the order in which trainings ended."""

import hashlib
import math
import random
from types import SimpleNamespace

import pytest

from isometry.bench.cell import Outcome
from isometry.bench.plan import planned
from isometry.bench.recipe import made
from isometry.bench.shelf import Shelf

GIVEN = {
    "name": "plan",
    "data": {"source": "glyphs"},
    "folds": {"count": 3, "searched": 2, "tested": 3},
    "search": {"trials": 5, "round": 2},
    "final": {"seeds": 2},
    "methods": [{"loss": "Contrastive()"}, {"loss": "NormSoftmax()"}],
}
METHODS, SEARCH, FINAL = 2, 5 * 2, 2 * 3


def study(**changed):
    return SimpleNamespace(recipe=made({**GIVEN, **changed}, "test"), held_hash="held")


def outcome(cell):
    """A made-up result that depends on the cell alone."""
    value = int(hashlib.sha256(cell.key.encode()).hexdigest()[:6], 16) / 16**6
    return Outcome(state="done", validation={"MAPAtR()": value, "Recall(k=1)": 0.0}, wall=2.0)


def run(study, shelf, *, order=lambda cells: cells, at_once=None, give=outcome):
    """Carries a plan out; returns the last plan and the cells as they were run."""
    ran, plan = [], planned(study, shelf)
    while not plan.over:
        for cell in order(list(plan.todo))[:at_once]:
            shelf.put(cell.key, give(cell), {})
            ran.append(cell)
        plan = planned(study, shelf, plan)
    return plan, ran


def test_everything_planned_is_run_once(tmp_path):
    plan, ran = run(study(), Shelf(tmp_path))
    assert len({cell.key for cell in ran}) == len(ran) == plan.planned == plan.done == METHODS * (SEARCH + FINAL)
    assert plan.missing == ()
    assert set(plan.outcomes()) == {cell.key for cell in ran}


def test_the_plan_does_not_depend_on_the_order_of_results(tmp_path):
    first, _ = run(study(), Shelf(tmp_path / "a"))
    for seed in range(2):
        shuffled = lambda cells, draw=random.Random(seed): draw.sample(cells, len(cells))  # noqa: E731
        again, _ = run(study(), Shelf(tmp_path / f"{seed}"), order=shuffled, at_once=7)
        assert again == first
    assert planned(study(), Shelf(tmp_path / "a")) == first


def test_all_searches_come_before_finals_and_first_rounds_before_second(tmp_path):
    plan = planned(study(), Shelf(tmp_path))
    assert len(plan.todo) == METHODS * 2 * 2  # a round of two trials on two folds
    _, ran = run(study(), Shelf(tmp_path), at_once=1)
    assert [cell.tested for cell in ran] == [False] * METHODS * SEARCH + [True] * METHODS * FINAL


def test_trial_0_is_the_published_setting_with_the_recipes_rates(tmp_path):
    first = planned(study(), Shelf(tmp_path)).methods[1].trials[0]
    assert dict(first.values)["temperature"] == 0.05
    assert (first.setting.head_lr, first.setting.loss_lr) == (1e-3, 1e-3)


def test_the_best_trial_by_mean_validation_is_tested(tmp_path):
    plan, _ = run(study(), Shelf(tmp_path))
    for method in plan.methods:
        means = [sum(outcome(cell).validation["MAPAtR()"] for cell in trial.cells) / 2 for trial in method.trials]
        assert [trial.value for trial in method.trials] == pytest.approx(means)
        assert method.chosen is method.trials[means.index(max(means))]
        assert {cell.setting for row in method.finals for cell in row} == {method.chosen.setting}


def test_of_equal_trials_the_earliest_is_chosen(tmp_path):
    plan, _ = run(study(), Shelf(tmp_path), give=lambda _: Outcome(state="done", validation={"MAPAtR()": 0.5}))
    assert [method.chosen.number for method in plan.methods] == [0] * METHODS


def test_finals_have_equal_seeds_for_all_and_none_of_the_searchs(tmp_path):
    plan, ran = run(study(), Shelf(tmp_path))
    seeds = [[[cell.seed for cell in row] for row in method.finals] for method in plan.methods]
    assert seeds == [[[1, 1, 1], [2, 2, 2]]] * METHODS
    assert {cell.seed for cell in ran if not cell.tested} == {0}


def test_a_stream_shifts_all_seeds(tmp_path):
    methods = [*GIVEN["methods"], {"name": "again", "loss": "Contrastive()", "stream": 1000}]
    plan, ran = run(study(methods=methods), Shelf(tmp_path))
    assert {cell.seed for row in plan.methods[2].finals for cell in row} == {1001, 1002}
    assert len(ran) == plan.planned == 3 * (SEARCH + FINAL)


def test_methods_that_agree_share_all_trainings(tmp_path):
    methods = [*GIVEN["methods"], {"name": "again", "loss": "Contrastive()"}]
    plan, ran = run(study(methods=methods), Shelf(tmp_path))
    assert len(ran) == plan.planned == plan.done == METHODS * (SEARCH + FINAL)
    assert plan.methods[0].trials == plan.methods[2].trials
    assert [method.name for method in plan.methods] == ["Contrastive", "NormSoftmax", "again"]


def test_an_extended_study_reuses_what_was_done(tmp_path):
    shelf = Shelf(tmp_path)
    _, ran = run(study(), shelf)
    _, more = run(study(final={"seeds": 3}, methods=[*GIVEN["methods"], {"loss": "Circle()"}]), shelf)
    assert not {cell.key for cell in ran} & {cell.key for cell in more}
    assert len(more) == METHODS * 3 + SEARCH + 3 * 3
    plan, more = run(study(search={"trials": 7, "round": 2}), shelf)
    searched = [cell for cell in more if not cell.tested]
    assert len(searched) == METHODS * 2 * 2
    assert plan.done == METHODS * (7 * 2 + FINAL)


def test_a_failed_fold_fails_its_trial_and_a_failed_search_its_method(tmp_path):
    first = planned(study(), Shelf(tmp_path / "empty")).methods[1].trials[0].setting

    def give(cell):
        if "Contrastive" in cell.setting.loss or (cell.fold == 1 and cell.setting == first):
            return Outcome(state="diverged", message="nan")
        return outcome(cell)

    plan, ran = run(study(), Shelf(tmp_path), give=give)
    failed, other = plan.methods[:2]
    assert all(math.isnan(trial.value) for trial in failed.trials)
    assert (failed.chosen, failed.finals, failed.wanted) == (None, (), (SEARCH, 0))
    assert math.isnan(other.trials[0].value)
    assert other.chosen.number > 0
    assert len(ran) == plan.planned == plan.done == METHODS * (SEARCH + FINAL) - FINAL
    assert plan.missing == ()


def test_what_was_not_run_is_said_in_words(tmp_path):
    shelf = Shelf(tmp_path)
    for cell in planned(study(), shelf).todo[:3]:
        shelf.put(cell.key, outcome(cell), {})
    plan = planned(study(), shelf)
    assert (plan.done, plan.planned) == (3, METHODS * (SEARCH + FINAL))
    assert plan.missing[0] == "Contrastive: 8 of 10 trainings of the search and 6 of 6 final trainings"
    assert len(plan.missing) == METHODS


def test_what_is_held_constant_changes_every_key(tmp_path):
    other = SimpleNamespace(recipe=study().recipe, held_hash="another")
    shelf = Shelf(tmp_path)
    run(study(), shelf)
    assert planned(other, shelf).done == 0

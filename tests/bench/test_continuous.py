"""A study whose labels are at a distance from each other: divided by item, chosen by graded metrics, compared as asked."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from isometry.bench.cell import Cell
from isometry.bench.folds import TEST, divided
from isometry.bench.heads import HeadTraining
from isometry.bench.readings import comparable, groups, scores
from isometry.bench.recipe import made
from isometry.bench.recipe_text import toml
from isometry.bench.runner import run
from isometry.bench.space import Choice, setting_of, space_of
from isometry.bench.study import Study
from isometry.bench.training import train_cell
from isometry.data import read
from tests.small import digits

NDCG = "NDCG(k=100, gain=DistanceGain())"
GIVEN = {
    "name": "tiny continuous",
    "relate": "CloseTargets(radius=0.3)",
    "similarity": "euclidean",
    "any_dim": True,
    "metrics": f"{NDCG}, LabelDistance(k=1), LabelDistance(k=10)",
    "metric": NDCG,
    "data": {"source": "glyphs"},
    "folds": {"count": 3, "searched": 1, "tested": 1},
    "model": {"trunk": "ConvNet(widths=(8, 16), size=8)", "pool": "Flatten()", "head": "Linear(dim=8)", "frozen": True},
    "train": {"sampler": "DenseTriplets(batch_size=16, neighbours=3)", "budget": "6 steps", "validations": 2},
    "search": {"trials": 2, "round": 2, "rates": (1e-3, 1e-2)},
    "final": {"seeds": 2},
    "methods": (
        {"name": "log-ratio", "loss": "LogRatio()"},
        {"name": "small", "loss": "LogRatio()", "head": "Linear(dim=3, normalise=True)"},
    ),
}
CLASSES = {"name": "classes", "data": {"source": "glyphs"}}


def data(parts=None, classes=False):
    """Digits whose label is how much ink they have, left and right."""
    images, labels = digits(per_class=8)
    found = read((images, labels))
    ink = torch.from_numpy(images.reshape(len(images), 8, 2, 4).mean((1, 3)).astype(np.float32) / 255)
    if not classes:
        found = dataclasses.replace(found, labels=torch.full_like(found.labels, -1), classes=())
    return dataclasses.replace(found, targets=ink, split=parts)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def opened(cache, given=GIVEN, **what):
    return Study.open(made(given, "test"), cache=cache, data=data(**what))


def cell(study, method="log-ratio", rate=1e-2, seed=0, tested=False):
    setting = setting_of(study.recipe, study.recipe.method(method), {"head_lr": rate})
    return Cell(held=study.held_hash, setting=setting, fold=0, seed=seed, tested=tested)


def test_nothing_is_added_and_the_first_method_is_the_reference():
    recipe = made(GIVEN, "test")
    assert [m.name for m in recipe.methods] == ["log-ratio", "small"]
    assert recipe.reference == "log-ratio"
    assert made({**GIVEN, "reference": "small"}, "test").reference == "small"
    assert recipe.selected_by == NDCG
    assert made(CLASSES, "test").selected_by == "MAPAtR()"
    assert [m.name for m in recipe.only(["small"]).methods] == ["log-ratio", "small"]


def test_a_recipe_is_written_as_it_is_read_and_one_of_classes_as_it_was():
    recipe = made(GIVEN, "test")
    assert all(f"\n{key} = " in recipe.to_toml() for key in ("relate", "similarity", "any_dim", "rates"))
    plain = toml(made(CLASSES, "test"))
    assert not any(f"\n{key} = " in plain for key in ("relate", "similarity", "any_dim", "rates"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"relate": "close_target"}, "There is no 'close_target'. Did you mean 'close_targets'"),
        ({"relate": "LogRatio()"}, "relate is a relation of labels"),
        ({"similarity": "LogRatio()"}, "compares no embeddings"),
        ({"any_dim": False}, "its head has 3 dimensions, the study's 8"),
        ({"search": {"trials": 3, "rates": (1e-3,)}}, "one for each of 3 trials"),
        ({"metric": "MAPAtR()"}, "is not among metrics"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(changed, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")) as caught:
        made({**GIVEN, **changed}, "test")
    assert "\n" not in str(caught.value)


def test_rates_are_tried_in_their_order_and_nothing_else_is_searched():
    recipe = made(GIVEN, "test")
    assert space_of(recipe, recipe.method("log-ratio")) == {"head_lr": Choice(values=(1e-3, 1e-2))}


def test_items_validate_once_in_folds_that_the_order_does_not_change():
    found = data()
    division = divided(found, 3, by_item=True)
    assert [int((division.fold == k).sum()) for k in range(3)] == [27, 27, 26]
    assert int((division.fold == TEST).sum()) == 80
    order = torch.randperm(len(found))
    assert torch.equal(division.fold[order], divided(found.select(order), 3, by_item=True).fold)
    parts = division.splits(found, 1)
    ids = [set(part.ids.tolist()) for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, ids)) == len(set().union(*ids)) == len(found)


def test_the_datas_own_test_part_is_the_test_and_its_validation_is_divided_with_the_rest():
    division = divided(data(("train",) * 60 + ("validation",) * 40 + ("test",) * 60), 4, by_item=True)
    assert division.fold[100:].tolist() == [TEST] * 60
    assert sorted(np.bincount(division.fold[:100])) == [25] * 4


def test_data_without_classes_need_a_relation():
    with pytest.raises(ValueError, match="or, for continuous ones, `relate`"):
        divided(data(), 3)
    with pytest.raises(ValueError, match="4 folds need 8 training images"):
        divided(data(("train",) * 7 + ("test",) * 153), 4, by_item=True)


def test_relation_and_similarity_are_part_of_what_is_held(cache):
    study = opened(cache)
    assert study.held["relation of labels"] == "CloseTargets(radius=0.3)"
    assert study.held["validation"] == f"2 times, by {NDCG}"
    other = opened(cache, {**GIVEN, "relate": "CloseTargets(radius=0.2)"})
    assert len({study.held_hash, other.held_hash, opened(cache, {**GIVEN, "similarity": "cosine"}).held_hash}) == 3


def test_a_head_learns_label_distances_and_is_chosen_by_them(cache):
    """Of the same start, fifty steps of log-ratio find nearer labels; the loss and the sampler have the study's relation."""
    study = opened(cache, {**GIVEN, "train": {**GIVEN["train"], "budget": "50 steps"}})
    run = HeadTraining(study, cell(study))
    assert repr(run.scheme.loss) == "LogRatio(relate=CloseTargets(radius=0.3))"
    first = study.measured(*run.validation(start=True), NDCG)
    run.fit()
    best = float(study.measured(*run.validation(), NDCG)[NDCG])
    assert best > float(first[NDCG]) + 0.01
    assert math.isclose(run.best, best, abs_tol=1e-6)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_training_leaves_what_the_plan_chooses_by(cache, tmp_path, frozen):
    given = {**GIVEN, "model": {**GIVEN["model"], "frozen": frozen}}
    study = opened(cache, given)
    outcome, tensors = train_cell(study, cell(study, "small", tested=True), tmp_path / "work")
    assert (outcome.state, outcome.message) == ("done", "")
    assert {NDCG, "LabelDistance(k=1)"} <= outcome.validation.keys()
    assert math.isclose(max(row["validation"] for row in outcome.curve), outcome.validation[NDCG], abs_tol=1e-5)
    assert tensors["z"].shape == (80, 3)
    assert torch.allclose(tensors["z"].norm(dim=1), torch.ones(80), atol=1e-5)


def test_lengths_are_kept_where_they_matter_and_models_are_joined_at_one_mean_length():
    z = torch.tensor([[3.0, 4.0], [0.0, 15.0]])
    assert torch.equal(comparable(z, "euclidean"), z / 10)
    assert torch.allclose(comparable(z, "cosine").norm(dim=1), torch.ones(2))


def test_items_are_drawn_by_themselves_and_by_class_where_there_are_classes(cache):
    alone, together = opened(cache), opened(cache, classes=True)
    for study, many in ((alone, 80), (together, 10)):
        z = torch.randn(len(study.test), 4, generator=torch.Generator().manual_seed(0))
        found = scores(study, z, (NDCG,))
        assert len(set(found["classes"].tolist())) == many
        assert len(groups(study, z, torch.arange(80))) == len(found[NDCG]) == 80


def test_a_whole_study_compares_its_methods_and_controls(tmp_path, cache, monkeypatch):
    """From the recipe to findings: differences paired by item and seed, cards tested on every metric."""
    cards = ({"system": "s", "claim": "c.", "source": "p", "method": "small", "twin": "log-ratio"},)
    monkeypatch.setattr("isometry.bench.study.read", lambda *_, **__: data())
    findings = run(made({**GIVEN, "cards": cards}, "test"), out=tmp_path / "out", cache=cache, workers=0)
    assert findings.done == findings.planned == 2 * (2 + 2)
    assert (findings.queries, findings.classes, findings.metric) == (80, 80, NDCG)
    rows = {(r.method, r.metric): r for r in findings.rows if r.reading == "separated"}
    assert all(0 < rows[name, NDCG].value < 1 for name in ("log-ratio", "small", "raw pixels", "random linear"))
    assert {e.measure for e in findings.effects} == {NDCG, "LabelDistance(k=1)", "LabelDistance(k=10)"}
    effect = next(e for e in findings.effects if e.measure == NDCG)
    assert math.isclose(effect.difference, rows["small", NDCG].value - rows["log-ratio", NDCG].value, abs_tol=1e-6)
    assert {t.values["head_lr"] for t in findings.trials} == {1e-3, 1e-2}

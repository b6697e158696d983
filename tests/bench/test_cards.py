"""The cards that ship: every claim has a method and a twin that differ in what the claim is about, and in nothing else."""

import functools
import re
from pathlib import Path

import pytest
import torch

from isometry.bench import recipe
from isometry.bench.expressions import batch_size, dim_of
from isometry.expression import parse

RECIPES = Path(__file__).parents[2] / "recipes"
STUDIES = {name: recipe.read(RECIPES / f"cards-{name}.toml") for name in ("emoji", "glyphs")}
CARDS = [(study, card) for study in STUDIES.values() for card in study.cards]
FORCES = [recipe.read(RECIPES / f"forces-{name}.toml") for name in ("emoji", "glyphs")]
BY_NAME = {study.name: study for study in (*STUDIES.values(), *FORCES)}
every = pytest.mark.parametrize(("study", "card"), CARDS, ids=[f"{s.name}: {c.method}" for s, c in CARDS])
READING_LIST = (
    "Log-ratio loss", "Ranked list loss", "Multi-similarity loss", "General pair weighting", "Circle loss", "SoftTriple",
    "FastAP", "Sampling wisely (top-k precision)", "Cross-batch memory", "Stochastic class-based hard example mining",
    "Upper bound on the triplet loss", "Signal-to-noise ratio", "Asymmetric metric learning via rich relationship mining",
    "Invariant and spreading instance feature", "ρ-regularisation",
)  # fmt: skip


def first(study, name):
    """What a method's first trial trains: its published defaults, and the study's rates."""
    return started(study.name, name)


@functools.cache
def started(study, name):
    made = BY_NAME[study]
    return recipe.setting_of(made, made.method(name), recipe.defaults_of(made, made.method(name)))


def kind(study, name):
    """The name of a method's loss, and its similarity where that is said: the scale of its thresholds."""
    loss = study.method(name).loss
    return loss.partition("(")[0], re.findall(r"similarity=\w+", loss)


def test_every_system_of_the_reading_list_has_a_card():
    assert set(READING_LIST) <= {card.system for _, card in CARDS}


@every
def test_a_method_and_its_twin_differ(study, card):
    method, twin = first(study, card.method), first(study, card.twin)
    assert (method.loss, method.sampler, method.head) != (twin.loss, twin.sampler, twin.head)


@every
def test_a_claim_is_about_one_thing(study, card):
    """Of loss and sampler one differs; a head only where the loss is of its branches."""
    method, twin = first(study, card.method), first(study, card.twin)
    assert (method.loss == twin.loss) != (method.sampler == twin.sampler)
    assert (method.head == twin.head) != ("EachBranch" in method.loss)


@every
def test_method_and_twin_have_equal_batches_and_dimensions(study, card):
    method, twin = first(study, card.method), first(study, card.twin)
    assert batch_size(method.sampler) == batch_size(twin.sampler) == batch_size(study.train.sampler)
    assert dim_of(method.head) == dim_of(twin.head) == dim_of(study.model.head)


@every
def test_a_knob_of_the_same_loss_is_searched_over_the_same_range(study, card):
    if kind(study, card.method) != kind(study, card.twin):
        pytest.skip("two losses, whose knobs mean different things")
    method, twin = (recipe.space_of(study, study.method(name)) for name in (card.method, card.twin))
    for name in method.keys() & twin.keys():
        assert method[name] == twin[name]
    assert "head_lr" in method.keys() & twin.keys()


@every
def test_a_claim_is_a_sentence_with_its_source(study, card):
    assert card.claim.endswith(".")
    assert card.source.rstrip("0123456789") != card.source


def test_no_method_of_a_card_study_is_trained_in_vain():
    for study in STUDIES.values():
        used = {name for card in study.cards for name in (card.method, card.twin)}
        assert {m.name for m in study.methods} - used <= {"tuned contrastive", "tuned normalised softmax"}


@pytest.mark.parametrize("study", FORCES, ids=lambda study: study.name)
def test_the_family_starts_from_multi_similarity_and_has_the_trials_of_all(study):
    assert first(study, "splines").loss == "GeneralPairWeighting(weigh=SplineWeights())"
    known = {first(study, m.name).loss for m in study.methods}
    assert {
        "MultiSimilarity()",
        "Contrastive()",
        "SupCon(temperature=0.1)",
        "NTXent()",
        "Circle()",
        "NormSoftmax()",
    } <= known
    assert len([name for name in recipe.space_of(study, study.method("splines")) if name.startswith("weigh.")]) == 8


def test_levels_split_what_the_trunk_gives():
    study = STUDIES["glyphs"]
    width = parse(study.model.trunk).ends.out_features
    head = parse(first(study, "ranked list at three levels").head, in_features=width)
    assert head(torch.zeros(2, width)).shape == (2, dim_of(study.model.head))

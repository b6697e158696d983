"""The study of determinant regularisation: its recipes are fair, and its verdicts follow from numbers by a rule."""

import dataclasses
import functools
import importlib
import math
import random
import sys
from pathlib import Path

import pytest
import torch

from isometry.bench import recipe
from isometry.bench.expressions import batch_size, dim_of
from isometry.bench.findings import SEPARATED, Effect, Row
from isometry.ops.holm import holm
from tests.bench import made_up

ROOT = Path(__file__).parents[2]
STUDIES = [recipe.read(ROOT / "recipes" / f"determinant-{name}.toml") for name in ("emoji", "glyphs")]
FORMS = ("plain", "flow", "log-det", "dueling", "spherical", "Frobenius")
CARDS = [(study, card) for study in STUDIES for card in study.cards]
each = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
every = pytest.mark.parametrize(("study", "card"), CARDS, ids=[f"{s.name}: {c.method}" for s, c in CARDS])


@pytest.fixture(scope="module")
def claims():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("determinant_claims")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def pages(claims):
    pytest.importorskip("matplotlib")
    return importlib.import_module("determinant_study")


@functools.cache
def space(name, method):
    study = next(s for s in STUDIES if s.name == name)
    return recipe.space_of(study, study.method(method))


@each
def test_every_loss_has_every_form(study, claims):
    assert {f"{host}, {form}" for host in claims.HOSTS for form in FORMS} <= {m.name for m in study.methods}
    assert study.geometry
    assert study.final.seeds >= 5


@each
def test_forms_of_a_loss_are_searched_alike_but_for_the_factor(study, claims):
    """The same knob of the loss over the same range, the same rates; λ starts at .05 and alone comes on top."""
    for host in claims.HOSTS:
        spaces = {m.name: space(study.name, m.name) for m in study.methods if m.name.startswith(f"{host}, ")}
        bare = {
            n: {k.rpartition(".")[2]: v for k, v in s.items() if not k.endswith(".factor")} for n, s in spaces.items()
        }
        assert all(own == bare[f"{host}, flow"] for own in bare.values())
        for name, own in spaces.items():
            factors = [k for k in own if k.endswith(".factor")]
            assert len(factors) == (study.method(name).loss != study.method(f"{host}, plain").loss)
            assert all(
                recipe.defaults_of(study, study.method(name))[k] == (1.0 if name.endswith("anisotropy") else 0.05)
                for k in factors
            )


@every
def test_a_card_compares_what_differs_in_one_thing(study, card):
    """Two heads with one loss, or one head with a term more."""
    method, twin = study.method(card.method), study.method(card.twin)
    assert card.method.partition(", ")[0] == card.twin.partition(", ")[0]
    assert (method.sampler, batch_size(method.sampler or study.train.sampler)) == (twin.sampler, 128)
    heads = [m.head or study.model.head for m in (method, twin)]
    assert dim_of(heads[0]) == dim_of(heads[1])
    if method.loss == twin.loss:
        assert heads[0] != heads[1]
    else:
        assert method.loss.startswith(
            (f"{twin.loss} + 0.05*", f"{twin.loss} + 1.0*Determinant(every=1, volume=Anisotropy")
        )
        assert heads[0].replace(", second=True", "") == heads[1]
    assert card.claim.endswith(".")
    assert card.source.rstrip("0123456789") != card.source


def made(shift, *, hosts, forms=("log-det", "dueling", "spherical"), noise=0.001, seeds=5):
    """Findings in which every form changes each measure by `shift(form, measure)`, give or take noise of hosts and seeds."""
    draw, effects = random.Random(0), []
    for host in hosts:
        for form in (*forms, "flow"):
            for measure in ("MAPAtR()", "Recall(k=1)", "r*/r", "L95", "L95 head"):
                own, twin = shift(form, measure), "plain" if form in ("flow", "anisotropy") else "flow"
                by_seed = tuple(own + draw.gauss(0, noise) for _ in range(seeds))
                mean = sum(by_seed) / seeds
                effects.append(
                    Effect(
                        method=f"{host}, {form}", twin=f"{host}, {twin}", measure=measure,
                        value=0.5 + mean, twin_value=0.5, difference=mean, low=mean - noise, high=mean + noise, p=0.5,
                        p_holm=0.001 if abs(own) > 0.01 else 1.0, by_seed=by_seed,
                    )
                )  # fmt: skip
    return dataclasses.replace(made_up.nothing(), effects=tuple(effects), seeds=seeds)


def verdicts(claims, findings):
    return {claim.sentence: verdict for claim, _, verdict in claims.ruled(findings)}


def test_what_moves_as_claimed_is_supported_and_what_does_not_is_not(claims):
    """Stretch falls by a tenth, ranking falls too, R@1 stays where it is."""
    moves = {"L95": -0.05, "L95 head": -0.05, "MAPAtR()": -0.02}
    found = verdicts(claims, made(lambda form, m: moves.get(m, 0.0) if form != "flow" else 0.0, hosts=claims.HOSTS))
    said = [found[c.sentence] for c in claims.CLAIMS]
    assert said[:7] == [
        "supported",
        "supported",
        "not supported",
        "not supported",
        "not supported",
        "not supported",
        "not supported",
    ]
    assert said[7:] == ["not tested", "not supported", "not tested", "not tested", "not tested"]


def test_noise_that_could_hide_an_effect_is_undecided(claims):
    found = verdicts(claims, made(lambda *_: 0.0, hosts=claims.HOSTS, noise=0.2))
    assert set(found.values()) == {"undecided", "not tested"}


def test_losses_of_pairs_and_with_proxies_have_verdicts_of_their_own(claims):
    full = made(lambda form, m: 0.03 if m == "MAPAtR()" and form != "flow" else 0.0, hosts=claims.PAIRS)
    none = made(lambda *_: 0.0, hosts=claims.PROXIES)
    found = verdicts(claims, dataclasses.replace(full, effects=full.effects + none.effects))
    own = [found[c.sentence] for c in claims.CLAIMS if "losses" in c.sentence]
    assert own == ["supported", "not supported"]


def test_one_form_that_fails_leaves_a_sentence_undecided(claims):
    findings = made(lambda form, m: -0.05 if (form, m) == ("dueling", "L95") else 0.0, hosts=claims.HOSTS)
    assert verdicts(claims, findings)[claims.CLAIMS[1].sentence] == "undecided"


def test_what_only_our_volume_does_is_not_the_papers(claims):
    findings = made(lambda form, m: 0.03 if (form, m) == ("spherical", "MAPAtR()") else 0.0, hosts=claims.HOSTS)
    said = verdicts(claims, findings)
    assert said["It ranks new classes better (MAP@R)."] == "not supported"
    assert [v for s, v in said.items() if s.startswith("Our volume") and "MAP@R" in s] == ["supported"]


def test_of_a_frozen_trunk_the_whole_is_not_tested_apart_from_the_head(claims):
    findings = made(lambda *_: -0.05, hosts=claims.HOSTS)
    heads = {(e.method, e.twin): e for e in findings.effects if e.measure == "L95 head"}
    alike = [
        dataclasses.replace(heads[e.method, e.twin], measure="L95") if e.measure == "L95" else e
        for e in findings.effects
    ]
    frozen = dataclasses.replace(findings, effects=tuple(alike))
    assert claims.frozen(frozen)
    assert not claims.frozen(findings)
    said = verdicts(claims, frozen)
    assert [said[c.sentence] for c in claims.CLAIMS[:2]] == ["supported", "not tested"]
    assert [v for s, v in said.items() if s.startswith("Our volume") and "end to end" in s] == ["supported"]


def test_what_is_pooled_is_the_mean_over_hosts_and_seeds_that_all_have(claims):
    findings = made(lambda *_: 0.01, hosts=claims.HOSTS[:3])
    lame = [
        dataclasses.replace(e, by_seed=(math.nan, *e.by_seed[1:])) if e.method.startswith("triplet") else e
        for e in findings.effects
    ]
    found = claims.pooled(dataclasses.replace(findings, effects=tuple(lame)), "L95", "log-det")
    own = [e.by_seed[1:] for e in lame if e.measure == "L95" and e.method.endswith("log-det")]
    assert (found.seeds, found.hosts) == (4, claims.HOSTS[:3])
    assert found.difference == pytest.approx(sum(map(sum, own)) / 12)
    assert found.low < found.difference < found.high
    assert claims.pooled(findings, "L95", "largest stretch") is None
    assert claims.pooled(made(lambda *_: 0.0, hosts=("margin",)), "L95", "log-det") is None


def test_two_forms_are_compared_by_the_twin_that_both_have(claims):
    findings = made(lambda form, m: {"dueling": -0.2, "log-det": -0.1}.get(form, 0.0), hosts=claims.HOSTS)
    found = claims.pooled(findings, "L95", "dueling", "log-det")
    assert found.difference == pytest.approx(-0.1, abs=0.002)
    assert found.twin == pytest.approx(0.4, abs=0.002)


def test_a_host_counts_as_better_by_its_own_test(claims):
    found = claims.pooled(made(lambda form, m: -0.05 if m == "L95" else 0.0, hosts=claims.HOSTS), "L95", "spherical")
    assert (found.better, found.worse) == (7, 0)


def test_holm_goes_over_all_tests_of_the_page(claims):
    tests = [t for _, own, _ in claims.ruled(made(lambda *_: 0.001, hosts=claims.HOSTS)) for t in own]
    assert [t.p_holm for t in tests] == pytest.approx(holm(torch.tensor([t.p for t in tests])).tolist(), rel=1e-5)


def row(method, metric, value):
    return Row(
        method=method, control=False, metric=metric, reading=SEPARATED, value=value, low=value - 0.01, high=value + 0.01,
        spread=0.01, seeds=5, folds=1, paired=5, difference=math.nan, difference_low=math.nan, difference_high=math.nan,
        p=math.nan, p_holm=math.nan, detectable=math.nan,
    )  # fmt: skip


def studied(claims, forms=FORMS):
    """Made-up findings with methods and values."""
    names = [f"{host}, {form}" for host in claims.HOSTS for form in forms]
    template = made_up.nothing().methods[0]
    run = names[:-3]
    found = made(lambda form, m: -0.05 if m == "L95" else 0.001, hosts=claims.HOSTS)
    return dataclasses.replace(
        found,
        name="determinant-made-up",
        methods=tuple(dataclasses.replace(template, name=name) for name in names),
        rows=tuple(row(name, m, 0.3) for name in run for m in ("MAPAtR()", "Recall(k=1)")),
        geometry=tuple(row(name, m, 0.05) for name in run for m in ("r*/r", "L95")),
        missing=("Proxy-NCA++, dueling: 5 of 5 final trainings",),
        planned=100,
        done=90,
    )


def test_the_page_says_what_was_found_and_what_was_not_run(claims, pages):
    text = pages.page(studied(claims), {"x.svg": "effects"})
    assert "| It lowers the Lipschitz constant of the whole embedding, from input to output. | **supported** |" in text
    assert "| **not tested** | the trunk is frozen |" in text
    assert "Not run: Proxy-NCA++, dueling" in text
    assert "| Proxy-NCA++ | spherical | – | – | – | – | – |" in text
    assert "![effects](x.svg)" in text
    lines = [line for line in text.splitlines() if line.startswith("| contrastive |")]
    assert len(lines) == len(FORMS)
    widths = {line.count("|") for line in lines}
    assert widths == {8}


def test_figures_are_drawn_of_what_there_is(claims, pages, tmp_path):
    figures = importlib.import_module("determinant_figures")
    for draw in (figures.effects_figure, figures.stretch_figure):
        assert draw(made_up.nothing()) is None
        figure = draw(studied(claims))
        figure.savefig(tmp_path / "one.svg", metadata={"Date": None})
        assert "log-det" in (tmp_path / "one.svg").read_text()

"""What a search may change: the ranges that follow from fields, and those that a recipe writes."""

import math
import re

import pytest

from isometry.bench.recipe import made
from isometry.bench.space import Choice, Real, Whole, defaults_of, setting_of, space_of
from isometry.expression import parse


def study(loss, method=None, **sections):
    entry = {"name": "mine", "loss": loss, **(method or {})}
    given = {"name": "x", "data": {"source": "glyphs"}, "methods": [entry], **sections}
    recipe = made(given, "x")
    return recipe, recipe.method("mine")


def knobs(loss, **method):
    found = space_of(*study(loss, method))
    return {name: found[name] for name in found if not name.endswith("_lr")}


def test_a_positive_float_is_searched_by_its_logarithm_around_its_default():
    assert knobs("NTXent()") == {"temperature": Real(low=0.01, high=1.0, log=True)}
    assert knobs("NTXent(temperature=0.5)") == {"temperature": Real(low=0.05, high=5.0, log=True)}


def test_margins_and_thresholds_are_searched_evenly_on_the_scale_of_a_cosine():
    found = knobs("Contrastive()", knobs=("positive", "negative"))
    assert found == {"positive": Real(low=0.0, high=1.0), "negative": Real(low=0.0, high=1.0)}
    assert knobs("ProxyAnchor()")["margin"] == Real(low=0.0, high=1.0)
    assert knobs("LiftedStructure()") == {"margin": Real(low=0.0, high=1.0)}


def test_whole_numbers_and_truth_values():
    assert knobs("FastAP()") == {"bins": Whole(low=2, high=40, log=True)}
    assert knobs("ArcFace()")["easy_margin"] == Choice(values=(False, True))


def test_what_is_below_zero_is_searched_between_there_and_zero():
    assert knobs("Contrastive(similarity=chord, positive=0.0, negative=-0.5)", knobs=("negative",)) == {
        "negative": Real(low=-1.0, high=0.0)
    }


def test_at_most_three_knobs_of_the_loss_itself_in_the_order_of_its_fields():
    assert list(knobs("RankedList()")) == ["alpha", "margin", "temperature"]
    assert list(knobs("SoftTriple()")) == ["scale", "margin"]
    assert list(knobs("Margin()")) == ["margin", "beta", "per_class"]


def test_a_loss_without_numbers_of_its_own_shows_those_inside_it():
    assert list(knobs("GeneralPairWeighting(weigh=BinomialDevianceWeights())")) == [
        "weigh.alpha",
        "weigh.beta",
        "weigh.base",
    ]
    assert knobs("NPair()") == {}


def test_seeds_rates_and_what_the_data_decide_are_never_searched():
    for loss in ("Margin()", "SoftTriple()", "MultiSimilarity()"):
        with pytest.raises(ValueError, match=r"There is no knob"):
            knobs(loss, knobs=("lr_multiple",))
    for name in ("reference.lr_multiple", "reference.num_classes", "reference.dim"):
        with pytest.raises(ValueError, match=r"There is no knob"):
            knobs("ProxyAnchor()", knobs=(name,))
    assert knobs("SupCon()") == {"temperature": Real(low=0.07 / 10, high=0.07 * 10, log=True)}


def test_dotted_names_reach_into_components():
    recipe, entry = study("SubCenterArcFace()", {"knobs": ("scale", "reference.centres")})
    assert space_of(recipe, entry)["reference.centres"] == Whole(low=1, high=12, log=True)
    setting = setting_of(recipe, entry, {"scale": 12.34567, "reference.centres": 2})
    assert setting.loss == "SubCenterArcFace(reference=Proxies(centres=2), scale=12.35)"
    deep = {"space": {"miner.miner.cutoff": (0.1, 1.0)}}
    recipe, entry = study("Margin(miner=RhoSwitch(miner=DistanceWeightedMiner()))", deep)
    text = setting_of(recipe, entry, {"miner.miner.cutoff": 0.25}).loss
    assert parse(text, dim=8, num_classes=2).miner.miner.cutoff == 0.25


def test_terms_of_a_sum_go_by_name_and_have_a_factor():
    entry = {"space": {"KoLeo.factor": (0.01, 1.0, "log"), "Contrastive.negative": (0.0, 0.9)}}
    recipe, entry = study("Contrastive() + 0.1*KoLeo()", entry)
    assert defaults_of(recipe, entry)["KoLeo.factor"] == 0.1
    setting = setting_of(recipe, entry, {"KoLeo.factor": 0.5, "Contrastive.negative": 0.25})
    assert setting.loss == "Contrastive(negative=0.25) + 0.5 * KoLeo()"
    with pytest.raises(ValueError, match=r"no knob 'Contrastive.factor'"):
        study("Contrastive() + 0.1*KoLeo()", {"knobs": ("Contrastive.factor",)})


def test_choices_may_be_components():
    recipe, entry = study("Triplet()", {"space": {"select": {"choices": ("AllTriplets()", "SemiHard()")}}})
    assert space_of(recipe, entry)["select"] == Choice(values=("AllTriplets()", "SemiHard()"))
    assert defaults_of(recipe, entry)["select"] == "AllTriplets()"
    assert setting_of(recipe, entry, {"select": "SemiHard()"}).loss == "Triplet(select=SemiHard())"
    recipe, entry = study("Triplet()", {"space": {"similarity": {"choices": ("cosine", "chord")}}})
    assert setting_of(recipe, entry, {"similarity": "chord"}).loss == "Triplet(similarity=chord)"


def test_rates_are_searched_where_something_learns_by_them():
    search = {"head_lr": (1e-4, 1e-2), "trunk_lr": (1e-5, 1e-2), "loss_lr": (1e-5, 1e-2)}

    def rates(loss, frozen):
        found = space_of(*study(loss, search=search, model={"frozen": frozen}))
        return [name for name in found if name.endswith("_lr")]

    assert rates("SupCon()", frozen=True) == ["head_lr"]
    assert rates("SupCon()", frozen=False) == ["head_lr", "trunk_lr"]
    assert rates("ProxyAnchor()", frozen=True) == ["head_lr", "loss_lr"]
    assert rates("Margin()", frozen=False) == ["head_lr", "trunk_lr", "loss_lr"]


def test_the_first_trial_is_the_published_loss_at_the_recipes_rates():
    train = {"head_lr": 2e-3, "loss_lr": 1e-4}
    for loss in ("CosFace()", "ProxyNCAPlusPlus()", "TupletMargin()"):
        recipe, entry = study(loss, train=train)
        first = setting_of(recipe, entry, defaults_of(recipe, entry))
        assert first.loss == loss
        assert (first.head_lr, first.trunk_lr) == (2e-3, 0.0)
        assert first.loss_lr == (0.0 if loss == "TupletMargin()" else 1e-4)
        assert first.sampler == recipe.train.sampler
        assert first.head == recipe.model.head


def test_the_first_trial_lies_in_its_space():
    losses = "Circle() MultiSimilarity() SoftTriple() RankedList() Margin() ROADMAP() SphereFace() PNP() Angular()"
    for loss in losses.split():
        recipe, entry = study(loss)
        first = defaults_of(recipe, entry)
        for name, found in space_of(recipe, entry).items():
            inside = (
                first[name] in found.values if isinstance(found, Choice) else found.low <= first[name] <= found.high
            )
            assert inside, (loss, name)


def test_a_setting_has_four_digits_and_unknown_knobs_are_refused():
    recipe, entry = study("NTXent()")
    setting = setting_of(recipe, entry, {"temperature": 0.0123456, "head_lr": math.pi / 1000})
    assert setting.loss == "NTXent(temperature=0.01235)"
    assert setting.head_lr == 0.003142
    with pytest.raises(ValueError, match=r"no knob 'temprature'. Did you mean 'temperature'"):
        setting_of(recipe, entry, {"temprature": 0.1})


@pytest.mark.parametrize(
    ("loss", "method", "said"),
    [
        ("NTXent()", {"knobs": ("temprature",)}, "There is no knob 'temprature'. Did you mean 'temperature'?"),
        ("NTXent()", {"space": {"temperature": (0.2, 1.0)}}, "temperature is 0.1 at first, outside [0.2, 1.0]"),
        ("NTXent()", {"space": {"temperature": (1.0, 0.01)}}, "is [low, high] or [low, high, \"log\"]"),
        ("NTXent()", {"space": {"temperature": (0.0, 1.0, "log")}}, "is [low, high] or [low, high, \"log\"]"),
        ("NTXent()", {"space": {"temperature": (0.01, 1.0, "lin")}}, "is [low, high] or [low, high, \"log\"]"),
        ("ArcFace()", {"space": {"easy_margin": (0.0, 1.0)}}, "easy_margin is False, no number"),
        ("Triplet()", {"space": {"select": {"choices": ("SemiHard()",)}}}, "which is not among its choices"),
        ("Triplet()", {"space": {"select": {"choices": ("AllTriplets()", "Cosine()")}}}, "Triplet.select is Select"),
        ("Triplet()", {"space": {"select": {"values": (1,)}}}, "The space of select is {choices = […]}"),
        ("Triplet()", {"knobs": ("select",)}, "select is AllTriplets(), no number"),
        ("FastAP()", {"space": {"bins": {"choices": (10, 12.5)}}}, "FastAP.bins is int, and 12.5 is not"),
        ("ROADMAP()", {"knobs": ("balance",), "space": {"step.rho": (1.0, 200.0)}}, "which knobs does not name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_line(loss, method, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        study(loss, method)
    assert str(caught.value).startswith("x: method 'mine': ")
    assert "\n" not in str(caught.value)

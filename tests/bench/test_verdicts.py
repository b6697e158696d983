"""Verdicts: every interval falls under one of four, and the sentence holds the numbers."""

import math

import pytest
import torch

from isometry.bench.readings import Table
from isometry.bench.recipe_parts import Card
from isometry.bench.verdicts import judged, said, verdicts_of

CARD = Card(system="S", claim="helps", source="nobody", method="new", twin="old")


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.010, 0.030, 0.001, "supported"),
        (0.001, 0.003, 0.010, "supported"),  # there, if small
        (-0.030, -0.010, 0.001, "not supported"),  # does harm
        (-0.002, 0.004, 0.600, "not supported"),  # at best too small to matter
        (-0.002, 0.006, 0.600, "undecided"),
        (0.001, 0.020, 0.090, "undecided"),  # its own interval is above 0, but one of many cards
    ],
)
def test_every_interval_has_a_verdict(low, high, p, verdict):
    assert judged((low + high) / 2, low, high, p) == verdict
    sentence = said(CARD, (low + high) / 2, low, high, p, verdict, "MAPAtR()")
    assert f"{low:+.4f} to {high:+.4f}" in sentence
    assert "MAP@R" in sentence
    assert sentence.endswith(".")


def test_too_little_for_an_interval_is_undecided():
    assert judged(0.02, math.nan, math.nan, math.nan) == "undecided"


def test_one_seed_is_undecided_however_large_the_effect():
    columns = {"old": torch.rand(60, 1), "new": torch.rand(60, 1) + 0.5}
    seeds = dict.fromkeys(columns, (0,))
    table = Table(columns=columns, classes=torch.arange(60) // 2, fixed=frozenset(), seeds=seeds, statistic=False)
    (found,) = verdicts_of([CARD], table, "MAPAtR()")
    assert found.verdict == "undecided"
    assert found.difference > 0.3
    assert found.said.endswith("against old; one seed: no interval.")


def test_holm_is_over_the_cards_that_were_run():
    generator = torch.Generator().manual_seed(0)
    old = 0.3 + 0.01 * torch.randn(90, 4, generator=generator)
    columns = {"old": old, "new": old + 0.02 + 0.002 * torch.randn(90, 4, generator=generator), "same": old.clone()}
    table = Table(
        columns=columns,
        classes=torch.arange(90) // 3,
        fixed=frozenset(),
        seeds=dict.fromkeys(columns, (0, 1, 2, 3)),
        statistic=False,
    )
    cards = [CARD, CARD.model_copy(update={"method": "same"}), CARD.model_copy(update={"method": "absent"})]
    found = verdicts_of(cards, table, "MAPAtR()")
    assert [v.verdict for v in found] == ["supported", "not supported", "not run"]
    assert found[0].p_holm == pytest.approx(2 * float(table.difference("new", "old").p))
    assert found[1].difference == 0
    assert "the same MAP@R" in found[1].said
    assert math.isnan(found[2].difference)
    assert found[2].said == "absent and old were not both run."

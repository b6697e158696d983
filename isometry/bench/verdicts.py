"""Verdicts: what a published claim comes to, measured against the same method without what the paper adds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from isometry.bench.findings import Verdict
from isometry.bench.readings import Table
from isometry.bench.standing import numbers
from isometry.ops.crossed import Crossed
from isometry.ops.holm import holm

if TYPE_CHECKING:
    from isometry.bench.recipe import Card

SUPPORTED, NOT, UNDECIDED, NOT_RUN = "supported", "not supported", "undecided", "not run"
MATTERS = 0.005
"""The smallest effect that matters, on the scale of the metric: half a point. It is fixed before anything is run."""
LEVEL = 0.05


def verdicts_of(cards: Sequence["Card"], table: Table, metric: str) -> tuple[Verdict, ...]:
    """The verdict on each card, Holm-corrected over the cards that were run.

    Supported: the effect is positive and p, corrected, is below .05. Not supported: it is negative at that level, or its
    whole 95 % interval lies below half a point: at best it would be too small to matter. Else undecided, as with one seed.
    """
    found = [table.difference(card.method, card.twin) for card in cards]
    p = holm(torch.tensor([math.nan if d is None else float(d.p) for d in found], dtype=torch.float64)).tolist()
    seeds = [table.paired(card.method, card.twin) for card in cards]
    rows = zip(cards, found, p, seeds, strict=True)
    return tuple(_verdict(card, d, own, count, metric) for card, d, own, count in rows)


def _verdict(card: "Card", found: Crossed | None, p_holm: float, seeds: int, metric: str) -> Verdict:
    own = numbers(found)
    difference, low, high = own["difference"], own["low"], own["high"]
    verdict = judged(difference, low, high, p_holm, run=found is not None)
    return Verdict(
        system=card.system,
        claim=card.claim,
        source=card.source,
        method=card.method,
        twin=card.twin,
        difference=difference,
        low=low,
        high=high,
        p_holm=p_holm,
        verdict=verdict,
        said=said(card, difference, low, high, p_holm, verdict, metric, seeds=seeds),
    )


def judged(difference: float, low: float, high: float, p_holm: float, *, run: bool = True) -> str:
    """The verdict on an effect with this interval and p.

    >>> judged(0.020, 0.010, 0.030, 0.001), judged(0.001, -0.002, 0.004, 0.9), judged(0.004, -0.01, 0.018, 0.9)
    ('supported', 'not supported', 'undecided')
    """
    if not run:
        return NOT_RUN
    if p_holm < LEVEL:
        return SUPPORTED if difference > 0 else NOT
    return NOT if high < MATTERS else UNDECIDED


def said(
    card: "Card", difference: float, low: float, high: float, p_holm: float, verdict: str, metric: str, seeds: int = 0
) -> str:
    """The verdict in a sentence, with its numbers. `seeds`: how many the difference has."""
    if verdict == NOT_RUN:
        return f"{card.method} and {card.twin} were not both run."
    what = metric.removesuffix("()").replace("AtR", "@R")
    moved = f"{card.method} {'gains' if difference > 0 else 'loses'} {abs(difference):.4f} {what} against {card.twin}"
    if difference == 0:
        moved = f"{card.method} has the same {what} as {card.twin}"
    if math.isnan(low):
        return f"{moved}; {'one seed: no interval' if seeds == 1 else 'too little was run for an interval'}."
    shown = f"{moved} (95 % interval {low:+.4f} to {high:+.4f}; p {_p(p_holm)} over all cards)"
    if verdict == SUPPORTED:
        return f"{shown}: the effect is there" + ("." if low >= MATTERS else ", though it may be too small to matter.")
    if verdict == NOT:
        worse = p_holm < LEVEL
        return f"{shown}: " + ("it does harm." if worse else f"if it helps at all, by less than {MATTERS}.")
    return f"{shown}: neither a gain of {MATTERS} nor none can be ruled out."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"

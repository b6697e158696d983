"""Published claims, measured against the twin that lacks what is claimed."""

import math

from isometry.bench.findings import Verdict
from isometry.bench.verdicts import LEVEL, MATTERS
from isometry.report.text import escape, metric_name

from ..numbers import p_is, signed, signed_bracket
from ..view import View, finite

MARKS = {"supported": ("✓", "yes"), "not supported": ("✗", "no"), "undecided": ("?", "open"), "not run": ("–", "idle")}


def verdicts(view: View) -> str:
    """A card for each claim, effects on one common scale."""
    head = '<section id="verdicts"><h2>Verdicts on published claims</h2>'
    cards = view.findings.verdicts
    if not cards:
        return f'{head}<p class="muted">This study names no published claims to measure.</p></section>'
    reach = (
        max((abs(v) for card in cards for v in finite((card.low, card.high, card.difference))), default=0.0) * 1.05
        or 1.0
    )
    counts = {name: sum(card.verdict == name for card in cards) for name in MARKS}
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    drawn = "".join(_card(card, reach) for card in cards)
    rule = (
        f"Supported: above zero with p < {LEVEL} after Holm. Not supported: below zero likewise, or with its whole interval "
        f"below {MATTERS}, the smallest effect that matters. Undecided: neither."
    )
    lead = (
        f"{said}. Each claim is of a whole system; measured here is what is left of it under this study’s conditions: "
        f"{metric_name(view.findings.metric)} of the method minus that of its twin, which lacks what is claimed. {rule}"
    )
    return f'{head}<p class="lead">{escape(lead)}</p><ul class="claims">{drawn}</ul></section>'


def _card(card: Verdict, reach: float) -> str:
    mark, kind = MARKS.get(card.verdict, ("·", "idle"))
    return (
        f'<li class="claim {kind}"><p class="ruling"><i aria-hidden="true">{mark}</i> {escape(card.verdict)}</p>'
        f"<h3>{escape(card.system)}</h3><blockquote>{escape(card.claim)}<small>{escape(card.source)}</small></blockquote>"
        f'<p class="versus">{escape(card.method)} <span>against</span> {escape(card.twin)}</p>{_effect(card, reach)}'
        f"<p>{escape(card.said)}</p></li>"
    )


def _effect(card: Verdict, reach: float) -> str:
    if not math.isfinite(card.difference):
        return '<p class="muted">No effect has been measured.</p>'
    low, high = (v if math.isfinite(v) else card.difference for v in (card.low, card.high))
    said = f"{signed(card.difference)} {signed_bracket(card.low, card.high)}"
    said += f", {p_is(card.p_holm)}" if math.isfinite(card.p_holm) else ""
    return (
        '<div class="effect" aria-hidden="true"><i class="bar" style="left:50%"></i>'
        f'<i class="range" style="left:{_at(low, reach)};width:{50 * (high - low) / reach:.2f}%"></i>'
        f'<i class="at" style="left:{_at(card.difference, reach)}"></i></div>'
        f'<p class="ends" aria-hidden="true"><span>{signed(-reach)}</span><span>0</span><span>{signed(reach)}</span></p>'
        f'<p class="measured">{escape(said)}</p>'
    )


def _at(value: float, reach: float) -> str:
    return f"{50 + 50 * value / reach:.2f}%"

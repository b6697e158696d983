"""What readers of the log-ratio paper asked, answered from numbers by a rule.

The rule, fixed before anything was run. A comparison is of two methods that differ in one thing, paired by what is drawn together
and by seed, and p is Holm-corrected over all comparisons of the page, for each metric. Supported: better, with p < .05. Not
supported: worse likewise, or the whole 95 % interval lies below what matters: half a point of nDCG, 2 % of a label distance.
Undecided: neither. Of several comparisons: what all come to; supported in part where some are and none is not; else undecided.
"""

import dataclasses
import math
from dataclasses import dataclass

from continuous_grid import ALONE, CENTRE, DIMS, LENGTHS, LOSSES, MINED, Method, compared, decoded

from isometry.bench.findings import Effect, Findings
from isometry.bench.verdicts import LEVEL, MATTERS, NOT, NOT_RUN, SUPPORTED, UNDECIDED

NDCG, NEAR, NEARER = "NDCG(k=100, gain=DistanceGain())", "LabelDistance(k=10)", "LabelDistance(k=1)"
PART = 0.02
"""The smallest change of a label distance that matters, of the twin's."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, its answer in a sentence, the verdict, and the comparisons that it rests on."""

    question: str
    claim: str
    verdict: str
    said: str
    pairs: tuple[tuple[Method, Method], ...]


def effects_by(findings: Findings) -> dict[tuple[Method, Method, str], Effect]:
    """Tested differences by method, twin and metric."""
    named = ((decoded(e.method), decoded(e.twin), e) for e in findings.effects)
    return {(a, b, e.measure): e for a, b, e in named if a and b and math.isfinite(e.difference)}


def verdict_of(effect: Effect | None) -> str:
    """What one difference comes to; label distances are better where they are smaller."""
    if effect is None:
        return NOT_RUN
    lower = effect.measure.startswith("LabelDistance")
    matters = PART * abs(effect.twin_value) if lower else MATTERS
    better, most = (-effect.difference, -effect.low) if lower else (effect.difference, effect.high)
    if effect.p_holm < LEVEL:
        return SUPPORTED if better > 0 else NOT
    return NOT if most < matters else UNDECIDED


def turned(effect: Effect | None) -> Effect | None:
    """The twin against the method."""
    if effect is None:
        return None
    return dataclasses.replace(
        effect, difference=-effect.difference, low=-effect.high, high=-effect.low, value=effect.twin_value,
        twin_value=effect.value, method=effect.twin, twin=effect.method,
    )  # fmt: skip


def together(verdicts: list[str]) -> str:
    """Of several comparisons, those not run left out."""
    ran = [v for v in verdicts if v != NOT_RUN]
    if not ran:
        return NOT_RUN
    if len({*ran}) == 1:
        return ran[0]
    part = SUPPORTED in ran and NOT not in ran
    return f"{SUPPORTED} in part ({ran.count(SUPPORTED)} of {len(ran)} comparisons)" if part else UNDECIDED


def answers(findings: Findings) -> tuple[Answer, ...]:
    """The questions, answered as far as cells were run."""
    known = effects_by(findings)
    return (ratio(findings, known), unmined(known), sized(known), lengths(known), ahead(known), alone(known))


def ratio(findings: Findings, known) -> Answer:
    pairs = _pairs(known, [(m, t) for q, m, t in compared() if q == "a"])
    against = [(m, t) for m, t in pairs if t.loss == "ratio"]
    ends = {
        m.name: f"{len(m.failures)} of {m.runs}" for m in findings.methods if m.failures and m.name.startswith("ratio,")
    }
    broken = "; trainings that diverged, collapsed or failed: " + ", ".join(f"{n}: {v}" for n, v in ends.items())
    return Answer(
        question="Why log-ratio, and not ratio?",
        claim="Log-ratio finds better than ratio.",
        verdict=together([verdict_of(known.get((*p, NDCG))) for p in against]),
        said=_differences(known, against) + broken * bool(ends),
        pairs=tuple(pairs),
    )


def unmined(known) -> Answer:
    pairs = _pairs(known, [(m, t) for q, m, t in compared() if q == "b" and m.loss == CENTRE.loss])
    mined = [(m, t) for m, t in pairs if t.loss == CENTRE.loss]
    return Answer(
        question="What does log-ratio do without dense mining?",
        claim="Log-ratio finds better with neighbours of the anchor in the batch than without.",
        verdict=together([verdict_of(known.get((*p, NDCG))) for p in mined]),
        said=_differences(known, pairs),
        pairs=tuple(_pairs(known, [(m, t) for q, m, t in compared() if q == "b"])),
    )


def _tested(dims, how: str) -> str:
    return f"d = {_list(dims)} {'are' if len(dims) > 1 else 'is'} {how}" if dims else f"none is {how}"


def sized(known) -> Answer:
    pairs = _pairs(known, [(CENTRE._replace(dim=d), CENTRE) for d in DIMS if d != CENTRE.dim])
    found = {m.dim: known[m, t, NDCG] for m, t in pairs}
    worse = [d for d, e in found.items() if d < CENTRE.dim and e.p_holm < LEVEL and e.difference < 0]
    better = [d for d, e in found.items() if d > CENTRE.dim and e.p_holm < LEVEL and e.difference > 0]
    said = f"By a test, {_tested(worse, 'worse')} and {_tested(better, 'better')} than {CENTRE.dim}. {_differences(known, pairs)}"
    fewer = [verdict_of(turned(e)) for d, e in found.items() if d < CENTRE.dim]
    return Answer(
        question="How does quality depend on the embedding’s dimension?",
        claim=f"Some number of dimensions below {CENTRE.dim} costs quality.",
        verdict=SUPPORTED if worse else together(fewer),
        said=said if pairs else "",
        pairs=tuple(pairs),
    )


def lengths(known) -> Answer:
    pairs = _pairs(known, [(m, t) for q, m, t in compared() if q == "c" and m.length != t.length])
    own = [(m, t) for m, t in pairs if m.loss == CENTRE.loss]
    return Answer(
        question="How does it depend on L2 normalisation?",
        claim="Log-ratio finds better without normalisation than with it.",
        verdict=together([verdict_of(turned(known.get((*p, NDCG)))) for p in own]),
        said=_differences(known, own),
        pairs=tuple(pairs),
    )


def ahead(known) -> Answer:
    pairs = _pairs(known, [(m, t) for q, m, t in compared() if q == "d"])
    binary = [(m, t) for m, t in pairs if t.loss == "binary triplets"]
    verdicts = [verdict_of(known.get((*p, metric))) for p in binary for metric in (NDCG, NEAR)]
    return Answer(
        question="Is log-ratio with dense mining ahead of binary triplets?",
        claim="Log-ratio with k = 5 finds better than binary triplets, in nDCG and in label distance.",
        verdict=together(verdicts),
        said=_differences(known, binary, (NDCG, NEAR)),
        pairs=tuple(pairs),
    )


def alone(known) -> Answer:
    pairs = _pairs(known, [(m, t) for q, m, t in compared() if q == "e"])
    first = [(m, t) for m, t in pairs if m.loss == ALONE[0] and t.loss == ALONE[1]]
    verdicts = [verdict_of(known.get((*p, metric))) for p in first for metric in (NDCG, NEAR)]
    return Answer(
        question="And as published, with one anchor a batch?",
        claim="With one anchor a batch and its five neighbours, log-ratio finds better than binary triplets.",
        verdict=together(verdicts),
        said=_differences(known, pairs),
        pairs=tuple(pairs),
    )


def _pairs(known, wanted) -> list[tuple[Method, Method]]:
    return [pair for pair in dict.fromkeys(wanted) if (*pair, NDCG) in known]


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _differences(known, pairs, metrics: tuple[str, ...] = (NDCG,)) -> str:
    """Differences in words: what differs, how much, with interval and p."""
    return "; ".join(words(known[m, t, metric]) for m, t in pairs for metric in metrics if (m, t, metric) in known)


def words(effect: Effect) -> str:
    """A difference in words."""
    a, b = decoded(effect.method), decoded(effect.twin)
    if a is None or b is None:
        return ""
    changed = [x for x in range(4) if a[x] != b[x]]
    shown = (str, "k = {}".format, "d = {}".format, str)
    which = " − ".join(", ".join(shown[x](m[x]) for x in changed) for m in (a, b))
    rest = ", ".join(shown[x](a[x]) for x in range(4) if x not in changed and a[x] != CENTRE[x])
    what = effect.measure.replace("NDCG(k=100, gain=DistanceGain())", "nDCG@100").replace(
        "LabelDistance(k=", "label distance@"
    )
    what = what.rstrip(")")
    ends = (
        f" [{effect.low:+.4f}, {effect.high:+.4f}], p {effect.p_holm:.3f}"
        if math.isfinite(effect.low)
        else ", one seed"
    )
    return f"{which}{f' ({rest})' if rest else ''}: {what} {effect.difference:+.4f}{ends}"


__all__ = ["LENGTHS", "LOSSES", "MINED", "Answer", "answers", "effects_by", "verdict_of"]

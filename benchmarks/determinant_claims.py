"""What the claims of determinant regularisation come to: differences from the λ = 0 twin, pooled over the losses that carry it.

The rule, fixed before anything was run. Of each sentence and each form of the regulariser, the difference is the mean over hosts
(losses) and paired seeds; its test takes both for a sample (`isometry.ops.crossed`, hosts in the place of classes): another
host of this kind, another seed. p is Holm-corrected over all tests on a page. Supported: the difference has the claimed sign
and p < .05. Not supported: it has the other sign at that level, or even the better end of its 95 % interval is too small to
matter: half a point of a metric, 2 % of the twin's value of a length or a stretch. Undecided: neither. The paper's sentences are
judged by the paper's forms alone.
"""

import dataclasses
import math
import statistics
from dataclasses import dataclass

import torch

from isometry.bench.findings import Findings
from isometry.bench.verdicts import LEVEL, MATTERS, NOT, NOT_RUN, SUPPORTED, UNDECIDED
from isometry.ops.crossed import crossed
from isometry.ops.holm import holm

PAIRS = ("contrastive", "triplet", "multi-similarity", "margin")
PROXIES = ("proxy anchor", "SoftTriple", "Proxy-NCA++")
HOSTS = PAIRS + PROXIES
MAP, R1, RATIO, WHOLE, HEAD, TRUNK = "MAPAtR()", "Recall(k=1)", "r*/r", "L95", "L95 head", "L95 trunk"
METRICS = (MAP, R1)
PAPER, OURS = ("log-det", "dueling"), ("spherical",)
TWINS = ("Frobenius", "whole Frobenius", "largest stretch", "even stretch", "anisotropy")
PART = 0.02
"""The smallest change of a length or a stretch that matters, of the twin's value."""
UNTESTED = "not tested"
ON_LINEAR = ("flow", "anisotropy")
"""Forms that are held against the plain linear head; the others against the flow with λ = 0."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A difference over hosts and seeds. hosts: that have it; better, worse: how many of them by a test of their own (Holm over
    the study's cards); twin: the twin's mean value."""

    measure: str
    variant: str
    twin_name: str
    hosts: tuple[str, ...]
    seeds: int
    twin: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan
    better: int = 0
    worse: int = 0
    verdict: str = NOT_RUN


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the paper. variants: forms that it is tested with, against `twin`, over `hosts`, on one measure (empty: it
    cannot be tested by such a study)."""

    sentence: str
    measure: str = ""
    variants: tuple[str, ...] = ()
    twin: str = "flow"
    hosts: tuple[str, ...] = HOSTS
    why: str = ""


CLAIMS = (
    Claim(sentence="Regularising the determinant lowers the Lipschitz constant of the metric layer.", measure=HEAD,
          variants=PAPER),
    Claim(sentence="It lowers the Lipschitz constant of the whole embedding, from input to output.", measure=WHOLE,
          variants=PAPER, why="the trunk is frozen: all that changes is the metric layer"),
    Claim(sentence="It keeps classes that are new as small as those that are known: r*/r falls.", measure=RATIO,
          variants=PAPER),
    Claim(sentence="It ranks new classes better (MAP@R).", measure=MAP, variants=PAPER),
    Claim(sentence="It finds new classes better (R@1).", measure=R1, variants=PAPER),
    Claim(sentence="It does so for losses of pairs (MAP@R).", measure=MAP, variants=PAPER, hosts=PAIRS),
    Claim(sentence="It does so for losses with proxies (MAP@R).", measure=MAP, variants=PAPER, hosts=PROXIES),
    Claim(sentence="The second, dueling flow keeps the trunk from stretching more in its place.", measure=TRUNK,
          variants=("dueling",), twin="log-det", why="the trunk is frozen"),
    Claim(sentence="A flow is the better metric layer, before anything is regularised (MAP@R).", measure=MAP,
          variants=("flow",), twin="plain"),
    Claim(sentence="Real-NVP serves better than NICE (MAP@R).", measure=MAP, variants=("log-det",), twin="NICE log-det",
          why="NICE was not run"),
    Claim(sentence="Pulling similar samples together can increase distances inside a class region.",
          why="no study of final models shows it"),
    Claim(sentence="Metric learning depends on hard mining because local Lipschitz constants are large.",
          why="miners are not varied here"),
)  # fmt: skip
WITHOUT = {
    "spherical": "Our volume: that on the sphere",
    "Frobenius": "Without a determinant: the flow’s Frobenius norm",
    "whole Frobenius": "Without a determinant: that of the whole map",
    "largest stretch": "Without a determinant: the flow’s largest stretch",
    "even stretch": "Without a determinant: what stretches pairs more than others",
    "anisotropy": "Without a determinant or a flow: what a linear head stretches in some directions more than others",
}


def twin_of(form: str) -> str:
    """The form without what this one adds."""
    return "plain" if form in ON_LINEAR else "flow"


OWN = tuple(
    Claim(sentence=f"{WITHOUT[form]}, is kept small ({said}).", measure=measure, variants=(form,), twin=twin_of(form))
    for form in (*OURS, *TWINS)
    for measure, said in ((MAP, "MAP@R"), (WHOLE, "end to end"))
)


def frozen(findings: Findings) -> bool:
    """Whether features were given: then all of the stretch is the head's."""
    found = {(e.measure, e.method, e.twin): e.difference for e in findings.effects if e.measure in (WHOLE, HEAD)}
    both = [(d, found.get((HEAD, *pair))) for (measure, *pair), d in found.items() if measure == WHOLE]
    return bool(both) and all(one == other for one, other in both)


def measure_of(findings: Findings, claim: Claim) -> str:
    """What a claim is measured by: the head's stretch for that of the whole where the head is all that is trained."""
    return HEAD if claim.measure == WHOLE and not claim.why and frozen(findings) else claim.measure


def better(measure: str) -> int:
    """1 where more is better, −1 where less is."""
    return 1 if measure in METRICS else -1


def by_seed(findings: Findings, measure: str, host: str, variant: str, twin: str) -> tuple[list[float], float] | None:
    """Differences of a host's variant from its twin, by seed, and the twin's value: measured, or from a twin that both have."""
    known = {(e.method, e.twin): e for e in findings.effects if e.measure == measure}
    one = known.get((f"{host}, {variant}", f"{host}, {twin}"))
    if one is not None:
        return list(one.by_seed), one.twin_value
    first, second = (known.get((f"{host}, {name}", f"{host}, flow")) for name in (variant, twin))
    if first is None or second is None:
        return None
    return [a - b for a, b in zip(first.by_seed, second.by_seed, strict=True)], second.value


def pooled(
    findings: Findings, measure: str, variant: str, twin: str = "flow", hosts: tuple[str, ...] = HOSTS
) -> Pooled | None:
    """The mean difference over hosts and seeds, both a sample; None where fewer than two hosts or seeds have it.

    Of hosts that have one, the seeds that all of them have are taken.
    """
    if measure == WHOLE and frozen(findings):
        return None
    found = {host: by_seed(findings, measure, host, variant, twin) for host in hosts}
    each = {host: own for host, own in found.items() if own is not None and sum(map(math.isfinite, own[0])) > 1}
    both = [row for row in zip(*(own for own, _ in each.values()), strict=True) if all(map(math.isfinite, row))]
    if len(each) < 2 or len(both) < 2:
        return None
    table = torch.tensor(both, dtype=torch.float64)
    test = crossed(table[None], torch.ones(len(each), dtype=torch.float64))
    own = [e for e in findings.effects if e.measure == measure and e.p_holm < LEVEL]
    signs = [
        better(measure) * e.difference
        for e in own
        for h in each
        if (e.method, e.twin) == (f"{h}, {variant}", f"{h}, {twin}")
    ]
    return Pooled(
        measure=measure, variant=variant, twin_name=twin, hosts=tuple(each), seeds=len(table),
        twin=statistics.fmean(value for _, value in each.values()), difference=float(test.difference),
        low=float(test.low), high=float(test.high), p=float(test.p),
        better=sum(s > 0 for s in signs), worse=sum(s < 0 for s in signs),
    )  # fmt: skip


def judged(found: Pooled) -> str:
    """The verdict on a pooled difference, by the rule above."""
    sign = better(found.measure)
    if not math.isfinite(found.p_holm):
        return UNDECIDED
    if found.p_holm < LEVEL:
        return SUPPORTED if sign * found.difference > 0 else NOT
    least = MATTERS if found.measure in METRICS else PART * abs(found.twin)
    return NOT if max(sign * found.low, sign * found.high) < least else UNDECIDED


def ruled(findings: Findings, claims: tuple[Claim, ...] = CLAIMS + OWN) -> list[tuple[Claim, tuple[Pooled, ...], str]]:
    """Every claim with its tests, Holm-corrected over all of them, and the verdict on it."""
    rows = [(c, [pooled(findings, measure_of(findings, c), v, c.twin, c.hosts) for v in c.variants]) for c in claims]
    p = iter(holm(torch.tensor([f.p for _, own in rows for f in own if f], dtype=torch.float64)).tolist())
    said = []
    for claim, own in rows:
        tested = tuple(dataclasses.replace(f, p_holm=next(p)) for f in own if f)
        tested = tuple(dataclasses.replace(f, verdict=judged(f)) for f in tested)
        said.append((claim, tested, together([f.verdict for f in tested])))
    return said


def together(verdicts: list[str]) -> str:
    """One verdict of those on several forms: supported where one is and no other is refuted; not supported where all are refuted;
    else undecided.

    >>> together(["supported", "undecided"]), together(["supported", "not supported"]), together(["not supported"]), together([])
    ('supported', 'undecided', 'not supported', 'not tested')
    """
    if not verdicts:
        return UNTESTED
    if set(verdicts) == {NOT}:
        return NOT
    return SUPPORTED if SUPPORTED in verdicts and NOT not in verdicts else UNDECIDED

"""A study that never was: invented methods with invented numbers, for tests of the page alone."""

import dataclasses
import math
import random

from isometry.bench.cell import Outcome, Setting
from isometry.bench.findings import (
    CONCATENATED,
    SEPARATED,
    Findings,
    Knob,
    Method,
    Pair,
    Row,
    Trial,
    Verdict,
)

METRICS = ("Recall(k=1)", "RPrecision()", "MAPAtR()")
OFFSET = {"Recall(k=1)": 0.31, "RPrecision()": 0.09, "MAPAtR()": 0.0}
CONTROLS = {
    "raw pixels": 0.061, "untrained trunk": 0.048, "pretrained trunk": 0.262, "random linear": 0.241, "PCA": 0.255,
    "whitening": 0.283,
}  # fmt: skip
NAN = float("nan")


def letters(k):
    return chr(65 + k) if k < 26 else chr(64 + k // 26) + chr(65 + k % 26)


def normal_p(z):
    return math.erfc(abs(z) / math.sqrt(2))


def study(methods=14, seed=0, trials=10):
    """`methods` invented ones, two tuned controls among them, and six controls that nothing is trained for."""
    draw = random.Random(seed)
    names = ["tuned contrastive", "tuned normalised softmax", *(f"Method {letters(k)}" for k in range(methods - 2))]
    truth = {"tuned contrastive": 0.402, "tuned normalised softmax": 0.398}
    truth |= {name: 0.404 + draw.gauss(0, 0.014) for name in names[2:]}
    made = [method(draw, name, truth[name], trials) for name in names]
    tests = {
        (a, b): (truth[a] - truth[b], 0.0032 + 0.0012 * draw.random())
        for i, a in enumerate(names) for b in names[i + 1 :]
    }  # fmt: skip
    pairs = tuple(pair(a, b, d, s, len(tests)) for (a, b), (d, s) in tests.items())
    rows = [row(draw, n, truth[n], m, r) for n in names for m in METRICS for r in (SEPARATED, CONCATENATED)]
    rows += [row(draw, n, v, m, SEPARATED, control=True) for n, v in CONTROLS.items() for m in METRICS]
    tried = tuple(trial(draw, name, truth[name], k) for name in names for k in range(trials))
    return Findings(
        name="Made-up study",
        about="Invented methods with invented numbers: what the page looks like, and nothing else.",
        recipe='name = "Made-up study"\n[data]\nsource = "nothing"\n',
        held={"data": "nothing at all, 0123456789abcdef", "folds": "4 of classes", "batch": "112 of 28 classes × 4"},
        held_hash="0123456789abcdef01234567",
        metric="MAPAtR()",
        metrics=METRICS,
        reference="tuned contrastive",
        rows=tuple(rows),
        pairs=pairs,
        methods=tuple(made),
        trials=tried,
        knobs=tuple(k for name in names for k in knobs(draw, name)),
        verdicts=verdicts(),
        classes=382,
        queries=1518,
        seeds=5,
        folds=4,
        planned=methods * 60,
        done=methods * 60 - 7,
        missing=("Method C: 5 of 20 final trainings", "Method D: 2 of 10 trials"),
        differs=("threads: 1 in 812 trainings, 2 in 21",),
        command="isometry bench recipes/made-up.toml --out runs/made-up",
        version="0.1.0",
        outcomes={f"{k:024x}": Outcome(state=s, message="made up") for k, s in enumerate(states(draw, methods * 60))},
    )


def states(draw, count):
    return draw.choices(("done", "diverged", "collapsed", "failed"), (96, 2, 1, 1), k=count)


def method(draw, name, level, trials):
    cost = math.exp(draw.gauss(0, 0.28))
    alpha = round(draw.uniform(1, 4), 2)
    failures = ("trial 3, fold 1: diverged at step 40",) * 2 + ("trial 7, fold 0: collapsed",)
    best, rising = [], level - 0.05
    for _ in range(trials):
        rising += (level + 0.03 - rising) * draw.uniform(0.15, 0.4)
        best.append(rising)
    return Method(
        name=name,
        loss=f"{name.title().replace(' ', '')}(alpha=2.0)",
        year=draw.randint(2006, 2025),
        cite="Nobody et al.",
        setting=Setting(
            loss=f"{name.title().replace(' ', '')}(alpha={alpha})", sampler="PerClass(per_class=4)",
            head="Linear(dim=128)", head_lr=10 ** draw.uniform(-4, -2), loss_lr=0.01 if "B" in name else 0.0,
        ),
        trials=trials - 2 * (name == "Method D"),
        planned_trials=trials,
        runs=20 - 5 * (name == "Method C"),
        planned_runs=20,
        seconds=21.4 * cost,
        cost=cost,
        dearer=cost > 1.5,
        parameters=164_000 + 1000 * draw.randint(0, 90),
        validation=level + 0.03,
        failures=failures if name in ("Method B", "Method E") else (),
        varies=("sampler: two of a class in a batch",) if name == "Method F" else (),
        curves=tuple(curve(draw, level) for _ in range(6)),
        best_of=tuple(best),
    )  # fmt: skip


def curve(draw, level):
    rise = draw.uniform(0.4, 0.7)
    return tuple(
        {"step": 40 * k, "seconds": 2.1 * k, "validation": level + 0.03 - 0.12 * rise**k + draw.gauss(0, 0.002)}
        for k in range(1, 11)
    )


def row(draw, name, level, metric, reading, control=False):
    value = level + OFFSET[metric] + (reading == CONCATENATED) * 0.03 + (metric != "MAPAtR()") * draw.gauss(0, 0.002)
    half, error = 0.019 + 0.003 * draw.random(), 0.0038
    difference = NAN if control and metric != "MAPAtR()" else value - 0.402 - OFFSET[metric]
    difference -= 0.03 * (reading == CONCATENATED)
    own = name == "tuned contrastive"
    return Row(
        method=name, control=control, metric=metric, reading=reading, value=value, low=value - half, high=value + half,
        spread=NAN if control else 0.0021, seeds=0 if control else 5, folds=1 if control else 4, paired=5,
        difference=NAN if own else difference, difference_low=NAN if own else difference - 1.96 * error,
        difference_high=NAN if own else difference + 1.96 * error, p=NAN if own else normal_p(difference / error),
        p_holm=NAN if own else min(1.0, 13 * normal_p(difference / error)), detectable=NAN if own else 2.8 * error,
    )  # fmt: skip


def pair(first, second, difference, error, count):
    p = normal_p(difference / error)
    return Pair(
        first=first, second=second, difference=difference, low=difference - 1.96 * error,
        high=difference + 1.96 * error, p=p, p_holm=min(1.0, p * count), detectable=2.8 * error,
    )  # fmt: skip


def trial(draw, name, level, number):
    rate, alpha = 10 ** draw.uniform(-4.5, -1.5), draw.uniform(0.5, 4)
    value = level + 0.03 - 0.03 * (math.log10(rate) + 3) ** 2 - 0.004 * abs(alpha - 2)
    bad = rate > 10**-1.7
    values = {"head_lr": rate, "alpha": alpha, "reduction": draw.choice(["rows", "pairs"])}
    if number == 0:
        values |= {"head_lr": 1e-3, "alpha": 2.0}
    return Trial(
        method=name,
        number=number,
        values=values,
        value=NAN if bad else value,
        states=("done", "diverged" if bad else "done"),
    )


def knobs(draw, name):
    share = draw.uniform(0.4, 0.8)
    rest = 1 - share
    for knob, own in (("head_lr", share), ("alpha", 0.6 * rest), ("reduction", 0.1 * rest)):
        yield Knob(method=name, knob=knob, share=own, low=max(0.0, own - 0.15), high=min(1.0, own + 0.15))


def verdicts():
    every = (
        ("supported", 0.021, 0.003),
        ("not supported", -0.011, 0.011),
        ("undecided", 0.004, 0.6),
        ("not run", NAN, NAN),
    )
    return tuple(
        Verdict(
            system=f"System {letters(k)}", claim="Its extra term helps.", source="Nobody et al. 2020, table 3",
            method=f"Method {letters(k)}", twin="tuned contrastive", difference=d, low=d - 0.009, high=d + 0.009, p_holm=p,
            verdict=verdict, said="Said of an invented effect.",
        )
        for k, (verdict, d, p) in enumerate(every)
    )  # fmt: skip


def nothing():
    """A study of which nothing has run."""
    full = study(3)
    waiting = tuple(
        dataclasses.replace(
            m, setting=None, trials=0, runs=0, seconds=NAN, cost=NAN, dearer=False, parameters=0, validation=NAN,
            failures=(), curves=(), best_of=(),
        )
        for m in full.methods
    )  # fmt: skip
    return dataclasses.replace(
        full, methods=waiting, rows=(), pairs=(), trials=(), knobs=(), verdicts=(), differs=(), done=0, outcomes={}
    )

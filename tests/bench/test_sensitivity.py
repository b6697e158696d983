"""A knob that matters has a share, one that does not has none, and few trials say nothing."""

import math

import numpy as np
import pytest

from isometry.bench.findings import Trial
from isometry.bench.sensitivity import interval, knobs_of, shares


def test_a_knob_that_decides_everything():
    lr = np.geomspace(1e-4, 1e-1, 12)
    peak = [-((math.log10(v) + 2.5) ** 2) for v in lr]
    told = shares({"lr": lr.tolist(), "margin": np.random.default_rng(0).random(12).tolist()}, peak)
    assert told["lr"] > 0.9
    assert math.isnan(told["margin"])


def test_words_and_truth_values():
    column = ["a", "b", "c"] * 4
    told = shares({"kind": column, "on": [True, False] * 6}, [{"a": 0.1, "b": 0.5, "c": 0.3}[v] for v in column])
    assert told["kind"] == pytest.approx(1.0)
    assert math.isnan(told["on"])


def test_failures_rank_last():
    lr = list(range(1, 13))
    told = shares({"lr": lr}, [0.5 + 0.01 * v if v < 9 else math.nan for v in lr])
    assert told["lr"] > 0.5


def test_chance_is_seldom_called_a_knob():
    rng = np.random.default_rng(0)
    called = sum(
        any(
            s == s
            for s in shares({f"k{i}": rng.random(10).tolist() for i in range(4)}, rng.random(10).tolist()).values()
        )
        for _ in range(150)
    )
    assert called <= 15  # binomial(150, .05) is above it once in 100


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_trials_say_nothing(n):
    told = shares({"lr": list(range(n))}, list(range(n)))
    assert math.isnan(told["lr"])


def test_constant_knobs_and_values_say_nothing():
    assert math.isnan(shares({"lr": [1.0] * 10}, list(range(10)))["lr"])
    assert math.isnan(shares({"lr": list(range(10))}, [0.5] * 10)["lr"])


def test_the_interval_of_a_share_holds_the_truth():
    rng, held = np.random.default_rng(0), 0
    for _ in range(100):
        x = rng.normal(size=(2, 20))
        x[1] -= x[0] * (x[0] @ x[1]) / (x[0] @ x[0])
        y = x[0] + rng.normal(size=20)  # half of the variance
        design = np.stack([x[0] - x[0].mean(), x[1] - x[1].mean()], 1)
        fit = design @ np.linalg.lstsq(design, y - y.mean(), rcond=None)[0]
        r2 = (fit**2).sum() / ((y - y.mean()) ** 2).sum()
        low, high = interval(1 - (1 - r2) * 19 / 17, 20, 2)
        held += low <= 0.5 <= high
    assert 88 <= held <= 100


def test_knobs_of_a_search():
    trials = [
        Trial(method="A", number=i, values={"lr": 0.1 * (i + 1), "head": "Linear()"}, value=0.1 * i, states=("done",))
        for i in range(9)
    ]
    lr, head = knobs_of(trials)
    assert lr.share == pytest.approx(1.0)
    assert lr.low <= lr.share
    assert head.knob == "head"
    assert math.isnan(head.share)
    assert math.isnan(head.low)
    few = knobs_of(trials[:3])
    assert all(math.isnan(knob.share) and math.isnan(knob.high) for knob in few)

"""The search for a method's setting: each trial is a pure function of the space, a seed and the trials of earlier rounds."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

from isometry.bench.space import Choice, Real, Whole

Values = Mapping[str, float | int | bool | str]
Knob = Real | Whole | Choice
DIGITS = 4
"""Significant digits of a suggested number: an expression stays readable, and no search is finer."""


def suggest(
    space: Mapping[str, Knob], seed_text: str, earlier: Sequence[tuple[Values, float | None]], number: int
) -> dict[str, Any]:
    """The values of trial `number`.

    Before any result is known, scrambled Sobol points: they fill the space evenly. After that, Optuna's tree-structured
    Parzen estimator (Bergstra et al., 2011), multivariate, drawn anew for every trial.

    Args:
        seed_text: what the random numbers depend on, besides `number`.
        earlier: values and results of trials. NaN stands for a failed trial and counts as the worst; None for one of the
            same round, whose result nobody knows yet: the next one keeps away from it.
    """
    if not space:
        return {}
    known = [value for _, value in earlier if value is not None]
    if not known:
        return _spread(space, seed_text, number)
    return _estimated(space, _seed(f"{seed_text} {number}"), earlier)


def _spread(space: Mapping[str, Knob], seed_text: str, number: int) -> dict[str, Any]:
    from scipy.stats import qmc

    points = qmc.Sobol(len(space), scramble=True, seed=_seed(seed_text))  # type: ignore[call-arg]
    at = points.random(2 ** max(1, math.ceil(math.log2(number + 1))))[number]
    return {name: _at(knob, float(u)) for (name, knob), u in zip(space.items(), at, strict=True)}


def _estimated(space: Mapping[str, Knob], seed: int, earlier: Sequence[tuple[Values, float | None]]) -> dict[str, Any]:
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ranges = {name: distribution(knob) for name, knob in space.items()}
    worst = min((v for _, v in earlier if v is not None and math.isfinite(v)), default=0.0) - 1.0  # ranks alone count
    for values, value in earlier:
        params = {name: _inside(knob, values[name]) for name, knob in space.items()}
        if value is None:
            trial = create_trial(params=params, distributions=ranges, state=TrialState.RUNNING)
        else:
            trial = create_trial(params=params, distributions=ranges, value=value if math.isfinite(value) else worst)
        study.add_trial(trial)
    found = study.ask(fixed_distributions=ranges).params
    return {name: _inside(knob, _rounded(knob, found[name])) for name, knob in space.items()}


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@singledispatch
def distribution(knob: Any) -> Any:
    """A knob's range in Optuna's words."""
    raise TypeError(f"A knob is Real, Whole or Choice; got {knob!r}.")


@distribution.register
def _(knob: Real) -> Any:
    from optuna.distributions import FloatDistribution

    return FloatDistribution(knob.low, knob.high, log=knob.log)


@distribution.register
def _(knob: Whole) -> Any:
    from optuna.distributions import IntDistribution

    return IntDistribution(knob.low, knob.high, log=knob.log)


@distribution.register
def _(knob: Choice) -> Any:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(tuple(knob.values))


@singledispatch
def _at(knob: Any, u: float) -> Any:
    """The value at a share `u`, in [0, 1), of a knob's range."""
    raise TypeError(f"A knob is Real, Whole or Choice; got {knob!r}.")


@_at.register
def _(knob: Real, u: float) -> float:
    return _inside(knob, _rounded(knob, _between(knob.low, knob.high, knob.log, u)))


@_at.register
def _(knob: Whole, u: float) -> int:
    return _inside(knob, round(_between(knob.low - 0.499, knob.high + 0.499, knob.log, u)))


@_at.register
def _(knob: Choice, u: float) -> Any:
    return knob.values[int(u * len(knob.values))]


def _between(low: float, high: float, log: bool, u: float) -> float:
    return math.exp(math.log(low) + u * math.log(high / low)) if log else low + u * (high - low)


@singledispatch
def _inside(knob: Any, value: Any) -> Any:
    """The nearest value in a knob's range: a published default may lie outside it."""
    return min(max(value, knob.low), knob.high)


@_inside.register
def _(knob: Choice, value: Any) -> Any:
    return value if value in knob.values else knob.values[0]


@singledispatch
def _rounded(knob: Any, value: Any) -> Any:
    return value


@_rounded.register
def _(knob: Real, value: float) -> float:
    return float(f"{value:.{DIGITS}g}")

"""Every method's trials as an Optuna study in the study's own database, for optuna-dashboard and one's own plots."""

import itertools
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from isometry.bench.plan import Plan, Tried
from isometry.bench.search import Knob, distribution
from isometry.bench.space import Choice, Real, Whole, space_of
from isometry.bench.store import Store

if TYPE_CHECKING:
    from isometry.bench.study import Study


def tell(study: "Study", plan: Plan, store: Store) -> None:
    """Adds the trials that are over and were not told before. A failure here is a warning: no result depends on it."""
    told = store.told_so_far()
    for method in plan.methods:
        name = f"{study.recipe.name} {study.held_hash[:8]}: {method.name}"[:128]
        over = list(itertools.takewhile(lambda trial: trial.over, method.trials))  # what is told stays a prefix
        if len(over) <= told.get(name, 0) or not store.claim(name):
            continue
        try:
            _add(store, name, over[store.told_so_far().get(name, 0) :], space_of(study.recipe, method.entry), plan)
            store.tell(name, len(over))
        except Exception as error:  # another version's tables, a network that is away
            warnings.warn(f"optuna-dashboard will not show all trials: {error}", stacklevel=2)
            return
        finally:
            store.release(name)


def _add(store: Store, name: str, trials: list[Tried], space: Mapping[str, Knob], plan: Plan) -> None:
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    local = store.engine.url.get_backend_name() == "sqlite"
    url = store.engine.url.render_as_string(hide_password=False)
    storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 30}} if local else {})
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    for trial in trials:
        good = math.isfinite(trial.value)
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if good else TrialState.FAIL,
                value=trial.value if good else None,
                params=dict(trial.values),
                distributions={k: distribution(_wide(knob, trial.values[k])) for k, knob in space.items()},
                user_attrs={"loss": trial.setting.loss, "states": [o.state for o in trial.outcomes if o]},
            )
        )
    storage.engine.dispose()


@singledispatch
def _wide(knob: Any, value: Any) -> Any:
    """The range, made to hold a published default that lies outside it."""
    raise TypeError(f"A knob is Real, Whole or Choice; got {knob!r}.")


@_wide.register(Real)
@_wide.register(Whole)
def _(knob: Any, value: Any) -> Any:
    return replace(knob, low=min(knob.low, value), high=max(knob.high, value), log=knob.log and value > 0)


@_wide.register
def _(knob: Choice, value: Any) -> Any:
    return knob if value in knob.values else Choice(values=(*knob.values, value))

"""Runs a study: `isometry bench` calls `run`, and so may a script."""

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isometry import checkpoint
from isometry.bench import crew, dashboard
from isometry.bench.findings import Findings
from isometry.bench.plan import Plan, planned
from isometry.bench.progress import Silent
from isometry.bench.recipe import Recipe
from isometry.bench.shelf import Shelf, default_folder
from isometry.bench.shipped import read
from isometry.bench.store import Store
from isometry.bench.worker import Job, work

if TYPE_CHECKING:
    from isometry.bench.study import Study

PAGE, TABLE, FINDINGS, RECIPE = "index.html", "results.md", "findings.json", "recipe.toml"
LOOK = 0.5
"""Seconds between looks at the workers and at the shelf."""


class Stopped(KeyboardInterrupt):
    """The study was asked to stop; all that was done is kept, and the findings so far are written."""


def run(
    recipe: Recipe | str | Path,
    *,
    data_root: Path | None = None,
    out: Path | None = None,
    cache: Path | None = None,
    store: str = "",
    workers: int | None = None,
    limit: float = math.inf,
    retry: bool = False,
    command: str = "",
    show: Silent | None = None,
) -> Findings:
    """Trains what the shelf does not hold yet, and writes what was found to `out`.

    Call it again after any end, on one machine or on many that share `cache` and `store`: it goes on.

    Args:
        recipe: or the path of one, or the name of one that is shipped.
        data_root: the folder that the data lie in. out: default runs/<name>. cache: default `shelf.default_folder()`.
        store: URL of the database; default a file in `out`. workers: processes (0: none but this one).
        limit: minutes until it stops; what was not run is then shown as not run.
        retry: trainings that failed are run again.
        command: what the page says to have been typed.

    Raises:
        Stopped: after Ctrl-C, with the findings so far written.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read(recipe)
    out, shelf, show = out or Path("runs") / recipe.name, Shelf(cache or default_folder()), show or Silent()
    refuse_closed(out, shelf.folder)
    study = opened(recipe, data_root, shelf, show.say)
    if retry:
        forget_failures(study, shelf)
    plan, stopped = planned(study, shelf), False
    held = Store(store, worker="parent") if store else None
    made(out)
    if differs(out, recipe):
        show.say(
            f"{out} holds findings of another recipe (or of other options): they are replaced. --out names another folder."
        )
    if plan.todo:
        url = store or f"sqlite:///{out.resolve() / 'study.db'}"
        job = Job(
            recipe=recipe.to_toml(),
            data_root=str(data_root.resolve()) if data_root else "",
            cache=str(shelf.folder.resolve()),
            out=str(out.resolve()),
            store=url,
        )
        number = crew.default_workers(recipe.train.threads) if workers is None else workers
        held = held or Store(url, worker="parent")
        plan, stopped = _trained(study, shelf, held, job, number, limit, plan, show)
    if held:
        held.close()
    show.say("Working out the findings.")
    findings = written(study, shelf, plan, out, command)
    if stopped:
        raise Stopped(f"Stopped with {plan.done} of {plan.planned} trainings done. The same command goes on.")
    return findings


def opened(recipe: Recipe, data_root: Path | None, shelf: Shelf, say: Callable[[str], None] = Silent().say) -> "Study":
    """The recipe's study, with its features made; `say` is told how far they are."""
    from isometry.bench.study import Study

    return Study.open(recipe, data_root=data_root, cache=shelf.folder, say=say)


def refuse_closed(*folders: Path) -> None:
    """Raises an OSError for a folder that could neither be made nor written to: hours before something is to be written."""
    for folder in folders:
        at = next(place for place in (folder, *folder.parents) if place.exists())
        if not (at.is_dir() and os.access(at, os.W_OK)):
            why = "may not be written to" if at.is_dir() else "is a file"
            raise OSError(f"The folder {folder} cannot be made: {at} {why}. Name another one.")


def made(folder: Path) -> None:
    """Makes a folder.

    Raises:
        OSError: when that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"The folder {folder} cannot be made ({error.strerror}). Name another one.") from None


def differs(out: Path, recipe: Recipe) -> bool:
    """Whether a folder holds findings that are not this recipe's."""
    path = out / RECIPE
    return path.is_file() and path.read_bytes() != recipe.to_toml().encode()


def forget_failures(study: "Study", shelf: Shelf) -> None:
    """Takes trainings that failed off the shelf."""
    for key, outcome in planned(study, shelf).outcomes().items():
        if outcome.state == "failed":
            shelf.drop(key)


def _trained(
    study: "Study", shelf: Shelf, store: Store, job: Job, number: int, limit: float, plan: Plan, show: Silent
) -> tuple[Plan, bool]:
    """Trains until all is done, or `limit` minutes are over, or somebody stops it; returns the plan, and whether one did."""
    until, stopped = time.monotonic() + 60 * limit, False
    try:
        if number:
            _watched(study, shelf, store, job, number, until, plan, show)
        else:
            work(study, shelf, store, Path(job.out) / "work", until)
    except KeyboardInterrupt:
        stopped = True
    finally:
        show.close()
    plan = planned(study, shelf, plan)
    dashboard.tell(study, plan, store)
    return plan, stopped


def _watched(
    study: "Study", shelf: Shelf, store: Store, job: Job, number: int, until: float, plan: Plan, show: Silent
) -> None:
    """Runs workers until all is done or the time is over."""
    number = min(number, plan.planned - plan.done)
    team = crew.Crew(job, number, study.recipe.train.threads, Path(job.out) / "workers", shelf, store)
    done = -1
    try:
        while plan.todo and time.monotonic() < until:
            for text in team.look(plan.done):
                show.say(text)
            if plan.done > done:
                dashboard.tell(study, plan, store)
                done = plan.done
            show.update(plan, team.running)
            time.sleep(LOOK)
            plan = planned(study, shelf, plan)
            if not team.running and plan.todo:
                raise OSError("All workers ended before the study did. The same command goes on.")
        show.update(plan, team.running)
    finally:
        team.stop()


def written(study: "Study", shelf: Shelf, plan: Plan, out: Path, command: str) -> Findings:
    """Works out the findings and writes them: the page, the table, both as data, and each method for `isometry compare`.

    What was worked out before is read, and a file that would not change is left as it is.
    """
    from isometry.bench.export import export
    from isometry.bench.markdown import markdown
    from isometry.bench.page import render
    from isometry.bench.readings import readings_of
    from isometry.bench.stamp import found

    readings = readings_of(study, shelf, plan)
    findings = dataclasses.replace(found(study, shelf, plan, readings), command=command)
    export(study, plan, readings, out)
    _laid(out / RECIPE, study.recipe.to_toml())
    _laid(out / FINDINGS, json.dumps(plain(dataclasses.asdict(findings)), indent=1))
    _laid(out / TABLE, markdown(findings))
    _laid(out / PAGE, render(findings))
    return findings


def _laid(path: Path, text: str) -> None:
    """Writes a file, unless it holds this already."""
    if not path.is_file() or path.read_bytes() != text.encode():
        checkpoint.write(path, text)


def plain(value: Any) -> Any:
    """Values that JSON has: not a number becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

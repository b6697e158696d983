"""Runs a study: `isometry bench` calls `run`, and so may a script."""

import dataclasses
import json
import math
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
    out.mkdir(parents=True, exist_ok=True)
    if differs(out, recipe):
        show.say(
            f"{out} holds findings of another recipe (or of other options): they are replaced. --out names another folder."
        )
    study = opened(recipe, data_root, shelf, show.say)
    if retry:
        forget_failures(study, shelf)
    plan, stopped = planned(study, shelf), False
    url = store or f"sqlite:///{out.resolve() / 'study.db'}"
    if plan.todo:
        held = Store(url, worker="parent")
        job = Job(
            recipe=recipe.to_toml(),
            data_root=str(data_root.resolve()) if data_root else "",
            cache=str(shelf.folder.resolve()),
            out=str(out.resolve()),
            store=url,
        )
        number = crew.default_workers(recipe.train.threads) if workers is None else workers
        until = time.monotonic() + 60 * limit
        try:
            if number:
                _watched(study, shelf, held, job, number, until, plan, show)
            else:
                work(study, shelf, held, out / "work", until)
        except KeyboardInterrupt:
            stopped = True
        finally:
            show.close()
        plan = planned(study, shelf, plan)
        dashboard.tell(study, plan, held)
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


def differs(out: Path, recipe: Recipe) -> bool:
    """Whether a folder holds findings that are not this recipe's."""
    path = out / RECIPE
    return path.is_file() and path.read_bytes() != recipe.to_toml().encode()


def forget_failures(study: "Study", shelf: Shelf) -> None:
    """Takes trainings that failed off the shelf."""
    for key, outcome in planned(study, shelf).outcomes().items():
        if outcome.state == "failed":
            shelf.drop(key)


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
    """Works out the findings and writes them: the page, the table, both as data, and each method for `isometry compare`."""
    from isometry.bench.export import export
    from isometry.bench.markdown import markdown
    from isometry.bench.page import write_page
    from isometry.bench.readings import readings_of
    from isometry.bench.sum_up import findings_of

    readings = readings_of(study, shelf, plan)
    findings = dataclasses.replace(findings_of(study, shelf, plan, readings), command=command)
    export(study, plan, readings, out)
    checkpoint.write(out / RECIPE, study.recipe.to_toml())
    checkpoint.write(out / FINDINGS, json.dumps(plain(dataclasses.asdict(findings)), indent=1))
    checkpoint.write(out / TABLE, markdown(findings))
    write_page(findings, out / PAGE)
    return findings


def plain(value: Any) -> Any:
    """Values that JSON has: not a number becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

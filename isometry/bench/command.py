"""What `isometry bench` does with its options."""

import shlex
import signal
import sys
import threading
from pathlib import Path

from isometry.bench import crew, dry, runner, shipped
from isometry.bench.plan import planned
from isometry.bench.progress import Shown, show_plan
from isometry.bench.recipe import Recipe
from isometry.bench.shelf import Shelf, default_folder
from isometry.bench.store import without_password


def bench(
    given: str,
    *,
    data_root: Path | None,
    out: Path | None,
    cache: Path | None,
    store: str,
    workers: int | None,
    limit: float,
    only: tuple[str, ...],
    add: tuple[str, ...],
    trials: int | None,
    seeds: int | None,
    retry: bool,
    plan: bool,
    dry_run: bool,
) -> int:
    """Runs the study, plans it, or tries it; returns the exit code.

    Raises:
        ValueError, OSError: for whatever is wrong with what was given, in one line.
    """
    if threading.current_thread() is threading.main_thread():
        stoppable()
    recipe = asked(shipped.read(given), only, add, trials, seeds)
    if data_root is not None and not data_root.is_dir():
        raise FileNotFoundError(f"There is no folder {data_root}: --data-root is where the recipe's data lie.")
    shown = Shown()
    if dry_run:
        return dry.run(recipe, data_root=data_root, workers=workers, show=shown)
    if plan:
        shelf = Shelf(cache or default_folder())
        found = planned(runner.opened(recipe, data_root, shelf, shown.say), shelf)
        show_plan(found, crew.default_workers(recipe.train.threads) if workers is None else max(1, workers))
        return 0
    try:
        findings = runner.run(
            recipe, data_root=data_root, out=out, cache=cache, store=store, workers=workers, limit=limit, retry=retry,
            command=typed(), show=shown,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        print(f"isometry: {stop or 'Stopped. The same command goes on.'}", file=sys.stderr)
        return 130
    folder = out or Path("runs") / recipe.name
    if findings.missing:
        shown.say(f"{findings.planned - findings.done} trainings were not run. The same command goes on.")
    print(f"page: {folder / runner.PAGE}")
    print(f"table: {folder / runner.TABLE}")
    return 0


def asked(recipe: Recipe, only: tuple[str, ...], add: tuple[str, ...], trials: int | None, seeds: int | None) -> Recipe:
    """The recipe with the command's changes."""
    for loss in add:
        recipe = recipe.adding(loss)
    if only:
        recipe = recipe.only((*only, *(entry.name for entry in recipe.methods[len(recipe.methods) - len(add) :])))
    if trials:
        recipe = recipe.changed(search=recipe.search.model_copy(update={"trials": trials}))
    if seeds:
        recipe = recipe.changed(final=recipe.final.model_copy(update={"seeds": seeds}))
    return recipe


def stoppable() -> None:
    """Lets Ctrl-C and a polite kill stop a study, even where a script that started it in the background had Ctrl-C ignored.
    A kill goes the way of Ctrl-C: what is done is kept, and the page is written.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def typed() -> str:
    """The command as it was typed, without the password of a database: findings are shown to others."""
    return shlex.join(["isometry", *map(without_password, sys.argv[1:])])

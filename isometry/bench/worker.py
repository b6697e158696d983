"""A worker: plans, claims a cell, trains it, lays it on the shelf, and so on until nothing is left.

All workers, on all machines, run this same loop. None of them needs another one; whatever dies, the rest goes on.
"""

import gc
import json
import math
import os
import shutil
import signal
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from isometry.bench.cell import Cell, Outcome
from isometry.bench.plan import planned
from isometry.bench.shelf import Shelf
from isometry.bench.store import Store
from isometry.bench.study import Study
from isometry.bench.training import train_cell

STOPPED, WRONG, LOST = 130, 2, 3
"""Exit codes of a worker: asked to stop; the machine is at fault (a full disk, a database away); its claim was taken."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is told, as plain values.

    Attributes:
        recipe: as TOML. data_root, cache, out: folders (data_root may be empty). store: URL.
    """

    recipe: str
    data_root: str
    cache: str
    out: str
    store: str


def work(study: Study, shelf: Shelf, store: Store, folder: Path, until: float = math.inf) -> int:
    """Trains cells until none is left that nobody else has; returns how many it trained.

    Args:
        folder: unfinished trainings keep their checkpoints in it, so that whoever takes over goes on from there.
        until: when to stop, by `time.monotonic`.
    """
    plan, trained, pause = planned(study, shelf), 0, 0.05
    while plan.todo and time.monotonic() < until:
        cell = _taken(plan.todo, store)
        if cell is None:
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        else:
            pause = 0.05
            try:
                trained += _run(study, shelf, store, folder, cell)
            finally:
                store.release(cell.key)
        plan = planned(study, shelf, plan)
    return trained


def _taken(todo: tuple[Cell, ...], store: Store) -> Cell | None:
    """The first cell that nobody has, claimed."""
    taken = store.taken()
    return next((cell for cell in todo if cell.key not in taken and store.claim(cell.key)), None)


def _run(study: Study, shelf: Shelf, store: Store, folder: Path, cell: Cell) -> bool:
    """Trains a claimed cell, unless another one finished it just before."""
    if shelf.outcome(cell.key) is not None:
        return False
    own = folder / cell.key
    own.mkdir(parents=True, exist_ok=True)
    with store.beating(cell.key, lost=lambda: os._exit(LOST)):
        try:
            outcome, tensors = train_cell(study, cell, own)
        except OSError:  # the machine's fault, and no result of the method
            raise
        except Exception as error:
            outcome, tensors = Outcome(state="failed", message=_line(error)), {}
        shelf.put(cell.key, outcome, tensors)
    gc.collect()  # a training and its loop know each other: left to itself, Python keeps their pictures for many trainings
    shutil.rmtree(own, ignore_errors=True)
    return True


def main(path: str) -> int:
    """What a process runs: the job in a file."""
    from isometry.bench.recipe import made

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background has it ignored
    threading.Thread(target=_watch, daemon=True).start()
    job = Job(**json.loads(Path(path).read_text()))
    try:
        recipe = made(tomllib.loads(job.recipe), "the job")
        cache = Path(job.cache)
        study = Study.open(recipe, data_root=Path(job.data_root) if job.data_root else None, cache=cache)
        work(study, Shelf(cache), Store(job.store, worker=f"{os.getpid()}"), Path(job.out) / "work")
    except KeyboardInterrupt:
        return STOPPED
    except OSError as error:
        print(_line(error), file=sys.stderr)
        return WRONG
    return 0


def _watch() -> None:
    """Ends this process when nobody waits for it any more: its standard input is a pipe that ends with its parent."""
    while os.read(0, 1):
        pass
    os._exit(STOPPED)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()) if not isinstance(error, OSError) else str(error)


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not held up by a thread that decodes pictures

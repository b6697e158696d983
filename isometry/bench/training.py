"""One cell trained: what it gave, whatever happened."""

import os
import platform
import time
import warnings
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.bench.cell import Cell, Outcome
from isometry.bench.heads import HeadTraining
from isometry.bench.study import Study, device
from isometry.bench.whole import WholeTraining
from isometry.data.pixels import one_line
from isometry.evaluation import Embeddings, measure
from isometry.training import SELECTED_BY, Diverged
from isometry.version import __version__

SHOWN = f"Recall(k=1), {SELECTED_BY}"
BROKEN = 70
"""Exit code of a process whose accelerator answers no more."""
ALIKE = 0.99
"""Mean cosine of two validation embeddings above which a training may have collapsed."""


def train_cell(study: Study, cell: Cell, folder: Path) -> tuple[Outcome, dict[str, Tensor]]:
    """Trains a cell and measures it on the validation classes; embeds the test part if the cell says so.

    A head on features is trained in memory. Anything else trains in `folder`, and goes on bit for bit from what an
    earlier, interrupted call has left there; the caller removes it.

    A training has collapsed when all embeddings of the validation classes are alike (mean cosine of two above 0.99) *and*
    find less than those of the model before training.

    Returns:
        The outcome, and for a tested cell that is "done" the embeddings of `study.test` as "z", float32 `[n d]`.

    Raises:
        KeyboardInterrupt, SystemExit: when asked to stop.
        OSError: for a full disk, a missing file, a hub that is away: the machine's fault, and no result. Any other exception is
            an outcome, "failed".
    """
    torch.set_num_threads(study.recipe.train.threads)
    start, run = time.perf_counter(), None
    found: dict[str, float] = {}
    shape: dict[str, float] = {}
    tensors: dict[str, Tensor] = {}
    state, message, seconds = "done", "", 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some similarities are equal")  # the mean over all orders is taken
        try:
            run = HeadTraining(study, cell) if study.features is not None else WholeTraining(study, cell, folder)
            try:
                run.fit()
            finally:
                seconds = run.seconds
            held = run.validation()
            found = {name: float(result) for name, result in measure(held, SHOWN, samples=0).items()}
            if alike(held.z) > ALIKE and _value(run.validation(start=True)) > found[SELECTED_BY]:
                state, message = "collapsed", f"mean cosine {alike(held.z):.4f} at step {run.best_step}"
            elif cell.tested:
                tensors = {"z": run.test()}
                shape, message = shaped(run) if study.recipe.geometry else ({}, "")
        except OSError:
            raise
        except Diverged as error:
            state, message = "diverged", one_line(error).partition(". ")[0]
        except Exception as error:
            _unless_the_machine(error)
            state, message = "failed", f"{type(error).__name__}: {one_line(error)}"
    outcome = Outcome(
        state=state,
        validation=found if state == "done" else {},
        curve=tuple(run.curve) if run else (),
        step=run.best_step if run else 0,
        seconds=seconds,
        wall=time.perf_counter() - start,
        parameters=run.parameters if run else 0,
        message=message,
        environment=environment(),
        geometry=shape,
    )
    return outcome, tensors


def shaped(run: HeadTraining | WholeTraining) -> tuple[dict[str, float], str]:
    """The geometry of a trained model; none, and why, where it cannot be measured: the training itself is over."""
    try:
        return run.geometry(), ""
    except ValueError as error:
        return {}, f"no geometry: {one_line(error)}"


def _unless_the_machine(error: Exception) -> None:
    """Ends or stops what a method has no part in: an accelerator that answers no more, a decoding process that was killed.

    Raises:
        OSError: for the latter.
    """
    if "DataLoader worker" in str(error):
        raise OSError(one_line(error)) from error
    if torch.cuda.is_available():
        try:
            torch.cuda.synchronize()
        except RuntimeError:  # after one failed kernel all that follow fail: a new process can go on
            os._exit(BROKEN)


def alike(z: Float[Tensor, "n d"]) -> float:
    """Mean cosine of two different embeddings; 1 where nearly all are zero."""
    norms = z.double().norm(dim=1)
    unit = z[norms > 0].double() / norms[norms > 0, None]
    n = len(unit)
    return 1.0 if n < 2 else float((unit.sum(0).square().sum() - n) / (n * (n - 1)))


def _value(held: Embeddings) -> float:
    return float(measure(held, SELECTED_BY, samples=0)[SELECTED_BY])


def environment() -> dict[str, str]:
    """What numbers may depend on besides the cell: versions, threads and the kind of processor."""
    where = device()
    return {
        "isometry": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"cuda:{torch.cuda.get_device_name()}" if where.type == "cuda" else "cpu",
        "threads": str(torch.get_num_threads()),
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
    }

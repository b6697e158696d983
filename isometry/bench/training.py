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
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.similarities import cosine
from isometry.supervision import shown_by
from isometry.training import Diverged
from isometry.version import __version__

BROKEN = 70
"""Exit code of a process whose accelerator answers no more."""
ALIKE = 0.99
"""Mean cosine of two validation embeddings above which a training may have collapsed (by other similarities: 1 − 1e-6)."""
SAME = 1 - 1e-6


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
    chosen_by = study.recipe.selected_by
    limit = ALIKE if parse(study.recipe.similarity) is cosine else SAME
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some similarities are equal")  # the mean over all orders is taken
        try:
            run = HeadTraining(study, cell) if study.features is not None else WholeTraining(study, cell, folder)
            try:
                run.fit()
            finally:
                seconds = run.seconds
            held = run.validation()
            found = _values(study, held, shown_by(held.data, study.relate))
            if (
                alike(held.z) > limit
                and _values(study, run.validation(start=True), chosen_by)[chosen_by] > found[chosen_by]
            ):
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


def _values(study: Study, held: Embeddings, metrics: str) -> dict[str, float]:
    return {name: float(result) for name, result in study.measured(held.z, held.data, metrics).items()}


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

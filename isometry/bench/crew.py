"""The workers of this machine: started, watched, started again when they die, and stopped."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from isometry.bench.cell import Outcome
from isometry.bench.shelf import Shelf
from isometry.bench.store import Store
from isometry.bench.worker import LOST, STOPPED, WRONG, Job

DEATHS = 3
"""A cell in which so many workers died has failed; so has a worker that died so often before it took any."""
GRACE = 20.0
"""Seconds that a worker has to save its training when asked to stop."""


class Crew:
    """Worker processes of one job.

    Each is a session of its own: Ctrl-C reaches it through the parent only. Each ends by itself when the parent is gone.

    Args:
        number: how many. threads: of each. folder: of their logs.
    """

    def __init__(self, job: Job, number: int, threads: int, folder: Path, shelf: Shelf, store: Store):
        self.threads, self.folder, self.shelf, self.store = threads, folder, shelf, store
        self.deaths: Counter[str] = Counter()
        self.path = folder / f"job.{os.getpid()}.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.touch(mode=0o600, exist_ok=False)  # the store's password may stand in it
        self.path.write_text(json.dumps(dataclasses.asdict(job)))
        self.devices = _devices()
        self.workers: dict[int, subprocess.Popen[bytes] | None] = {n: self._start(n) for n in range(number)}

    @property
    def running(self) -> int:
        return sum(worker is not None for worker in self.workers.values())

    def look(self, done: int) -> list[str]:
        """Starts those again that died; says what happened.

        Args:
            done: trainings done so far: as long as it grows, workers that die between two are only started again.

        Raises:
            OSError: when a worker met what no restart mends, such as a full disk.
        """
        said = []
        for number, worker in self.workers.items():
            code = None if worker is None else worker.poll()
            if worker is None or code is None:
                continue
            worker.communicate()  # closes its pipe
            if code in (0, STOPPED):
                self.workers[number] = None
                continue
            if code == WRONG:
                raise OSError(self._last(number))
            said += self._died(number, worker.pid, code, done)
            self.workers[number] = self._start(number)
        return said

    def stop(self) -> None:
        """Asks all to save and end; those that do not are killed."""
        living = {n: worker for n, worker in self.workers.items() if worker is not None}
        for worker in living.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        until = time.monotonic() + GRACE
        for number, worker in living.items():
            try:
                worker.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
            worker.communicate()
            self.store.forget(worker.pid)
            self.workers[number] = None
        self.path.unlink(missing_ok=True)

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        env = {**os.environ, **{name: str(self.threads) for name in names}}
        if self.devices:
            env["CUDA_VISIBLE_DEVICES"] = self.devices[number % len(self.devices)]
        with open(self.log(number), "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "isometry.bench.worker", str(self.path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )

    def _died(self, number: int, pid: int, code: int, done: int) -> list[str]:
        """Counts a death; a cell that is deadly becomes a failed one."""
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        held = [key for key in self.store.held_by(pid) if self.shelf.outcome(key) is None] if code != LOST else []
        self.store.forget(pid)
        if code == LOST:
            return [f"Worker {number} stood still for so long that another one took its training over."]
        for key in held or [f"worker {number} at {done}"]:
            self.deaths[key] += 1
            if self.deaths[key] == DEATHS and not held:
                raise OSError(f"Worker {number} died {DEATHS} times and trained nothing: {self._last(number)}")
            if self.deaths[key] == DEATHS:
                message = (
                    f"Its process died {DEATHS} times ({how}; 9 is often a want of memory). Log: {self.log(number)}."
                )
                self.shelf.put(key, Outcome(state="failed", message=message), {})
                return [f"A training killed its worker {DEATHS} times ({how}): it counts as failed."]
        return [f"Worker {number} died ({how}) and is started again."]

    def log(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def _last(self, number: int) -> str:
        lines = self.log(number).read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'it said nothing'} (log: {self.log(number)})"


def _devices() -> list[str]:
    """The accelerators that workers are dealt out to; none on a machine without."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:  # as CUDA reads it: what follows a -1 or nothing is hidden
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), map(str.strip, given.split(","))))
    import torch

    return [str(n) for n in range(torch.cuda.device_count())]


def default_workers(threads: int) -> int:
    """As many as the cores, or the accelerators, of this machine carry."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return len(_devices()) or max(1, cores // threads)

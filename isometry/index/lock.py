"""One writer at a time. The lock is the operating system's: it ends with its process, however that ends."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".lock"
PATIENCE = 10.0  # seconds that a writer waits for another


class Here:
    """Who of this process writes to a folder: the system tells processes apart, not threads."""

    def __init__(self) -> None:
        self.lock, self.depth = threading.RLock(), 0


_here: dict[str, Here] = defaultdict(Here)


class InUse(OSError):
    """Another writer has the folder, in one line."""


@contextmanager
def writing(folder: Path, patience: float | None = None) -> Iterator[bool]:
    """Keeps all other writers out of a folder; readers come and go. Gives whether this thread did not have it already.

    Raises:
        InUse: when another writer keeps it for longer than `patience` seconds (10 unless given).
        OSError: when the folder cannot be written to.
    """
    patience = PATIENCE if patience is None else patience
    mine = _here[str(folder.resolve())]
    if not mine.lock.acquire(timeout=patience):
        raise InUse(f"{folder} is being written to by another thread: try again when it is done.")
    try:
        if mine.depth:
            yield False
            return
        try:
            file = open(folder / NAME, "a+b")  # noqa: SIM115 (closing it is what gives the lock back)
        except OSError as error:
            raise OSError(f"{folder} cannot be written to ({error.strerror}).") from None
        with file:
            _take(file.fileno(), folder, patience)
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            mine.depth = 1
            try:
                yield True
            finally:
                mine.depth = 0
    finally:
        mine.lock.release()


def _take(handle: int, folder: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while not _taken(handle):
        if time.monotonic() > until:
            with open(folder / NAME, "rb") as file:
                who = file.read(32).decode(errors="replace") or "unknown"
            raise InUse(f"{folder} is being written to by another process ({who}): try again when it is done.")
        time.sleep(0.05)


def _taken(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(handle, 1 << 20, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

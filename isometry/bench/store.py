"""Who trains what: claims in a database, so that workers of one machine or many share a study without a coordinator."""

import contextlib
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event, exc

BEAT = 5.0
"""Seconds between signs of life."""
STALE = 60.0
"""Seconds without one, by the observer's own clock, until a claim is taken over: the clocks of machines need not agree."""
RETRIES = 7
WAIT = 15.0
"""Seconds that SQLite waits for another writer, each time."""


class Store:
    """A table of claims in any database that SQLAlchemy speaks to.

    A claim is a row, and whoever inserts it has it. A claim whose process is dead on this machine is taken over at once;
    any other when its count of beats has stood still for `STALE` seconds, by an UPDATE that names the count last seen:
    of two that try, one succeeds. Claims only save work: two processes that train the same cell write the same result.

    Args:
        url: sqlite:///study.db, postgresql+psycopg://user@host/name, …
        worker: a name for messages.

    Raises:
        ValueError: when the URL is none, or its driver is not installed.
        OSError: when the database cannot be reached.
    """

    def __init__(self, url: str, worker: str = ""):
        self.url, self.worker, self.host, self.pid = url, worker, host(), os.getpid()
        self._seen: dict[str, tuple[int, float]] = {}
        table = sql.MetaData()
        self.claims = sql.Table(
            "isometry_claims", table,
            sql.Column("key", sql.String(160), primary_key=True), sql.Column("worker", sql.String(64)),
            sql.Column("host", sql.String(128)), sql.Column("pid", sql.Integer), sql.Column("beat", sql.BigInteger),
        )  # fmt: skip
        self.told = sql.Table(
            "isometry_told", table,
            sql.Column("study", sql.String(128), primary_key=True), sql.Column("trials", sql.Integer),
        )  # fmt: skip
        self.engine = _engine(url)
        self._do(lambda to: table.create_all(to))

    def claim(self, key: str) -> bool:
        """Takes a cell: True for one caller only, until it is released or its owner dies."""
        row = {"key": key, "worker": self.worker, "host": self.host, "pid": self.pid, "beat": 0}

        def take(to: Any) -> bool:
            held = to.execute(sql.select(self.claims).where(self.claims.c.key == key)).first()
            if held is None:
                to.execute(self.claims.insert().values(**row))
                return True
            if not self._dead(held):
                return False
            same = sql.and_(
                *(getattr(self.claims.c, name) == getattr(held, name) for name in ("key", "host", "pid", "beat"))
            )
            new = {**row, "beat": held.beat + 1}
            return to.execute(self.claims.update().where(same).values(**new)).rowcount == 1

        try:
            return self._do(take)
        except exc.IntegrityError:  # another one was quicker
            return False

    def beat(self, key: str) -> bool:
        """A sign of life; False where the claim is not ours any more."""
        mine = self._mine(key)
        raised = self.claims.update().where(mine).values(beat=self.claims.c.beat + 1)
        return self._do(lambda to: to.execute(raised).rowcount == 1)

    def release(self, key: str) -> None:
        """Gives a cell back."""
        self._do(lambda to: to.execute(self.claims.delete().where(self._mine(key))))

    def taken(self) -> dict[str, int]:
        """The claims of the living: key to process id (0 for another machine's)."""
        rows = self._do(lambda to: to.execute(sql.select(self.claims)).all())
        return {row.key: row.pid if row.host == self.host else 0 for row in rows if not self._dead(row)}

    def held_by(self, pid: int) -> list[str]:
        """What a process of this machine has claimed, alive or not."""
        mine = sql.and_(self.claims.c.host == self.host, self.claims.c.pid == pid)
        rows = self._do(lambda to: to.execute(sql.select(self.claims.c.key).where(mine)).all())
        return [row.key for row in rows]

    def forget(self, pid: int) -> None:
        """Gives back all that a process of this machine held, which is dead."""
        mine = (self.claims.c.host == self.host) & (self.claims.c.pid == pid)
        self._do(lambda to: to.execute(self.claims.delete().where(mine)))

    def told_so_far(self) -> dict[str, int]:
        """How many trials of each study were told to Optuna."""
        rows = self._do(lambda to: to.execute(sql.select(self.told)).all())
        return {row.study: row.trials for row in rows}

    def tell(self, study: str, trials: int) -> None:
        """Notes how many were told."""

        def note(to: Any) -> None:
            to.execute(self.told.delete().where(self.told.c.study == study))
            to.execute(self.told.insert().values(study=study, trials=trials))

        self._do(note)

    def close(self) -> None:
        """Ends all connections; the next use makes new ones."""
        self.engine.dispose()

    @contextlib.contextmanager
    def beating(self, key: str, lost: Callable[[], None]) -> Iterator[None]:
        """Gives signs of life while the block runs; `lost` is called, in another thread, when the claim is lost."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(BEAT):
                if not self.beat(key):
                    lost()

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _mine(self, key: str) -> Any:
        return (self.claims.c.key == key) & (self.claims.c.host == self.host) & (self.claims.c.pid == self.pid)

    def _dead(self, row: Any) -> bool:
        """Whether a claim's owner is gone: its process is, or its beat stood still for too long."""
        if row.host == self.host and not alive(row.pid):
            return True
        now = time.monotonic()
        beat, since = self._seen.get(row.key, (None, now))
        if beat != row.beat:
            self._seen[row.key] = (row.beat, now)
            return False
        return now - since > STALE

    def _do(self, work: Callable[[Any], Any]) -> Any:
        """Runs `work` in a transaction, again where the database is locked or away for a moment."""
        why = ""
        for attempt in range(RETRIES):
            try:
                with self.engine.begin() as to:
                    return work(to)
            except exc.DBAPIError as error:
                if isinstance(error, exc.IntegrityError):
                    raise
                why = " ".join(str(error.orig).split()) or type(error.orig).__name__
                time.sleep(0.05 * 2**attempt)
        raise OSError(
            f"The database {without_password(self.url)} cannot be used ({why}). Is it there, and may it be written? "
            "--store names another."
        )


def without_password(url: str) -> str:
    """A URL, or a word that holds one, as messages show it.

    >>> without_password("--store=postgresql://me:secret@host/name")
    '--store=postgresql://me:***@host/name'
    """
    url = re.sub(r"(://[^/:@]*:).*@", r"\1***@", url)
    return re.sub(r"(?i)([?&]\w*(?:password|passwd|pwd)=)[^&]*", r"\1***", url)


def _engine(url: str) -> Any:
    try:
        parsed = sql.engine.make_url(url)
        local = parsed.get_backend_name() == "sqlite"
        if local and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sql.create_engine(parsed, pool_pre_ping=True, connect_args={"timeout": WAIT} if local else {})
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise ValueError(
            "--store is a database's URL, such as sqlite:///study.db or postgresql+psycopg://user@host/name; "
            f"got {without_password(url)!r} ({error})."
        ) from None
    if local:
        event.listen(engine, "connect", _sqlite)
    return engine


def _sqlite(connection: Any, _: Any) -> None:
    """Readers and a writer at once; where the disk cannot (a network's), the slower journal stays."""
    import sqlite3

    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


def host() -> str:
    """This machine, since it was started: within it, process ids say who is alive."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)[:128]


def alive(pid: int) -> bool:
    """Whether a process of this machine runs; where that cannot be asked, True: its beat decides."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
    except OSError:
        return False
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

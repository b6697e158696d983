"""Requests that arrive together are worked on together: one thread does the work, and what it cannot take is refused."""

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from isometry.serve.limits import Refused

Given = TypeVar("Given")
Got = TypeVar("Got")


@dataclass(frozen=True)
class Waiting(Generic[Given, Got]):
    """One thing to work on, and where its result is waited for. Only things of the same kind go together."""

    kind: Hashable
    given: Given
    result: "asyncio.Future[Got]"


class Gathering(Generic[Given, Got]):
    """Work on batches: the first thing that arrives waits `gather` seconds for others, at most until there are `batch`;
    what arrives while the thread works is the next batch. So a lone request is answered at once, and under load the
    batches fill by themselves.

    Args:
        work: a batch of one kind to its results, in order; a result that is a `Refused` is raised where it is waited for.
        thread: runs the work. room: things that may wait; beyond, `submit` refuses with 503.
        saw: is told the size of each batch.

    >>> async def doubled():
    ...     gathering = Gathering(lambda xs: [2 * x for x in xs], ThreadPoolExecutor(1), batch=8)
    ...     async with gathering:
    ...         return await asyncio.gather(*[gathering.submit("number", x) for x in range(3)])
    >>> asyncio.run(doubled())
    [0, 2, 4]
    """

    def __init__(
        self,
        work: Callable[[list[Given]], Sequence[Got | Refused]],
        thread: ThreadPoolExecutor,
        *,
        batch: int = 16,
        gather: float = 0.003,
        room: int = 256,
        saw: Callable[[int], None] = lambda size: None,
    ) -> None:
        self.work, self.thread, self.batch, self.gather, self.room, self.saw = work, thread, batch, gather, room, saw
        self._waiting: list[Waiting[Given, Got]] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many things wait."""
        return len(self._waiting)

    async def __aenter__(self) -> "Gathering[Given, Got]":
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        for one in self._waiting:
            if not one.result.done():
                one.result.set_exception(Refused(503, "The server is shutting down.", retry=5))
        self._waiting.clear()

    async def submit(self, kind: Hashable, given: Given) -> Got:
        """The result for one thing.

        Raises:
            Refused: when too much waits already, or the work says so.
        """
        if self._loop is None or len(self._waiting) >= self.room:
            raise Refused(503, "The server has more to do than it can: try again in a second.", retry=1)
        result: asyncio.Future[Got] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(kind, given, result))
        self._arrived.set()
        if len(self._waiting) >= self.batch:
            self._full.set()
        return await result

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if self.gather and len(self._waiting) < self.batch:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self.gather)
            taken = self._take()
            if taken:
                await self._answer(taken)

    def _take(self) -> list[Waiting[Given, Got]]:
        """The oldest that is still wanted, and those of its kind, in order, as many as go together."""
        wanted = [one for one in self._waiting if not one.result.done()]
        taken = [one for one in wanted if one.kind == wanted[0].kind][: self.batch]
        gone = {id(one) for one in taken}
        self._waiting = [one for one in wanted if id(one) not in gone]
        if not self._waiting:
            self._arrived.clear()
        if len(self._waiting) < self.batch:
            self._full.clear()
        return taken

    async def _answer(self, taken: list[Waiting[Given, Got]]) -> None:
        self.saw(len(taken))
        running = asyncio.get_running_loop().run_in_executor(self.thread, self.work, [one.given for one in taken])
        try:
            results = await running
        except asyncio.CancelledError:
            for one in taken:
                one.result.cancel()
            raise
        except Exception as error:
            results = [error] * len(taken)
        for one, result in zip(taken, results, strict=True):
            if one.result.done():
                continue
            if isinstance(result, Exception):
                one.result.set_exception(result)
            else:
                one.result.set_result(result)

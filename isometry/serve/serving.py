"""A gallery at work: threads that decode, embed, search and change, and what passes between them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.index import Index, InUse
from isometry.openset import Calibration, Standing
from isometry.serve.finding import Asked, Finding
from isometry.serve.gathering import Gathering
from isometry.serve.limits import Limits, Refused
from isometry.serve.meters import Meters
from isometry.serve.preparing import Prepared, all_seen, embedded, numbered, prepared

LOG = logging.getLogger("isometry.serve")
DECODERS = 2
LOOKS = 2.0  # seconds between looks for changes that another process has made


class Serving:
    """What the routes call. One thread embeds, one searches, one changes the gallery; a search sees the gallery before or
    after a change, never between.
    """

    def __init__(self, index: Index, limits: Limits, meters: Meters) -> None:
        self.index, self.limits, self.meters, self.ready = index, limits, meters, False
        self.finding = Finding(index)
        self._decoding, self._changing = (
            ThreadPoolExecutor(workers, thread_name_prefix=name)
            for workers, name in ((DECODERS, "decode"), (1, "change"))
        )
        self._modelling, self._finding = (
            ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("model", "search")
        )
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="match")
        room = limits.requests * limits.pictures
        self._model: Gathering[Prepared, Tensor] = Gathering(
            self._embedded,
            self._modelling,
            batch=limits.batch,
            gather=limits.gather,
            room=room,
            saw=self._saw("pictures"),
        )
        self._finder: Gathering[Asked, list[Any]] = Gathering(
            self.finding.answers,
            self._searching,
            batch=limits.batch,
            gather=0,
            room=limits.requests,
            saw=self._saw("searches"),
        )
        meters.watch("pictures", lambda: len(self._model))
        meters.watch("searches", lambda: len(self._finder))

    def _saw(self, what: str) -> Any:
        return self.meters.batches.labels(what).observe

    @asynccontextmanager
    async def running(self, *_: object) -> AsyncIterator[None]:
        """From the first request to the last."""
        async with AsyncExitStack() as stack:
            pools = (self._decoding, self._modelling, self._searching, self._changing)
            for pool in pools:
                stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            await self._in(self._modelling, lambda: self.index.model)  # it is read when it is first asked for
            await stack.enter_async_context(self._model)
            await stack.enter_async_context(self._finder)
            looking = asyncio.create_task(self._look())
            stack.callback(looking.cancel)
            self.ready = True
            try:
                yield
            finally:
                self.ready = False

    async def embed(self, pictures: Sequence[bytes]) -> Float[Tensor, "n d"]:
        """Embeddings of pictures, in order.

        Raises:
            Refused: for the first that cannot be embedded, saying which where there are several.
        """

        async def one(data: bytes) -> Tensor:
            image = await self._in(self._decoding, prepared, data, self.index.model, self.limits)
            return await self._model.submit(image.shape, image)

        done = await asyncio.gather(*(one(data) for data in pictures), return_exceptions=True)
        for number, result in enumerate(done, 1):
            if isinstance(result, Refused):
                raise numbered(result, number, len(done))
            if isinstance(result, BaseException):
                raise result
        return torch.stack([z for z in done if isinstance(z, Tensor)])

    async def find(self, asked: Asked) -> list[Any]:
        """For each embedding the most similar pictures of the gallery, or what it shows.

        Raises:
            Refused: where names are wanted and the gallery has no calibration, or one of another gallery.
        """
        return await self._finder.submit(asked.kind, asked)

    async def standing(self) -> tuple[Calibration | None, Standing]:
        """The gallery's calibration, and what it is worth now."""
        return await self._in(self._searching, self.finding.calibration)

    async def add(
        self, pictures: Sequence[bytes], labels: Sequence[str] | None, ids: Sequence[int] | None
    ) -> list[int]:
        """Adds pictures, all or none; those with ids that exist take the place of what was there. They are decoded when it is
        their turn, so that those that wait take no more room than their bytes.
        """

        def write() -> list[int]:
            images = all_seen(pictures, self.index.model, self.limits)
            return self.index.add(images, labels=labels, ids=ids).tolist()

        return await self._change(write)

    async def delete(self, id: int) -> int:
        """Removes a picture; how many that was."""
        return await self._change(lambda: self.index.delete([id]))

    async def item(self, id: int) -> Any:
        """What is known of a picture.

        Raises:
            Refused: where there is none.
        """
        try:
            return await self._in(self._searching, self.index.items, [id])
        except KeyError:
            raise Refused(404, f"There is no picture {id} in the gallery.") from None

    async def _change(self, write: Any) -> Any:
        try:
            return await self._in(self._changing, write)
        except InUse:
            raise Refused(503, "Another program is changing the gallery: try again in a second.", retry=1) from None
        except Refused:
            raise
        except ValueError as error:
            raise Refused(422, str(error).replace(str(self.index.path), "The gallery")) from None
        finally:
            self._tell()

    async def _look(self) -> None:
        """Takes over what other processes have changed, for as long as the server runs."""
        while True:
            with contextlib.suppress(OSError):
                try:
                    await self._in(self._changing, self.index.refresh)
                except ValueError:
                    LOG.exception("the gallery cannot be read anew; what was read before is served")
                self._tell()
            await asyncio.sleep(LOOKS)

    def _tell(self) -> None:
        self.meters.items.set(len(self.index))
        self.meters.generation.set(self.index.generation)

    def _embedded(self, images: list[Prepared]) -> list[Any]:
        return embedded(images, self.index.model)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)


def relative(path: str) -> str | None:
    """What data call a file, where that is a name of their own; of a whole path on this machine its last part alone.

    >>> relative("cats/1.png"), relative("/home/me/cats/1.png"), relative("../me/1.png"), relative("")
    ('cats/1.png', '1.png', '1.png', None)
    """
    parts = PurePosixPath(path.replace("\\", "/"))
    whole = parts.is_absolute() or ".." in parts.parts or path[1:2] == ":"
    return (parts.name if whole else str(parts)) if path else None

"""A server as a process: its socket, its start and its end."""

import asyncio
import contextlib
import logging
import signal
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

from isometry import index as galleries
from isometry import serve
from isometry.serve.access import LOOPBACK, Access, is_loopback
from isometry.serve.limits import Limits

LOG = logging.getLogger("isometry.serve")
CONNECTIONS = 4
"""Open connections for each request that is worked on: most of them wait between requests."""


def run(
    gallery: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str = "",
    open_reading: bool = False,
    writable: bool = False,
    show_paths: bool = False,
    limits: Limits | None = None,
    started: Callable[[str], None] = print,
) -> None:
    """Serves a gallery until it is told to stop (SIGTERM or Ctrl-C): requests that are being worked on are answered first.

    Args:
        port: 0 for one that is free. started: is told the address.

    Raises:
        ValueError, OSError: when there is no gallery, the port is taken, or anyone could change the gallery.
    """
    limits = limits or Limits()
    near = is_loopback(host)
    if writable and not token and not near:
        raise ValueError(
            f"With --writable anyone who reaches {host} could change the gallery: set ISOMETRY_TOKEN, or serve 127.0.0.1."
        )
    index = galleries.read(gallery)
    index.model.model.eval()  # read now: a damaged bundle is said before anything is served
    hosts = tuple(dict.fromkeys((*LOOPBACK, host))) if near else ()
    access = Access(token, open_reading=open_reading, writable=writable, hosts=hosts)
    app = serve.app(index, limits, access, show_paths=show_paths)

    try:
        import uvicorn
    except ImportError:
        raise ValueError("Serving needs uvicorn: pip install 'isometry[serve]'.") from None
    from PIL import Image

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked before it can matter
    logging.basicConfig(format="isometry: %(message)s", level=logging.WARNING)
    with bound(host, port) as listening:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, ws="none", lifespan="on",
            limit_concurrency=CONNECTIONS * limits.requests, timeout_graceful_shutdown=int(limits.answering),
            timeout_keep_alive=15, date_header=True,
        )  # fmt: skip
        name = f"[{host}]" if ":" in host else host
        if not (near or token):
            LOG.warning("Anyone who can reach %s can search this gallery: ISOMETRY_TOKEN keeps it to some.", host)
        started(f"http://{name}:{listening.getsockname()[1]}")
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
            asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        OSError: when it cannot: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(
            family, kind, protocol
        )  # named, or asyncio lets small answers wait 40 ms for the next (Nagle)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
            made.listen(256)
        except OSError:
            made.close()
            raise
        return made
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OSError(f"{host}:{port} cannot be served on ({why}): choose another with --port or --host.") from None

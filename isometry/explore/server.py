"""The explorer on a port of this machine."""

import socket
import sys
from collections.abc import Callable
from typing import Any

from isometry.explore.app import app
from isometry.explore.shown import Shown
from isometry.serve.access import is_loopback

FIRST, TRIED = 8050, 50


def serve(shown: Shown | Callable[[], Shown], *, host: str = "127.0.0.1", port: int = 0) -> None:
    """Serves the page until Ctrl-C; prints its address, and a warning where others than this machine can reach it.

    What is shown may be made by a function, which is called when the port is had: one that is not is said before work.

    Raises:
        OSError: for an address or port that cannot be had. ValueError: without the extra `serve`.
    """
    try:
        import uvicorn
    except ImportError:
        raise ValueError("The explorer needs uvicorn: pip install 'isometry[serve]'.") from None
    if not is_loopback(host):
        print(f"Anyone who can reach {host} sees these pictures: the explorer asks for no password.", file=sys.stderr)
    with listening(host, port) as taken:
        made = app(shown if isinstance(shown, Shown) else shown(), names=(host, socket.gethostname(), socket.getfqdn()))
        at = f"[{host}]" if ":" in host else host
        print(f"explore: http://{at}:{taken.getsockname()[1]}/   (Ctrl-C stops it)", flush=True)
        config = uvicorn.Config(made, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[taken])


def listening(host: str, port: int) -> Any:
    """A socket bound to this port, or, for port 0, to the first free one from 8050 on.

    Raises:
        OSError: where it cannot be bound.
    """
    last: OSError | None = None
    for tried in (port,) if port else range(FIRST, FIRST + TRIED):
        try:
            family = socket.getaddrinfo(host, tried, type=socket.SOCK_STREAM)[0]
            made = socket.socket(family[0], family[1], family[2])
            try:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind(family[4])
                return made
            except OSError:
                made.close()
                raise
        except OSError as error:
            last = error
    which = f"Port {port}" if port else f"Ports {FIRST} to {FIRST + TRIED - 1}"
    why = getattr(last, "strerror", None) or last
    raise OSError(f"{which} of {host} cannot be had ({why}): name another with --port.")

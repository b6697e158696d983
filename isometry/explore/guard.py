"""What a page on this machine is kept from: other sites, other names for this machine, and anything but its own files.

A page of a stranger can send requests to 127.0.0.1, and can give its own name the address 127.0.0.1 (DNS rebinding) to read the
answers. So a request must name this machine by an address or by a name that it goes by, and must not come from another site.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def named_here(host: str, names: Iterable[str] = ()) -> bool:
    """Whether the Host of a request is an address, localhost, or one of these names, with any port.

    >>> named_here("127.0.0.1:8050"), named_here("[::1]:8050"), named_here("evil.example:8050")
    (True, True, False)
    """
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").rstrip(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name in {one.lower() for one in names}
    return True


class Guard:
    """Refuses requests that do not name this machine or come from another site, and says what a page may load."""

    def __init__(self, app: Any, names: Iterable[str] = ()) -> None:
        self.app, self.names = app, tuple(names)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if line := self._refusal(headers, scope):
            return await _say(send, line)

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_encoded(HEADERS)]
            await send(message)

        await self.app(scope, receive, guarded)

    def _refusal(self, headers: dict[str, str], scope: Any) -> str:
        host = headers.get("host", "")
        if not named_here(host, self.names):
            return "This name is not one of this machine's: open the address that isometry explore printed."
        origin = headers.get("origin")
        own = origin is None or origin == f"{scope.get('scheme', 'http')}://{host}"
        site = headers.get("sec-fetch-site", "none")
        opened = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/" and scope["method"] == "GET"
        return "" if own and (site in ("none", "same-origin") or opened) else "Requests from other sites are refused."


async def _say(send: Any, line: str) -> None:
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8"}
    await send({"type": "http.response.start", "status": 403, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": line.encode()})


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]

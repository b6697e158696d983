"""Who may ask for what."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from isometry.serve.limits import Refused

VARIABLE = "ISOMETRY_TOKEN"
OPEN = ("/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready")
"""What says nothing about the gallery, and needs no token."""
READING = ("GET", "HEAD", "OPTIONS")
ASKING = ("/embed", "/search", "/match")
"""What is posted and changes nothing; whatever else is not read is taken for a change."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def token_of(environment: Mapping[str, str]) -> str:
    """The token that the environment sets; empty where it sets none. It is in no message.

    >>> token_of({})
    ''

    Raises:
        ValueError: for one that could be guessed, or that no header can carry.
    """
    token = environment.get(VARIABLE)
    if token is None:
        return ""
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"{VARIABLE} is set and is no token: 16 or more ASCII characters without spaces, such as "
            "`openssl rand -hex 32` prints; or unset it."
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """Decides by a request's headers, before its body is read.

    Args:
        token: what a client has to show, as `Authorization: Bearer TOKEN`; "" for none. Only its hash is kept.
        open_reading: the token is for changing the gallery alone.
        writable: the gallery may be changed without a token.
        hosts: names that the server answers to; () for any. A page of the web that makes its own name point here is thus
            turned away.
    """

    def __init__(
        self, token: str = "", *, open_reading: bool = False, writable: bool = False, hosts: tuple[str, ...] = ()
    ) -> None:
        self._hash = hashlib.sha256(token.encode()).digest() if token else b""
        self.open_reading, self.writable, self.hosts = open_reading, writable, tuple(h.lower() for h in hosts)

    @property
    def needs_token(self) -> bool:
        """Whether there is a token at all."""
        return bool(self._hash)

    def needs(self, method: str, path: str) -> bool:
        """Whether this is for those who have the token."""
        return bool(self._hash) and path not in OPEN and (_writes(method, path) or not self.open_reading)

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Lets a request through, or not.

        Raises:
            Refused: 401 without the right token, 403 for what is not allowed here.
        """
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self.hosts and name not in self.hosts:
            raise Refused(403, f"This server answers to {', '.join(self.hosts)} and to no other name.")
        if origin and method not in READING and urlsplit(origin).netloc != host:
            raise Refused(403, "A page of another site may not ask for this.")
        if self.needs(method, path):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            hashed = hashlib.sha256(given.strip().encode(errors="replace")).digest()
            if not hmac.compare_digest(hashed, self._hash) or scheme.lower() != "bearer":
                raise Refused(401, "This needs the token: Authorization: Bearer TOKEN.")
        elif not self._hash and not self.writable and _writes(method, path):
            raise Refused(403, f"This gallery is not changed from here: set {VARIABLE}, or start with --writable.")


def _writes(method: str, path: str) -> bool:
    return method not in READING and path not in ASKING

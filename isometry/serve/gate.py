"""What every request passes: identity, access, limits, time; and how every answer looks."""

import asyncio
import json
import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from isometry.serve.access import Access
from isometry.serve.limits import Limits, Refused
from isometry.serve.meters import Meters

LOG = logging.getLogger("isometry.serve")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
RETURNED = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids of requests that are taken over from the client."""
ALWAYS = ("/health", "/health/live", "/health/ready")
"""What is answered also when there is too much to do."""


class Left(Exception):
    """The client has gone."""


class Gate:
    """ASGI middleware. A body is read whole, and within its limits, before anything is done with it; an error is one line of
    JSON; what fails unexpectedly is logged with the request's id and told as 500 without its reason.
    """

    def __init__(self, app: Any, limits: Limits, access: Access, meters: Meters) -> None:
        self.app, self.limits, self.access, self.meters = app, limits, access, meters
        self.active = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, headers = time.perf_counter(), Headers(scope=scope)
        answer = Answer(send, _id(headers))
        scope["state"] = {**scope.get("state", {}), "request": answer.id}
        try:
            await self._pass(scope, headers, receive, answer)
        except Left:
            return
        except Refused as refused:
            await answer.refuse(refused)
        except Exception:
            LOG.exception("request %s failed", answer.id)
            await answer.refuse(Refused(500, "The server failed; its log says why, under this request's id."))
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.meters.answered(route, _method(scope), answer.status or 499, time.perf_counter() - began)

    async def _pass(self, scope: Any, headers: Headers, receive: Any, answer: "Answer") -> None:
        limits = self.limits
        path = scope["path"].removeprefix(scope.get("root_path", ""))  # as the routes see it, wherever this is mounted
        self.access.check(scope["method"], path, headers)
        if path in ALWAYS:
            await self.app(scope, receive, answer)
            return
        if self.active >= limits.requests:
            raise Refused(503, f"{self.active} requests are being worked on: try again in a second.", retry=1)
        self.active += 1
        self.meters.active.inc()
        try:
            body = await self._body(headers, receive)
            try:
                await asyncio.wait_for(self.app(scope, Replay(body, receive), answer), limits.answering)
            except TimeoutError:
                raise Refused(503, f"This took longer than {limits.answering:g} seconds.", retry=5) from None
        finally:
            self.active -= 1
            self.meters.active.dec()

    async def _body(self, headers: Headers, receive: Any) -> bytes:
        """The body. One that is too large is read a while and thrown away, so that the client comes to read the answer."""
        stated, most = headers.get("content-length", "0"), self.limits.body
        too_large = Refused(413, f"The request is larger than {most:,} bytes.")
        if stated.isdecimal() and int(stated) > 4 * most:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.reading):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Left
                    size += len(message.get("body", b""))
                    if size <= most:
                        parts.append(message.get("body", b""))
                    else:
                        parts.clear()
                    if size > 4 * most or not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Refused(408, f"The request did not arrive within {self.limits.reading:g} seconds.") from None
        if size > most:
            raise too_large
        return b"".join(parts)


class Replay:
    """A body that has been read, as the app reads it."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self.body: bytes | None = body
        self.receive = receive

    async def __call__(self) -> Any:
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


class Answer:
    """Sends an answer with the headers that all have."""

    def __init__(self, send: Any, id: str) -> None:
        self.send, self.id, self.status = send, id, 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            for name, value in HEADERS.items():
                headers[name] = value
            headers["x-request-id"] = self.id
            message = {**message, "headers": headers.raw}
        await self.send(message)

    async def refuse(self, refused: Refused) -> None:
        """Sends an error, unless an answer is under way."""
        if self.status:
            return
        body = error_body(refused, self.id)
        headers = {"content-type": "application/json", "content-length": str(len(body)), **extra(refused)}
        if refused.status in (408, 413):
            headers["connection"] = "close"
        raw = [(k.encode(), v.encode()) for k, v in headers.items()]
        await self({"type": "http.response.start", "status": refused.status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


def error_body(refused: Refused, id: str) -> bytes:
    """An error as one line of JSON."""
    return json.dumps({"error": str(refused), "request": id}, ensure_ascii=False).encode(errors="replace")


def extra(refused: Refused) -> dict[str, str]:
    """Headers that go with an error."""
    retry = {"retry-after": str(refused.retry)} if refused.retry else {}
    return retry | ({"www-authenticate": "Bearer"} if refused.status == 401 else {})


def _id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if RETURNED.fullmatch(given) else secrets.token_hex(8)


def _method(scope: Any) -> str:
    method = scope["method"]
    return method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH") else "other"

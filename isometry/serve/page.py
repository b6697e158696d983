"""The OpenAPI description, and the page that shows it: one file, without a script, that loads nothing from elsewhere."""

import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from isometry.serve.access import OPEN, READING, Access
from isometry.serve.answers import Error
from isometry.serve.limits import Limits
from isometry.serve.uploads import FIELD, FORM, JSON, TYPES

DESCRIPTION = (
    "Pictures in, what is like them out. A picture is sent as the body itself (image/png, image/jpeg, image/webp, "
    f"image/gif) or as parts of a form, in the field {FIELD!r}. An error is one line of JSON. Every answer carries "
    "X-Request-ID, and a server that is busy says 503 and when to come back (Retry-After)."
)
METRICS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
WORDS = {
    400: "A request that cannot be read.",
    401: "The token is missing or wrong.",
    403: "Not allowed here.",
    404: "There is no such thing.",
    405: "Not served by this method.",
    408: "The request did not arrive in time.",
    413: "Too large: bytes, pixels, vectors.",
    415: "Not a type or format that is taken.",
    422: "Not valid: a damaged picture, a wrong parameter.",
    500: "The server failed.",
    503: "Too much to do, or shutting down: come back after Retry-After.",
}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h2{margin:2rem 0 .2rem;font-size:1.1rem}code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f2f5}"
    "pre{padding:.6rem;overflow:auto}table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
    ".m{display:inline-block;min-width:4rem;color:#3949ab}@media(prefers-color-scheme:dark){"
    "body{color:#ddd;background:#16161a}code,pre{background:#26262c}.m{color:#9fa8da}}"
)


def errors(limits: Limits) -> dict[int | str, dict[str, Any]]:
    """What any route may answer besides its own."""
    return {status: {"model": Error, "description": words} for status, words in WORDS.items()}


def takes(limits: Limits, *, vectors: int = 0) -> dict[str, Any]:
    """The body of a request that brings pictures, or vectors of so many dimensions."""
    picture = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": [FIELD],
        "additionalProperties": False,
        "properties": {FIELD: {"type": "array", "items": picture, "minItems": 1, "maxItems": limits.pictures}},
    }
    content: dict[str, Any] = {FORM: {"schema": form}, **{kind: {"schema": picture} for kind in TYPES}}
    if vectors:
        number = {"type": "number", "minimum": -1e15, "maximum": 1e15}
        row = {"type": "array", "items": number, "minItems": vectors, "maxItems": vectors}
        rows = {"type": "array", "items": row, "minItems": 1, "maxItems": limits.vectors}
        schema = {
            "type": "object", "required": ["vectors"], "properties": {"vectors": rows}, "additionalProperties": False,
        }  # fmt: skip
        content[JSON] = {"schema": schema}
    return {"requestBody": {"required": True, "content": content}}


def finish(app: FastAPI, limits: Limits, access: Access) -> None:
    """Says in the description who needs a token for what, and what the limits are."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes,
                tags=app.openapi_tags,
            )  # fmt: skip
            if access.needs_token:
                made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for path, methods in made["paths"].items():
                for method, operation in methods.items():
                    operation["responses"].pop("422" if path in OPEN else "", None)
                    if access.needs(method.upper(), path):
                        operation["security"] = [{"token": []}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi


def html(schema: dict[str, Any]) -> str:
    """The description as a page."""
    parts = [f"<h1>{escape(schema['info']['title'])}</h1>", f"<p>{escape(schema['info']['description'])}</p>"]
    parts.append(
        '<p>For programs: <a href="/openapi.json">openapi.json</a>, OpenAPI ' + escape(schema["openapi"]) + "</p>"
    )
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts += _operation(method.upper(), path, operation)
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{STYLE}</style>"
    title = f"<title>{escape(schema['info']['title'])}</title>"
    return f"<!doctype html><html lang=en>{head}{title}<body>{''.join(parts)}</body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    token = " <small>needs the token</small>" if operation.get("security") else ""
    parts = [f"<h2><span class=m>{method}</span> <code>{escape(path)}</code>{token}</h2>"]
    parts.append(f"<p>{escape(operation.get('description', ''))}</p>")
    rows = []
    for one in operation.get("parameters", ()):
        kind = {k: v for k, v in one["schema"].items() if k in ("type", "minimum", "maximum", "default", "maxItems")}
        rows.append((one["name"], f"{one['in']}, {_said(kind)}", one.get("description", "")))
    for kind in operation.get("requestBody", {}).get("content", ()):
        rows.append(("body", kind, ""))
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    parts.append(f"<table>{cells}</table>" if rows else "")
    parts.append(f"<pre>{escape(_curl(method, path, operation))}</pre>")
    return parts


def _said(kind: dict[str, Any]) -> str:
    return ", ".join(f"{k} {json.dumps(v)}" if k != "type" else str(v) for k, v in kind.items())


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    sends = f" -F {FIELD}=@picture.png" if "requestBody" in operation else ""
    verb = "" if method in ("GET", "POST") and (sends or method in READING) else f" -X {method}"
    token = " -H 'Authorization: Bearer TOKEN'" if operation.get("security") else ""
    return f"curl{verb}{token}{sends} http://127.0.0.1:8000{path.replace('{id}', '7')}"

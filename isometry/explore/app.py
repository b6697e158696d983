"""The explorer over HTTP: its own few files, and answers about pictures that are named by number."""

import json
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from isometry.explore.answers import Answers, NotHere
from isometry.explore.guard import Guard
from isometry.explore.shown import Shown
from isometry.serve.limits import Limits, Refused
from isometry.serve.pictures import decoded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FILES = (
    "explore.html", "explore.css", "panel.css", "main.js", "map.js", "raster.js", "pointer.js", "panel.js", "filters.js",
    "upload.js", "reasons.js", "page.js", "icon.svg",
)  # fmt: skip
MEGABYTE = 1_000_000
KEPT = {"cache-control": "private, max-age=3600"}
FRESH = {"cache-control": "no-store"}


def app(shown: Shown, *, names: tuple[str, ...] = (), limits: Limits | None = None) -> Any:
    """The explorer as a Starlette application.

    Args:
        shown: what `opened` gives. names: names of this machine besides its addresses and localhost.
        limits: of uploads.

    Raises:
        ValueError: where the extra `serve` is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route
    except ImportError as error:
        raise ValueError(f"The explorer needs {error.name}: pip install 'isometry[serve]'.") from None
    answers, bounds, files = Answers(shown), limits or Limits(), _files()
    ask = _Questions(answers)
    routes = [
        Route("/", _file(files["explore.html"])),
        *(Route(f"/files/{name}", _file(file)) for name, file in files.items() if name != "explore.html"),
        Route("/api/about", _answer(ask.about)),
        Route("/api/points/{model:int}", _answer(ask.points)),
        Route("/api/near/{name}", _answer(ask.near)),
        Route("/api/picture/{name}", _answer(ask.picture)),
        Route("/api/why/{a}/{b}", _answer(ask.why)),
        Route("/api/search", _upload(answers, bounds), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, names=names)])


class _Questions:
    """Requests read, and answered."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def about(self, request: "Request") -> "Response":
        return _json(self.answers.about())

    def points(self, request: "Request") -> "Response":
        from starlette.responses import Response

        return Response(self.answers.points(request.path_params["model"]), media_type="application/octet-stream")

    def near(self, request: "Request") -> "Response":
        k = _number(request, "k", 24)
        return _json(self.answers.near(request.path_params["name"], k, request.query_params.get("among", "")))

    def picture(self, request: "Request") -> "Response":
        from starlette.responses import Response

        large = request.query_params.get("large") == "1"
        content, kind = self.answers.picture(request.path_params["name"], large)
        return Response(content, media_type=kind, headers=KEPT)

    def why(self, request: "Request") -> "Response":
        at = request.path_params
        return _json(self.answers.why(at["a"], at["b"], _number(request, "model", 0)))


def _answer(question: Callable[["Request"], "Response"]) -> Callable[["Request"], "Response"]:
    """What is wrong is said in one line."""

    def answered(request: "Request") -> "Response":
        try:
            return question(request)
        except NotHere as error:
            return _json({"error": str(error)}, 404)
        except (ValueError, NotImplementedError) as error:
            return _json({"error": " ".join(str(error).split())[:300]}, 400)

    return answered


def _upload(answers: Answers, limits: Limits) -> Callable[..., Any]:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request

    async def search(request: Request) -> "Response":
        try:
            content = await _body(request, limits.body)
            name = await run_in_threadpool(lambda: answers.add(decoded(content, limits)))
        except Refused as error:
            return _json({"error": str(error)}, error.status)
        return _json({"name": name}, 201)

    return search


async def _body(request: "Request", most: int) -> bytes:
    """The bytes of a request, no more than `most`.

    Raises:
        Refused: for more.
    """
    held = bytearray()
    async for piece in request.stream():
        held += piece
        if len(held) > most:
            raise Refused(413, f"The picture has more than {most // MEGABYTE} megabytes: make it smaller.")
    return bytes(held)


def _number(request: "Request", name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise ValueError(f"{name} is a whole number; got {text[:40]!r}.")
    return int(text)


def _json(value: Any, status: int = 200) -> "Response":
    from starlette.responses import Response

    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return Response(text, status, media_type="application/json", headers=FRESH)


def _files() -> dict[str, tuple[bytes, str]]:
    """The page's own files, read once: nothing that a client names is looked for on disk."""
    folder = resources.files("isometry.explore").joinpath("page")
    return {name: (folder.joinpath(name).read_bytes(), KINDS[name.rpartition(".")[2]]) for name in FILES}


def _file(file: tuple[bytes, str]) -> Callable[["Request"], "Response"]:
    def given(request: "Request") -> "Response":
        from starlette.responses import Response

        return Response(file[0], media_type=file[1], headers={"cache-control": "no-cache"})

    return given

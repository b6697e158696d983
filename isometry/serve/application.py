"""The routes."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from isometry.bundle import Match
from isometry.index import Index
from isometry.serve import answers, page, uploads
from isometry.serve.access import Access
from isometry.serve.finding import Asked
from isometry.serve.gate import Gate, error_body, extra
from isometry.serve.limits import Limits, Refused
from isometry.serve.meters import Meters
from isometry.serve.serving import Serving, relative
from isometry.version import __version__

LAST = 2**63 - 1
Label = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Number = Annotated[int, Query(ge=0, le=LAST)]
Id = Annotated[int, Path(ge=0, le=LAST, description="The picture's id.")]


def application(index: Index, limits: Limits, access: Access, *, show_paths: bool = False) -> FastAPI:
    """The server's ASGI application."""
    meters = Meters()
    serving = Serving(index, limits, meters)
    app = FastAPI(
        title=f"isometry: {index.name}",
        version=__version__,
        description=page.DESCRIPTION,
        lifespan=serving.running,
        docs_url=None,
        redoc_url=None,
        responses=page.errors(limits),
        redirect_slashes=False,
    )
    app.add_middleware(Gate, limits=limits, access=access, meters=meters)  # type: ignore[arg-type]
    for error, told in ((Refused, refused), (HTTPException, unserved), (RequestValidationError, invalid)):
        app.add_exception_handler(error, told)
    _reading(app, serving, show_paths)
    _changing(app, serving, show_paths)
    _watching(app, serving, meters)
    page.finish(app, limits, access)
    return app


def _reading(app: FastAPI, serving: Serving, show_paths: bool) -> None:
    index, limits = serving.index, serving.limits
    wanted = Query(10, ge=1, le=limits.k, description="How many pictures are wanted.")
    shown = Query(5, ge=1, le=limits.k, description="How many of the most similar pictures are given as well.")
    all_of_them = Query(False, description="Look at every picture of the gallery, however it is searched.")

    def found(matches: Sequence[Match]) -> list[answers.Found]:
        made = [answers.Found(id=m.id, score=m.score, label=m.label) for m in matches]
        if show_paths:
            for one, match in zip(made, matches, strict=True):
                one.path = relative(match.path)
        return made

    @app.post("/embed", response_model=answers.Embeddings, openapi_extra=page.takes(limits), tags=["pictures"])
    async def embed(request: Request) -> Any:
        """Embeddings of pictures."""
        z = await serving.embed(await uploads.pictures(request, limits))
        return JSONResponse({"embeddings": z.tolist(), "dim": index.dim})

    @app.post(
        "/search", response_model=answers.Matches, response_model_exclude_unset=True, tags=["pictures"],
        openapi_extra=page.takes(limits, vectors=index.dim),
    )  # fmt: skip
    async def search(request: Request, k: int = wanted, exact: bool = all_of_them) -> Any:
        """The most similar pictures of the gallery, to pictures or to vectors."""
        if uploads.media_type(request) == uploads.JSON:
            z = await uploads.vectors(request, index.dim, limits)
        else:
            z = await serving.embed(await uploads.pictures(request, limits))
        lists = await serving.find(Asked(z, k, exact))
        return answers.Matches(matches=[found(one) for one in lists], generation=index.generation)

    @app.post(
        "/match", response_model=answers.Identities, response_model_exclude_unset=True, tags=["pictures"],
        openapi_extra=page.takes(limits), responses={409: {"model": answers.Error}},
    )  # fmt: skip
    async def match(request: Request, k: int = shown) -> Any:
        """What a picture shows, or that it is unknown, at the gallery's calibrated rate of false matches."""
        z = await serving.embed(await uploads.pictures(request, limits))
        identities = [
            answers.Identity(
                label=one.label, known=one.known, nearest=one.nearest, score=one.score, threshold=finite(one.threshold),
                p=finite(one.p), matches=found(one.matches),
            )
            for one in await serving.find(Asked(z, k, name=True))
        ]  # fmt: skip
        calibration, standing = await serving.standing()
        promise = "" if calibration is None or standing.message else calibration.promise
        return answers.Identities(
            identities=identities, promise=promise, beware=standing.message, generation=index.generation
        )

    @app.get("/about", response_model=answers.About, tags=["server"])
    async def about() -> Any:
        """What is served: the bundle, the gallery, the limits."""
        model, (calibration, standing) = index.model, await serving.standing()
        calibrated = calibration is not None and not standing.refused
        return answers.About(
            name=index.name, digest=model.digest, version=__version__, dim=index.dim, similarity=index.similarity,
            thresholds=[answers.Threshold(rate=row.rate, score=row.score) for row in model.thresholds.rows],
            calibrated=calibrated, items=len(index), generation=index.generation, kind=index.kind,
            measured=[dict(row) for row in index.measured], limits=asdict(limits),
        )  # fmt: skip


def finite(value: float) -> float | None:
    """What JSON can say of a number."""
    return value if math.isfinite(value) else None


def _changing(app: FastAPI, serving: Serving, show_paths: bool) -> None:
    index, limits = serving.index, serving.limits
    classes = Query([], max_length=limits.pictures, description="Its class, for each picture; none for unknown.")
    numbers = Query(
        [], max_length=limits.pictures,
        description="Its id, for each picture; new ones unless given. One that exists is replaced.",
    )  # fmt: skip

    @app.post("/items", response_model=answers.Added, openapi_extra=page.takes(limits), tags=["gallery"])
    async def add(request: Request, label: list[Label] = classes, id: list[Number] = numbers) -> Any:
        """Adds pictures to the gallery, all or none."""
        pictures = await uploads.pictures(request, limits)
        for name, given in (("label", label), ("id", id)):
            if given and len(given) != len(pictures):
                raise Refused(
                    422, f"There are {len(pictures)} pictures and {len(given)} of {name!r}: give one for each."
                )
        if len(set(id)) < len(id):
            raise Refused(422, "Each picture has an id of its own; one is given twice.")
        ids = await serving.add(pictures, label or None, id or None)
        return answers.Added(ids=ids, generation=index.generation)

    @app.delete("/items/{id}", response_model=answers.Deleted, tags=["gallery"])
    async def delete(id: Id) -> Any:
        """Removes a picture from the gallery."""
        if not (count := await serving.delete(id)):
            raise Refused(404, f"There is no picture {id} in the gallery.")
        return answers.Deleted(deleted=count, generation=index.generation)

    @app.get("/items/{id}", response_model=answers.Item, response_model_exclude_unset=True, tags=["gallery"])
    async def item(id: Id) -> Any:
        """What the gallery knows of a picture."""
        found = await serving.item(id)
        made = answers.Item(id=id, label=found.labels[0], part=found.parts[0])
        if show_paths:
            made.path = relative(found.paths[0])
        return made


def _watching(app: FastAPI, serving: Serving, meters: Meters) -> None:
    @app.get("/health/live", response_model=answers.Health, tags=["server"])
    async def live() -> Any:
        """Whether the server runs."""
        return answers.Health(live=True, ready=serving.ready)

    @app.get("/health/ready", response_model=answers.Health, tags=["server"])
    async def ready() -> Any:
        """Whether it can answer: 503 while it cannot."""
        if not serving.ready:
            raise Refused(503, "The server is starting or shutting down.", retry=1)
        return answers.Health(live=True, ready=True)

    @app.get("/health", response_model=answers.Health, tags=["server"])
    async def health() -> Any:
        """Both."""
        return answers.Health(live=True, ready=serving.ready)

    @app.get("/metrics", response_class=Response, responses=page.METRICS, tags=["server"])
    async def metrics() -> Any:
        """Counts, latencies, queues and batch sizes, as Prometheus reads them."""
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", response_class=HTMLResponse, tags=["server"])
    async def docs() -> Any:
        """This API, for people."""
        return HTMLResponse(page.html(app.openapi()))

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def root() -> Any:
        return HTMLResponse(page.html(app.openapi()))


async def refused(request: Request, error: Any) -> Response:
    """A refusal as one line of JSON."""
    return _one_line(request, error, {})


async def invalid(request: Request, error: Any) -> Response:
    """A parameter that is not valid: the first of them."""
    return _one_line(request, Refused(422, f"{uploads.told(error.errors()[0])}."), {})


async def unserved(request: Request, error: Any) -> Response:
    """A path or a method that is not there."""
    line = f"{error.detail}: {request.method[:10]} {request.url.path[:80]} is not served here."
    return _one_line(request, Refused(error.status_code, line), dict(error.headers or {}))


def _one_line(request: Request, error: Refused, headers: dict[str, str]) -> Response:
    body = error_body(error, request.state.request)
    return Response(body, error.status, {**headers, **extra(error)}, media_type="application/json")

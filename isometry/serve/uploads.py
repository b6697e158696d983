"""What a request carries: pictures, as the body itself or as the parts of a form, or vectors in JSON."""

from typing import Annotated, Any

import python_multipart  # noqa: F401  (forms are read by it: that it is missing is said at the start)
import torch
from fastapi import Request
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from starlette.formparsers import MultiPartException, MultiPartParser
from torch import Tensor

from isometry.data.pixels import one_line
from isometry.serve.limits import Limits, Refused

TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif", "application/octet-stream")
FORM, JSON = "multipart/form-data", "application/json"
FIELD = "picture"


class Vectors(BaseModel):
    """Embeddings to search with, as `/embed` gives them."""

    model_config = ConfigDict(
        extra="allow", allow_inf_nan=False
    )  # extras are refused below: all at once, not one by one
    vectors: Annotated[list[Annotated[list[float], FailFast()]], FailFast()] = Field(min_length=1)


def media_type(request: Request) -> str:
    """What the body is said to be, without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def pictures(request: Request, limits: Limits) -> list[bytes]:
    """The pictures of a request, undecoded. What type of picture a client says it is does not matter.

    Raises:
        Refused: for another type of body, a form that cannot be read, no picture, or more than are let through.
    """
    kind = media_type(request)
    if kind == FORM:
        found = await _parts(request, limits)
    elif kind in TYPES:
        found = [await request.body()]
    else:
        given = repr(kind[:60]) if kind else "none"
        raise Refused(
            415, f"Pictures come as a form ({FORM}, field {FIELD!r}) or as image/…; the type given is {given}."
        )
    return found


async def _parts(request: Request, limits: Limits) -> list[bytes]:
    parser = MultiPartParser(request.headers, request.stream(), max_files=limits.pictures, max_fields=0)
    parser.spool_max_size = limits.body  # nothing of a client's is written to disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, LookupError) as error:
        said = str(getattr(error, "message", "")) or one_line(error)
        said = f"at most {limits.pictures} pictures go into one" if said.startswith("Too many files") else said
        said = f"parts of it are pictures (field {FIELD!r}) and no text" if said.startswith("Too many fields") else said
        raise Refused(400, f"The form cannot be read: {said.rstrip('.')[:120]}.") from None
    found: list[bytes] = []
    for name, part in form.multi_items():
        if name != FIELD or isinstance(part, str):
            raise Refused(422, f"A picture's field is {FIELD!r}; got {name[:40]!r}.")
        found.append(await part.read())
    await form.close()
    if not found:
        raise Refused(422, f"The form holds no picture: its field is {FIELD!r}.")
    return found


async def vectors(request: Request, dim: int, limits: Limits) -> Float[Tensor, "q d"]:
    """The vectors of a request, which are as long as embeddings and finite.

    Raises:
        Refused: for anything else.
    """
    body = await request.body()
    if len(body) > 65_536 + 32 * dim * limits.vectors:  # what so many numbers can take
        raise Refused(413, f"{len(body):,} bytes are more than {limits.vectors} vectors of {dim} numbers.")
    try:
        given = Vectors.model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, f'Vectors come as {{"vectors": [[…], …]}}: {told(error.errors()[0])}.') from None
    if given.model_extra:
        raise Refused(
            422, f'Vectors come as {{"vectors": [[…], …]}} alone; got {next(iter(given.model_extra))[:40]!r}.'
        )
    rows = given.vectors
    if len(rows) > limits.vectors:
        raise Refused(413, f"At most {limits.vectors} vectors go into one request; got {len(rows)}.")
    if wrong := {len(row) for row in rows} - {dim}:
        raise Refused(422, f"A vector has {dim} numbers, as this model's embeddings have; got one of {wrong.pop()}.")
    z = torch.tensor(rows, dtype=torch.float64)
    if float(z.abs().max()) > 1e15:  # squares of which are still finite in float32
        raise Refused(422, "A number of a vector is above 1e15: embeddings are not so long.")
    return z.float()


def told(found: Any) -> str:
    """Where and what, of the first thing that pydantic found."""
    where = ".".join(str(part) for part in found["loc"])[:60]
    return f"{where and where + ': '}{one_line(ValueError(found['msg']))[:160]}"

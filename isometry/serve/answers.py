"""What the server says, field by field: these make the OpenAPI page."""

from typing import Any

from pydantic import BaseModel, Field


class Error(BaseModel):
    """Why a request was not served."""

    error: str = Field(description="One line.")
    request: str = Field(description="The request's id, as in the header X-Request-ID and in the server's log.")


class Embeddings(BaseModel):
    """Embeddings of pictures, in their order, not normalised."""

    embeddings: list[list[float]]
    dim: int


class Found(BaseModel):
    """A picture of the gallery."""

    id: int
    score: float = Field(description="Its similarity, larger is closer; a distance d is −d.")
    label: str = Field(description="Its class; empty where it is not known.")
    path: str | None = Field(
        default=None, description="What the gallery's own data call the file; with --show-paths alone."
    )


class Matches(BaseModel):
    """For each picture or vector the pictures of the gallery that are most similar, most similar first."""

    matches: list[list[Found]]
    generation: int = Field(description="Which state of the gallery was searched: it grows with each change.")


class Identity(BaseModel):
    """Who or what a picture shows."""

    label: str = Field(description='The class it is taken for, or "unknown".')
    known: bool
    nearest: str = Field(description="The class that is closest, also where it is not close enough.")
    score: float = Field(description="Similarity to the closest picture of that class; larger is closer.")
    threshold: float | None = Field(
        description="From which similarity on it is taken for that class; none where never."
    )
    p: float | None = Field(description="How often a picture of an unknown class scores as high.")
    matches: list[Found]


class Identities(BaseModel):
    """Identities of pictures, in their order."""

    identities: list[Identity]
    promise: str = Field(description="What the calibration guarantees; empty where the gallery has changed since.")
    beware: str = Field(description="How the gallery has changed since it was calibrated; empty where it has not.")
    generation: int


class Item(BaseModel):
    """A picture of the gallery."""

    id: int
    label: str
    part: str = Field(description="train, validation, test or empty.")
    path: str | None = None


class Added(BaseModel):
    """Ids of the pictures that were added, in their order."""

    ids: list[int]
    generation: int


class Deleted(BaseModel):
    """How many were deleted."""

    deleted: int
    generation: int


class Health(BaseModel):
    """Whether the server runs, and whether it can answer."""

    live: bool
    ready: bool


class Threshold(BaseModel):
    """From which similarity on two pictures are taken for the same, at a stated rate of false matches."""

    rate: float
    score: float


class About(BaseModel):
    """What is served."""

    name: str
    digest: str = Field(description="SHA-256 of the bundle's manifest.")
    version: str
    dim: int
    similarity: str
    thresholds: list[Threshold] = Field(description="Of pairs, from the bundle.")
    calibrated: bool = Field(description="Whether /match can answer: there are thresholds for this gallery.")
    items: int
    generation: int
    kind: str = Field(description="How the gallery is searched.")
    measured: Any = Field(None, description="Recall, latency and memory, as measured when it was built.")
    limits: dict[str, float]

"""What a server lets a client ask for, and how it says no."""

import dataclasses
from dataclasses import dataclass

MEGABYTE = 1_000_000


class Refused(ValueError):
    """Why a request is not served: one line for the client, and the HTTP status that goes with it.

    Attributes: status; retry: seconds after which it is worth trying again, 0 where it is not.

    >>> str(Refused(413, "The picture is too large.")), Refused(503, "Busy.", retry=1).retry
    ('The picture is too large.', 1)
    """

    def __init__(self, status: int, line: str, *, retry: int = 0) -> None:
        super().__init__(" ".join(line.split()))
        self.status, self.retry = status, retry


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may cost. What goes beyond is refused before it costs anything.

    Attributes:
        body: bytes of a request, also where it does not say its length.
        pixels: of one picture, as its header states them, before anything is decoded.
        ratio: longer over shorter side of a picture: one that is 30,000 pixels wide and 1 high becomes gigabytes when its
            shorter side is brought to 256.
        pictures: in one request.
        vectors: in one search.
        k: matches asked for.
        requests: being worked on at once; more are told to come back (503).
        batch: pictures that the model sees at once.
        gather: seconds that the model waits for a batch to fill.
        reading: seconds until a request has arrived whole.
        answering: seconds until it is answered.

    Raises:
        ValueError: for a limit that lets nothing through.
    """

    body: int = 16 * MEGABYTE
    pixels: int = 25 * MEGABYTE
    ratio: float = 50.0
    pictures: int = 16
    vectors: int = 256
    k: int = 100
    requests: int = 64
    batch: int = 16
    gather: float = 0.003
    reading: float = 10.0
    answering: float = 30.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name == "gather" else 1
            if not value >= least:
                raise ValueError(f"The limit {field.name} is {least} or more; got {value}.")

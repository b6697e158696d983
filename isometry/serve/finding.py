"""What is asked of a gallery together: searches, and names by its calibration."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import openset
from isometry.index import Index, Match
from isometry.openset import Calibration, Identity, Standing
from isometry.serve.limits import Refused

TRIES = 8


class Asked(NamedTuple):
    """Embeddings, how many pictures are wanted for each, whether all are to be looked at, and whether a name is wanted."""

    z: Float[Tensor, "q d"]
    k: int
    exact: bool = False
    name: bool = False

    @property
    def kind(self) -> tuple[int, bool, bool]:
        """What goes together: an approximate search for more finds others than one for fewer."""
        return self.k, self.exact, self.name


class Finding:
    """Answers requests of one kind at once. For one thread."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._held: tuple[int, Calibration | None, Standing] | None = None

    def answers(self, asked: list[Asked]) -> list[Any]:
        """For each request a list: for each embedding its matches, or its identity.

        Raises:
            Refused: where names are wanted and cannot be had, or the gallery changes too fast.
        """
        z, (k, exact, name) = torch.cat([one.z for one in asked]), asked[0].kind
        rows: Iterator[Any] = iter(self._steadily(lambda: self.named(z, k) if name else self.matches(z, k, exact)))
        return [[next(rows) for _ in range(len(one.z))] for one in asked]

    def matches(self, z: Float[Tensor, "q d"], k: int, exact: bool) -> list[list[Match]]:
        """The k most similar pictures to each."""
        return self.index.matches(*self.index.search_vectors(z, min(k, max(len(self.index), 1)), exact=exact))

    def named(self, z: Float[Tensor, "q d"], k: int) -> list[Identity]:
        """Who each shows, or "unknown".

        Raises:
            Refused: 409 without a calibration of the gallery as it is.
        """
        calibration, standing = self.calibration()
        if calibration is None:
            raise Refused(409, "This gallery has no thresholds yet: isometry calibrate GALLERY DATA finds them.")
        if standing.refused:
            raise Refused(
                409, f"The calibration is of another gallery ({standing.message}): isometry calibrate GALLERY --again."
            )
        return openset.match_vectors(self.index, z, calibration=calibration, k=k)

    def calibration(self) -> tuple[Calibration | None, Standing]:
        """The gallery's calibration, and what it is worth: looked at anew when the gallery has changed."""
        now = self.index.generation
        if self._held is None or self._held[0] != now:
            found = None if self.index.calibration is None else openset.kept(self.index)
            self._held = now, found, Standing() if found is None else openset.standing(self.index, found)
        return self._held[1:]

    def _steadily(self, look: Callable[[], Any]) -> Any:
        """Looks again where a picture was deleted between being found and being looked up."""
        for _ in range(TRIES):
            try:
                return look()
            except KeyError:
                continue
        raise Refused(503, "The gallery is changing too fast: try again in a second.", retry=1)

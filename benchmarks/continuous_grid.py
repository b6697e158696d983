"""The factors of the study of continuous labels, and the names of its methods."""

import re
from typing import NamedTuple

LOSSES = ("log-ratio", "ratio", "Huber log-ratio", "binary triplets", "dense triplets", "contrastive", "nDCG surrogate")
ALONE = ("log-ratio of one anchor", "binary triplets of one anchor", "dense triplets of one anchor")
"""The published form: one anchor a batch, whose triplets alone count. Beside the grid, not in it."""
MINED = (0, 1, 5, 20, 50)
"""Label-space neighbours of every anchor in a batch, which holds as many anchors as fit; with 0 all is drawn at random."""
DIMS = (2, 4, 8, 16, 32, 64, 128, 512)
LENGTHS = ("free", "unit")
"""Whether embeddings are brought to length 1."""
BATCH = 128


class Method(NamedTuple):
    """A cell of the grid."""

    loss: str
    mined: int
    dim: int
    length: str

    @property
    def name(self) -> str:
        """As in recipes and findings.

        >>> Method("log-ratio", 5, 64, "free").name
        'log-ratio, k = 5, d = 64, free'
        """
        return f"{self.loss}, k = {self.mined}, d = {self.dim}, {self.length}"


CENTRE = Method("log-ratio", 5, 64, "free")


def grid() -> list[Method]:
    """All cells: 7 losses, 5 ways of mining, 8 dimensions, with and without normalisation."""
    return [Method(*m) for m in ((a, k, d, n) for a in LOSSES for k in MINED for d in DIMS for n in LENGTHS)]


def staged() -> list[Method]:
    """One factor at a time around the centre, and the crossings that the questions ask about.

    Every loss with every way of mining, and with embeddings of length 1; log-ratio and binary triplets in every dimension, with
    and without normalisation.
    """
    mined = [Method(loss, k, CENTRE.dim, CENTRE.length) for loss in LOSSES for k in MINED]
    unit = [CENTRE._replace(loss=loss, length="unit") for loss in LOSSES]
    several = ("log-ratio", "binary triplets")
    sized = [Method(loss, CENTRE.mined, d, n) for loss in several for d in DIMS for n in LENGTHS]
    alone = [Method(loss, k, CENTRE.dim, CENTRE.length) for loss in ALONE for k in (0, CENTRE.mined)]
    return list(dict.fromkeys([CENTRE, *mined, *unit, *sized, *alone]))


def compared() -> list[tuple[str, Method, Method]]:
    """What the questions compare: a question's letter, a method, and its twin, from which it differs in one thing."""
    c = CENTRE
    pairs = [("a", c._replace(length=n), c._replace(loss=other, length=n))
             for n in LENGTHS for other in ("ratio", "Huber log-ratio")]  # fmt: skip
    pairs += [
        ("b", c._replace(loss=loss, mined=k), c._replace(loss=loss, mined=0)) for loss in LOSSES for k in MINED[1:]
    ]
    pairs += [("b", c._replace(mined=0), c._replace(loss="binary triplets", mined=0))]
    pairs += [("c", c._replace(loss=loss, dim=d, length="unit"), c._replace(loss=loss, dim=d))
              for loss in ("log-ratio", "binary triplets") for d in DIMS]  # fmt: skip
    pairs += [("c", c._replace(dim=d), c) for d in DIMS if d != c.dim]
    pairs += [("d", c._replace(length=n), c._replace(loss=other, length=n))
              for n in LENGTHS for other in LOSSES[3:]]  # fmt: skip
    one, *others = (c._replace(loss=loss) for loss in ALONE)
    pairs += [("e", each, each._replace(mined=0)) for each in (one, *others)]
    pairs += [("e", one, other) for other in others] + [("e", c, one)]
    return pairs


def decoded(name: str) -> Method | None:
    """The cell of this name; None where it is none.

    >>> decoded("ratio, k = 0, d = 2, unit")
    Method(loss='ratio', mined=0, dim=2, length='unit')
    """
    found = re.fullmatch(r"(.+), k = (\d+), d = (\d+), (free|unit)", name)
    if found is None or found[1] not in LOSSES + ALONE:
        return None
    return Method(found[1], int(found[2]), int(found[3]), found[4])

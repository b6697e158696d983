"""Open-set identification as a protocol: probes of known and unknown classes against a gallery, at any threshold.

Definitions: Phillips, Grother and Micheals, "Evaluation methods in face recognition" (Handbook of Face Recognition,
2011); ISO/IEC 19795-1:2021.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry.ops.identification import Identified, detected, identify, passed
from isometry.protocols.retrieval import geometry
from isometry.protocols.sides import sides
from isometry.similarities import cosine


@dataclass(frozen=True)
class OpenSet:
    """What thresholds on similarity are worth for naming probes, or refusing them.

    Attributes:
        probes: where each probe's own identity stands.
    """

    probes: Identified

    def dir(self, *, far: float, k: int = 1) -> float:
        """Detection and identification rate: known probes named right among the first k, at a threshold that at most
        `far` of the unknown ones reach. `far=1` is closed-set identification at rank k.

        Raises:
            ValueError: where `far` is below one of the unknown probes.
        """
        named = self.probes.found(k) * detected(self.probes, far)
        return float(named[self.probes.enrolled].mean())

    def threshold(self, *, far: float) -> float:
        """The lowest similarity of a known probe to its own identity that this accepts; +inf where it accepts none.

        A probe is named after its closest identity from there on, and refused below.
        """
        accepted = self.probes.mate[detected(self.probes, far)]
        return float(accepted.min()) if len(accepted) else math.inf

    def at(self, threshold: float, *, k: int = 1) -> tuple[float, float]:
        """FPIR and FNIR of a given threshold: the share of unknown probes that some gallery item is as close to; and of
        known ones whose own identity is not, or not among the first k. FPIR is NaN where no probe is unknown.
        """
        fpir, fnir = self._rates(torch.tensor([threshold]), k)
        return float(fpir), float(fnir)

    def curve(self, *, k: int = 1) -> tuple[Float[Tensor, " t"], Float[Tensor, " t"], Float[Tensor, " t"]]:
        """Thresholds, falling, with FPIR and FNIR: one wherever FNIR may change."""
        thresholds = self.probes.mate[self.probes.enrolled].unique().flip(0)
        return thresholds, *self._rates(thresholds, k)

    def _rates(self, thresholds: Tensor, k: int) -> tuple[Tensor, Tensor]:
        known, unknown = self.probes.enrolled, self.probes.unknown()
        named = self.probes.found(k)[known]
        mate, order = self.probes.mate[known].sort(descending=True)
        total = torch.nn.functional.pad(named[order].cumsum(0), (1, 0))
        return passed(unknown, thresholds).double() / len(unknown), 1 - total[passed(mate, thresholds)] / len(named)


@torch.no_grad()
def open_set(
    z: Any,
    y: Any,
    *,
    against: tuple[Any, ...] | None = None,
    ids: Any = None,
    similarity: Any = cosine,
    memory: str | int = "512 MB",
) -> OpenSet:
    """Identifies every probe among the classes of a gallery; those whose class it does not hold are the unknown ones.

    Args:
        z, y: embeddings `[n d]` and classes `[n]` of the probes; −1 is unknown.
        against: the gallery, `(g, y_g)` or `(g, y_g, ids_g)`; items of label −1 are identities of their own. Without it
            every item is a probe against all others, and classes of one item are unknown.
        ids: names the probes, so that a gallery item of the same id is left out.
        similarity: of the catalogue, its text, or any `(z, r) -> [n m]`.
        memory: working memory beside the embeddings.

    >>> g, y_g = torch.eye(2), torch.tensor([0, 1])
    >>> found = open_set(torch.tensor([[1.0, 0.1], [1.0, 0.9], [1.0, 0.5]]), torch.tensor([0, 1, 2]), against=(g, y_g))
    >>> found.dir(far=1.0), found.dir(far=1.0, k=2), found.at(0.99)
    (0.5, 1.0, (0.0, 0.5))

    Raises:
        ValueError: as `isometry.evaluate`, and where labels are no classes.
    """
    probes, gallery = sides(z, y, ids, against)
    if probes.y.ndim != 1 or probes.y.is_floating_point():
        raise ValueError(f"Identities are classes [n], integers; got labels of shape {list(probes.y.shape)}.")
    embed, compare = geometry(similarity)
    n, m, device = len(probes.z), len(gallery.z), probes.z.device
    ids_q, ids_g = probes.ids, gallery.ids
    if ids_q is None or ids_g is None:
        ids_q, ids_g = torch.arange(n + m, device=device).split([n, m])
    found = identify(
        embed(probes.z.float()), probes.y, ids_q, embed(gallery.z.float()), gallery.y, ids_g, compare=compare,
        memory=memory,
    )  # fmt: skip
    return OpenSet(found)

"""What a batch is compared against. Every reference works with every loss."""

from .batch import batch
from .batch_and_proxies import BatchAndProxies
from .centre_invariant import CentreInvariant
from .detached import detached
from .fixed import Fixed
from .memory import Memory
from .metrix import Metrix
from .mixed import Mixed
from .proxies import Proxies
from .regular_face import RegularFace
from .signatures import Signatures
from .simplex import Simplex
from .sparse_centres import SparseCentres

__all__ = ["BatchAndProxies", "CentreInvariant", "Fixed", "Memory", "Metrix", "Mixed", "Proxies", "RegularFace", "Signatures",
           "Simplex", "SparseCentres", "batch", "detached"]  # fmt: skip

"""The batch, held still."""

from isometry.ops.stop import stop
from isometry.samples import Samples


def detached(samples: Samples) -> Samples:
    """Compares the batch with itself as `batch` does, but only queries move: references carry no gradient.

    Official codes of several papers do so without saying it (ranked list loss, invariant and spreading feature).
    """
    return samples._replace(z=stop(samples.z))


detached.uses_batch = True

"""The batch itself."""

from isometry.samples import Samples


def batch(samples: Samples) -> Samples:
    """Compares the batch with itself, over all ranks; an item is never compared with itself (by id)."""
    return samples


batch.uses_batch = True

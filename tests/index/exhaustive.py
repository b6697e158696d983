"""Small galleries, and all comparisons beside them."""

import torch

from isometry import index
from isometry.expression import parse
from isometry.index.given import vectors
from tests.index.conftest import bundle


def held(tmp_path, z, similarity="cosine", **how):
    """A gallery of ready vectors."""
    index.build(bundle(tmp_path / "m.isom", similarity), vectors(z), tmp_path / "g", **how)
    return index.read(tmp_path / "g")


def brute(z, found, similarity="cosine"):
    """Similarities of queries to vectors by id, in float64."""
    ids = torch.tensor(list(found), dtype=torch.int64)
    return parse(similarity)(z.double(), torch.stack(list(found.values())).double()), ids


def agrees(gallery, z, found, k, similarity="cosine"):
    """Whether a search gives the k best of `found`, and nothing else."""
    scores, ids = gallery.search_vectors(z, k)
    sim, names = brute(z, found, similarity)
    most = min(k, len(found))
    best = sim.topk(most, dim=1).values
    torch.testing.assert_close(scores[:, :most].double(), best, atol=1e-5, rtol=1e-5)
    assert (ids[:, most:] == -1).all()
    assert (scores[:, most:] == -torch.inf).all()
    for row, one in zip(sim, ids[:, :most], strict=True):
        at = torch.tensor([int((names == i).nonzero()) for i in one.tolist()], dtype=torch.int64)
        assert len(set(at.tolist())) == most
        torch.testing.assert_close(row[at], row.topk(most).values, atol=1e-5, rtol=1e-5)

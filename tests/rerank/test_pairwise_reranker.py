"""A model that knows better re-orders the first candidates, and nothing else."""

import pytest
import torch

from isometry.ops.neighbours import nearest
from isometry.rerank import PairwiseReranker
from tests.rerank.spaces import arcs


def by_hidden_code(hidden):
    """Scores by a code that embeddings do not show."""
    return lambda q, g: -(hidden[q] - hidden[g]).abs().float()


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_first_candidates_in_the_order_of_the_model_and_the_rest_as_they_were(batch):
    z = arcs(classes=3, each=10)[0]
    hidden, ids = torch.randperm(30), torch.arange(30)
    better = PairwiseReranker(model=by_hidden_code(hidden), top=6, batch=batch, items_q=ids, items_g=ids)
    sim, index = better.neighbours(z, z, 29, ids_q=ids, ids_g=ids)
    plain = nearest(z, z, 29, ids_q=ids, ids_g=ids)[1]
    for i in ids:
        first = sorted(plain[i, :6].tolist(), key=lambda j: (hidden[i] - hidden[j]).abs())
        gaps = [int((hidden[i] - hidden[j]).abs()) for j in index[i, :6]]
        assert gaps == [int((hidden[i] - hidden[j]).abs()) for j in first]
        assert torch.equal(sim[i, :6], -torch.tensor(gaps).float())
    assert torch.equal(index[:, 6:], plain[:, 6:])
    assert bool((sim.diff(dim=1) <= 0).all())


def test_looks_deeper_than_what_is_asked_for():
    z = arcs(classes=2, each=10)[0]
    found = PairwiseReranker(model=lambda q, g: -(q * g).sum(1), top=20).neighbours(z, z, 1)[1]
    assert torch.equal(found, (z @ z.T).argmin(1, keepdim=True))


def test_a_module_and_items_in_a_list():
    z = arcs(classes=2, each=5)[0]
    pictures = [torch.full((3, 4, 4), float(i)) for i in range(10)]

    class Siamese(torch.nn.Module):
        def forward(self, q, g):
            assert q.shape[1:] == g.shape[1:] == (3, 4, 4)
            return -(q - g).abs().mean((1, 2, 3))

    found = PairwiseReranker(model=Siamese(), items_q=pictures, items_g=pictures).neighbours(z, z, 2)[1]
    assert torch.equal(found[:, 0], torch.arange(10))


def test_refuses_a_model_that_does_not_score_each_pair():
    z = arcs(classes=2, each=5)[0]
    with pytest.raises(ValueError, match="one finite number"):
        PairwiseReranker(model=lambda q, g: q @ g.T).neighbours(z, z, 2)
    with pytest.raises(ValueError, match="NaN"):
        PairwiseReranker(model=lambda q, g: (q * g).sum(1) * torch.nan).neighbours(z, z, 2)
    with pytest.raises(ValueError, match="both are 1 or more"):
        PairwiseReranker(model=torch.nn.Identity(), top=0)

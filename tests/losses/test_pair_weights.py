"""General pair weighting and the variance of pairs: numbers by hand, and what the paper claims."""

import pytest
import torch
import torch.nn.functional as F

import isometry
from tests.contract.catalogue import CLASSES, DIM, batch, value_and_gradient


def build(text):
    torch.manual_seed(0)
    return isometry.parse(text, num_classes=CLASSES, dim=DIM).double()


def at_cosines(*cosines):
    """A query at (1, 0), and unit vectors at these cosines to it."""
    s = torch.tensor(cosines, dtype=torch.float64)
    return torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.stack([s, (1 - s**2).sqrt()], 1)


def relation(pos):
    pos = torch.tensor(pos)
    return isometry.Relation(pos=lambda: pos, neg=lambda: ~pos)


def gradient(x):
    assert x.grad is not None
    return x.grad


def of_one_query(text, cosines, labels, known=0):
    z, r = at_cosines(*cosines)
    return build(text)(z, torch.tensor([known]), against=(r, torch.tensor(labels))).item()


@pytest.mark.parametrize("miner", ["all_pairs", "MultiSimilarityMiner()"])
def test_weights_alone_state_multi_similarity(miner):
    loss, (z, y, ids) = build(f"MultiSimilarity(miner={miner})"), batch("MultiSimilarity()")
    by_weights = build(f"GeneralPairWeighting(miner={miner})")
    ours = value_and_gradient(by_weights, z, y, ids=ids)
    torch.testing.assert_close(ours[1], value_and_gradient(loss, z, y, ids=ids)[1])


def test_weights_alone_state_generalized_lifted_structure():
    z, y, ids = batch("GeneralizedLiftedStructure()")
    lifted = build("GeneralizedLiftedStructure(margin=9.0, similarity=cosine)")  # wide enough for every row to cost
    by_weights = build("GeneralPairWeighting(weigh=LiftedWeights())")
    y = torch.arange(len(y)) % 3  # every row has both
    expected = value_and_gradient(lifted, z, y, ids=ids)[1]
    torch.testing.assert_close(value_and_gradient(by_weights, z, y, ids=ids)[1], expected)


def test_weights_alone_state_binomial_deviance():
    sim = torch.tensor([[0.7, 0.2, 0.6, -0.1, 0.4]], dtype=torch.float64, requires_grad=True)
    pos = torch.tensor([True, True, False, False, False])
    pull, push = F.softplus(-2 * (sim[0, pos] - 0.5)).mean(), F.softplus(40 * (sim[0, ~pos] - 0.5)).mean()
    expected = torch.autograd.grad(pull + push, sim)[0]
    loss = build("GeneralPairWeighting(weigh=BinomialDevianceWeights())")
    loss.objective(sim, relation([pos.tolist()]).replace(known=lambda: torch.tensor([True])))["pairs"].total.backward()
    torch.testing.assert_close(sim.grad, expected)


def test_intra_pair_variance_of_equal_pairs_is_nothing():
    z = torch.eye(3, dtype=torch.float64).repeat(2, 1)
    assert build("IntraPairVariance()")(z, torch.tensor([0, 1, 2, 0, 1, 2])) == 0


def test_intra_pair_variance_of_two_positives():
    value = of_one_query("IntraPairVariance()", [0.9, 0.5, 0.3, -0.1], [0, 0, 1, 1])
    assert value == pytest.approx(((0.99 * 0.7 - 0.5) ** 2 + (0.3 - 1.01 * 0.1) ** 2) / 2)

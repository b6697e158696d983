"""Weights that are monotone splines: what holds for all of them, and the known weightings among them."""

import pytest
import torch

import isometry
from isometry.losses import BinomialDevianceWeights, LiftedWeights, MultiSimilarityWeights, SplineWeights
from tests.contract.catalogue import batch, value_and_gradient

POSITIVES = 4
SHAPES = (
    SplineWeights(),
    SplineWeights(pull_low=0.0, pull_mid=9.0, pull_high=1.0, push_low=3.0, push_mid=0.0, push_high=70.0),
    SplineWeights(pull_high=200.0, push_high=200.0, relative=1.0, balance=0.9),
    SplineWeights(push_low=5.0, relative=1e-3, balance=0.1),
)
each = pytest.mark.parametrize("weigh", SHAPES, ids=repr)


def rows(n=40, m=30, seed=0):
    """Cosines of rows with four positives, and their relation."""
    g = torch.Generator().manual_seed(seed)
    pos = torch.arange(m).expand(n, m) < POSITIVES
    return torch.rand(n, m, generator=g, dtype=torch.float64) * 2 - 1, between(pos)


def between(pos):
    return isometry.Relation(pos=lambda: pos, neg=lambda: ~pos)


def sweep(weigh, column):
    """The weight of one pair as its own cosine goes from −1 to 1, all others of the row held."""
    sim, rel = rows(n=1)
    line = torch.linspace(-1, 1, 201, dtype=torch.float64)
    sim = sim.repeat(len(line), 1).index_copy(1, torch.tensor([column]), line[:, None])
    pos = rel.pos.expand(len(line), -1)
    return line, weigh(sim, between(pos))[int(column >= POSITIVES)][:, column]


@each
def test_a_closer_positive_never_weighs_more(weigh):
    assert sweep(weigh, column=0)[1].diff().max() <= 1e-15


@each
def test_a_closer_negative_never_weighs_less(weigh):
    assert sweep(weigh, column=POSITIVES)[1].diff().min() >= -1e-15


@each
def test_a_harder_neighbour_in_the_row_never_adds_to_a_weight(weigh):
    sim, rel = rows()
    harder = sim.clone()
    harder[:, 0], harder[:, POSITIVES] = -1, 1
    for before, after in zip(weigh(sim, rel), weigh(harder, rel), strict=True):
        assert (after - before)[:, torch.arange(sim.shape[1]) % POSITIVES != 0].max() <= 1e-15


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_finite_not_negative_and_below_their_bound(weigh, dtype):
    sim, rel = rows()
    sim = torch.cat([sim, torch.ones_like(sim), -torch.ones_like(sim)]).to(dtype)
    rel = between(rel.pos.repeat(3, 1))
    for weights, part in zip(weigh(sim, rel), (weigh.balance, 1 - weigh.balance), strict=True):
        assert weights.min() >= 0
        assert weights.max() <= part / weigh.relative * 1.0001


@each
def test_gradient_over_similarities_is_the_weights(weigh):
    sim, rel = rows(n=1)
    sim.requires_grad_()
    known = rel.replace(known=lambda: torch.tensor([True]))
    isometry.losses.GeneralPairWeighting(weigh=weigh).objective(sim, known)["pairs"].total.backward()
    pull, push = weigh(sim.detach(), rel)
    torch.testing.assert_close(sim.grad, torch.where(rel.pos, -pull, push))


def test_default_is_exactly_multi_similarity():
    for ours, known in zip(SplineWeights()(*rows()), MultiSimilarityWeights()(*rows()), strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-12, atol=0)


def test_default_moves_embeddings_as_multi_similarity_does():
    z, y, ids = batch("MultiSimilarity()")
    texts = ("GeneralPairWeighting(weigh=SplineWeights())", "MultiSimilarity(miner=all_pairs)")
    ours, known = (value_and_gradient(isometry.parse(text).double(), z, y, ids=ids)[1] for text in texts)
    torch.testing.assert_close(ours, known)


def test_equal_slopes_and_shares_alone_are_lifted_structure():
    slopes = dict.fromkeys(("pull_low", "pull_mid", "pull_high", "push_low", "push_mid", "push_high"), 1.0)
    for ours, known in zip(SplineWeights(**slopes, relative=1.0)(*rows()), LiftedWeights()(*rows()), strict=True):
        torch.testing.assert_close(2 * ours, known)


def test_a_threshold_is_the_contrastive_loss_of_each_row():
    sim, rel = rows()
    sim = torch.where((sim - 0.5).abs() < 0.01, 0.6, sim)  # off the step
    weigh = SplineWeights(pull_low=0.0, pull_mid=0.0, pull_high=0.0, push_mid=4000.0, push_high=0.0, relative=0.999)
    pull, push = weigh(sim, rel)
    costly = ((sim > 0.5) & rel.neg).double()
    torch.testing.assert_close(2 * pull, rel.pos.double() / POSITIVES, rtol=1e-2, atol=0)
    torch.testing.assert_close(2 * push, costly / costly.sum(1, keepdim=True).clamp_min(1), rtol=1e-2, atol=1e-9)


def test_absolute_weights_come_near_binomial_deviance():
    """Of the largest weight: 6 % at most for the pull; 2 % on average for the push, whose rounded knee is a corner here."""
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)[:, None]
    slopes = {"pull_low": 0.264, "pull_mid": 0.760, "pull_high": 1.240, "push_high": 0.0}
    weigh = SplineWeights(**slopes, relative=1e-9)
    for kind, most, usual in ((0, 0.06, 0.03), (1, 0.51, 0.02)):
        rel = between(torch.full((401, 1), kind == 0))
        ours, known = (w(line, rel)[kind] for w in (weigh, BinomialDevianceWeights()))
        apart = (ours / ours.max() - known / known.max()).abs()
        assert apart.max() < most
        assert apart.mean() < usual


@pytest.mark.parametrize("wrong", [{"push_mid": -1.0}, {"pull_low": float("nan")}, {"relative": 0.0}, {"balance": 1.5}])
def test_what_would_turn_a_force_around_is_refused(wrong):
    with pytest.raises(ValueError, match="SplineWeights"):
        SplineWeights(**wrong)

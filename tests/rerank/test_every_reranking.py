"""What holds for every re-ranking."""

import warnings

import pytest
import torch

import isometry
from isometry import rerank
from isometry.ops.neighbours import nearest
from isometry.rerank.reranking import followed_by
from tests.rerank.spaces import arcs, average_precision

TEXTS = [
    "KReciprocal(k1=8, k2=3)", "AlphaQE(k=4)", "AverageQE()", "DatabaseAugmentation(k=4)", "Diffusion(k=8, k_query=3)",
    "Diffusion(k=8, k_query=3, truncate=25)", "NF(k=8, steps=5, keep=30)", "TPF(sizes=(8, 8), k=8, steps=5, keep=30)",
    "RED(sizes=(8, 8), k=8, steps=5, keep=30)", "UnifiedEnsembleDiffusion(sizes=(4, 4, 8), k=8, steps=3, keep=30)",
    "Then(steps=(DatabaseAugmentation(k=4), AlphaQE(k=4), KReciprocal(k1=8, k2=3)))", "Then()",
]  # fmt: skip
ONE_BY_ONE = [text for text in TEXTS if isometry.parse(text).queries_independent]
EVERY = pytest.mark.parametrize("text", TEXTS)


def space(seed=0):
    z, y = arcs(classes=5, each=14, seed=seed)
    return z[::4], z, torch.arange(len(z))[::4], torch.arange(len(z)), y


def test_all_are_here():
    named = {name for name in rerank.__all__ if any(name + "(" in text for text in TEXTS)}
    assert named == set(rerank.__all__) - {"PairwiseReranker"}


@EVERY
def test_text_and_back(text):
    assert repr(isometry.parse(text)) == text


@EVERY
def test_lists_hold_everything_once_and_fall(text):
    q, g, ids_q, ids_g, _ = space()
    sim, index = isometry.parse(text).neighbours(q, g, len(g) + 3, ids_q=ids_q, ids_g=ids_g)
    assert sim.dtype == torch.float32
    assert index.dtype == torch.int64
    for i, found in enumerate(index):
        assert sorted(found[: len(g) - 1].tolist()) == sorted(set(range(len(g))) - {int(ids_q[i])})
    assert bool((index[:, len(g) - 1 :] == -1).all())
    assert bool((sim[:, len(g) - 1 :] == -torch.inf).all())
    assert bool((sim[:, : len(g) - 1].diff(dim=1) <= 0).all())


@EVERY
def test_shorter_lists_are_the_beginning_of_longer_ones(text):
    q, g, ids_q, ids_g, _ = space()
    method = isometry.parse(text)
    whole = method.neighbours(q, g, len(g), ids_q=ids_q, ids_g=ids_g)
    for k in (1, 7):
        some = method.neighbours(q, g, k, ids_q=ids_q, ids_g=ids_g)
        assert torch.equal(some[1], whole[1][:, :k])
        torch.testing.assert_close(some[0], whole[0][:, :k])


@EVERY
def test_order_of_gallery_and_queries_does_not_matter(text):
    q, g, ids_q, ids_g, _ = space()
    method = isometry.parse(text)
    index = method.neighbours(q, g, 9, ids_q=ids_q, ids_g=ids_g)[1]
    order, turned = torch.randperm(len(g)), torch.randperm(len(q))
    moved = method.neighbours(q[turned], g[order], 9, ids_q=ids_q[turned], ids_g=ids_g[order])[1]
    assert (order[moved] == index[turned]).float().mean() > 0.99  # sums in another order: a near tie may turn


@pytest.mark.parametrize("text", ONE_BY_ONE)
def test_independent_queries_are_independent(text):
    q, g, ids_q, ids_g, _ = space()
    method = isometry.parse(text)
    every = method.neighbours(q, g, 9, ids_q=ids_q, ids_g=ids_g)[1]
    alone = torch.cat(
        [method.neighbours(q[i : i + 1], g, 9, ids_q=ids_q[i : i + 1], ids_g=ids_g)[1] for i in range(len(q))]
    )
    assert torch.equal(alone, every)


@EVERY
@pytest.mark.parametrize("n", [1, 2])
def test_tiny_galleries(text, n):
    z = arcs(classes=1, each=3)[0]
    sim, index = isometry.parse(text).neighbours(z[:1], z[3 - n :], 4)
    assert sorted(index[0, :n].tolist()) == list(range(n))
    assert bool((index[0, n:] == -1).all())
    assert bool(sim[0, :n].isfinite().all())


@EVERY
def test_empty_sides(text):
    z = arcs(classes=1, each=3)[0]
    sim, index = isometry.parse(text).neighbours(z, z[:0], 2)
    assert bool((index == -1).all())
    assert index.shape == sim.shape == (3, 2)
    assert isometry.parse(text).neighbours(z[:0], z, 2)[1].shape == (0, 2)


@EVERY
def test_only_the_query_itself(text):
    z, ids = arcs(classes=1, each=1)[0], torch.tensor([5])
    index = isometry.parse(text).neighbours(z, z, 2, ids_q=ids, ids_g=ids)[1]
    assert index.tolist() == [[-1, -1]]


@EVERY
def test_vectors_that_coincide(text):
    z, ids = torch.nn.functional.normalize(torch.ones(40, 16), dim=1), torch.arange(40)
    sim, index = isometry.parse(text).neighbours(z, z, 39, ids_q=ids, ids_g=ids)
    assert bool(sim.isfinite().all())
    for i, found in enumerate(index):
        assert sorted(found.tolist()) == sorted(set(range(40)) - {i})


@EVERY
def test_a_collapsed_model_scores_about_chance(text):
    y = torch.arange(240) % 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ties
        found = isometry.evaluate(torch.ones(240, 16), y, "Recall(k=1)", samples=0, rerank=text)
    assert abs(float(found["Recall(k=1)"]) - 39 / 239) < 0.1


@EVERY
def test_is_better_than_plain_search_on_arcs(text):
    if text == "Then()":
        return
    z, y = arcs(classes=8, each=20)
    ids = torch.arange(len(z))
    plain = nearest(z, z, 159, ids_q=ids, ids_g=ids)[1]
    found = isometry.parse(text).neighbours(z, z, 159, ids_q=ids, ids_g=ids)[1]
    assert average_precision(found, y, y) > average_precision(plain, y, y) + 0.01


def test_gaps_are_filled_below():
    first = (torch.tensor([[0.5, 0.2, -torch.inf, -torch.inf]]), torch.tensor([[3, 1, -1, -1]]))
    then = (torch.tensor([[0.9, 0.8, 0.7, 0.3]]), torch.tensor([[1, 0, 3, 2]]))
    sim, index = followed_by(first, then)
    assert index.tolist() == [[3, 1, 0, 2]]
    torch.testing.assert_close(sim, torch.tensor([[0.5, 0.2, 0.2, -0.3]]))

"""k-reciprocal re-ranking equals the published definition, written out densely in float64."""

import numpy as np
import pytest
import torch

from isometry.ops.ranking import inner, minus_distance
from isometry.ops.reciprocal import reciprocal_sets
from isometry.rerank import KReciprocal
from tests.rerank.oracles import k_reciprocal, order, reciprocal, squared
from tests.rerank.spaces import arcs


def own(q, g):
    return -(q[..., :, None, :] - g[..., None, :, :]).norm(dim=-1)


COMPARE = {"inner": inner, "minus_distance": minus_distance, "of one's own": own}


def clusters(n=110, similarity="inner", seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 8, generator=g)[torch.randint(12, (n,), generator=g)] + 0.6 * torch.randn(n, 8, generator=g)
    return torch.nn.functional.normalize(x, dim=1) if similarity == "inner" else x


@pytest.mark.parametrize("similarity", COMPARE)
@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (5, 2, 0.3), (7, 1, 0.5), (4, 3, 0.05), (100, 90, 0.3)])
def test_equals_the_published_definition(similarity, k1, k2, weight):
    x, m = clusters(70, similarity), 50
    final = k_reciprocal(x, k1, k2, weight)[0][m:, :m]
    for k in (1, 10, m):
        found = KReciprocal(k1=k1, k2=k2, weight=weight).neighbours(x[m:], x[:m], k, similarity=COMPARE[similarity])
        expected = np.sort(final, axis=1)[:, :k]
        np.testing.assert_allclose(-found[0].numpy(), expected, atol=1e-6)
        np.testing.assert_allclose(np.take_along_axis(final, found[1].numpy(), 1), expected, atol=1e-6)


def test_equals_it_where_every_item_searches_all_others():
    x = clusters()
    final = k_reciprocal(x, 20, 6, 0.3)[0]
    np.fill_diagonal(final, np.inf)
    ids = torch.arange(len(x)) * 7 + 2**40
    sim, index = KReciprocal().neighbours(x, x, 12, ids_q=ids, ids_g=ids)
    np.testing.assert_allclose(-sim.numpy(), np.sort(final, axis=1)[:, :12], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(final, index.numpy(), 1), -sim.numpy(), atol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(4, 3, 0.3), (4, 1, 0), (30, 6, 0.05), (6, 2, 1)])
def test_items_that_are_not_looked_at_could_not_have_come_first(k1, k2, weight):
    x = clusters(300)
    final = k_reciprocal(x, k1, k2, weight)[0]
    if weight == 0:  # what shares nothing is at 1 there, and behind it here
        final += np.where(
            final > 1 - 1e-12, squared(x.double().numpy()) / squared(x.double().numpy()).max(1)[:, None], 0
        )
    np.fill_diagonal(final, np.inf)
    ids = torch.arange(len(x))
    sim = KReciprocal(k1=k1, k2=k2, weight=weight).neighbours(x, x, 8, ids_q=ids, ids_g=ids)[0]
    np.testing.assert_allclose(-sim.numpy(), np.sort(final, axis=1)[:, :8], atol=1e-6)


def test_more_neighbours_are_asked_for_than_there_are():
    x, ids = clusters(5), torch.arange(5)
    sim, index = KReciprocal(k1=20, k2=3).neighbours(x, x, 9, ids_q=ids, ids_g=ids)
    fewer = KReciprocal(k1=4, k2=3).neighbours(x, x, 4, ids_q=ids, ids_g=ids)
    assert torch.equal(index[:, :4], fewer[1])
    assert torch.equal(sim[:, :4], fewer[0])
    assert bool((index[:, 4:] == -1).all())


@pytest.mark.parametrize("memory", ["20 KB", "200 KB"])
def test_does_not_depend_on_the_budget(memory):
    x = clusters()
    for a, b in zip(
        KReciprocal().neighbours(x[:30], x, 5, memory=memory), KReciprocal().neighbours(x[:30], x, 5), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_two_clusters_share_nothing():
    """k₁ = 4, k₂ = 2, λ = 0: about 0.001 within a cluster and 1 between, so all of one's own come first."""
    x = torch.cat([torch.eye(8)[0] + 0.01 * torch.randn(5, 8), torch.eye(8)[1] + 0.01 * torch.randn(5, 8)])
    x, ids = torch.nn.functional.normalize(x, dim=1), torch.arange(10)
    sim, index = KReciprocal(k1=4, k2=2, weight=0).neighbours(x, x, 9, ids_q=ids, ids_g=ids)
    assert sim[:, :4].min() > -0.01
    assert sim[:, 4:].max() <= -1
    assert bool(((index[:, :4] >= 5) == (ids[:, None] >= 5)).all())


def test_without_a_weight_what_shares_nothing_comes_in_plain_order():
    x = clusters()
    plain = squared(x.double().numpy())[80:, :80]
    jaccard = k_reciprocal(x, 5, 2, 0)[1][80:, :80]
    index = KReciprocal(k1=5, k2=2, weight=0).neighbours(x[80:], x[:80], 80)[1].numpy()
    for i, found in enumerate(index):
        tail = [j for j in found if jaccard[i, j] > 1 - 1e-12]
        assert tail == sorted(tail, key=lambda j: plain[i, j])


@pytest.mark.parametrize("k1", [1, 4, 5, 7, 12])
def test_reciprocal_sets_are_those_of_the_definition(k1):
    rank = order(squared(clusters().double().numpy()))
    for rows, members in reciprocal_sets(torch.from_numpy(rank[:, : k1 + 1].copy()), memory="20 KB"):
        for i, found in zip(range(rows.start, rows.stop), members, strict=True):
            own = reciprocal(rank, i, k1)
            expected = set(own)
            for j in own:
                other = reciprocal(rank, j, int(np.around(k1 / 2)))
                if len(set(other) & set(own)) > 2.0 / 3 * len(other):
                    expected |= set(other)
            assert sorted(found[found >= 0].tolist()) == sorted(expected)


def test_the_published_two_thirds_of_floats_is_that_of_integers():
    assert all((s > 2.0 / 3 * n) == (3 * s > 2 * n) for n in range(1, 400) for s in range(n + 1))


def test_exact_duplicates_stand_beside_each_other_and_none_is_the_query():
    z, _ = arcs(classes=4, each=10)
    x = torch.cat([z, z])
    ids = torch.arange(len(x))
    sim, index = KReciprocal(k1=6, k2=2).neighbours(x, x, 5, ids_q=ids, ids_g=ids)
    assert torch.equal(index[:, 0], (ids + 40) % 80)
    assert bool((index != ids[:, None]).all())
    assert bool(sim.isfinite().all())


def test_a_query_in_the_gallery_is_one_item():
    x = clusters()
    ids = torch.arange(len(x))
    every = KReciprocal().neighbours(x, x, 5, ids_q=ids, ids_g=ids)
    some = KReciprocal().neighbours(x[30:50], x, 5, ids_q=ids[30:50], ids_g=ids)
    torch.testing.assert_close(some[0], every[0][30:50])
    assert torch.equal(some[1], every[1][30:50])


@pytest.mark.parametrize("text", [{"k1": 0}, {"k2": 0}, {"weight": 1.5}])
def test_refuses_knobs_that_mean_nothing(text):
    with pytest.raises(ValueError, match="k1 and k2"):
        KReciprocal(**text)


def test_refuses_a_similarity_that_is_no_distance():
    x = 3 * torch.randn(20, 4)
    with pytest.raises(ValueError, match="works on distances"):
        KReciprocal(k1=3).neighbours(x[:5], x, 3)

"""Worked numbers, and a loop over queries."""

import pytest
import torch

import isometry
from isometry.ops.expansion import expanded
from isometry.ops.ranking import inner, minus_distance
from isometry.rerank import AlphaQE, AverageQE, DatabaseAugmentation, KReciprocal, Then
from tests.rerank.spaces import arcs

Q, G = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]])


def loop(q, g, k, alpha, own_ids, ids, unit):
    out = []
    for i, x in enumerate(q.double()):
        cosines = {
            j: float(torch.cosine_similarity(x, v.double(), dim=0)) for j, v in enumerate(g) if ids[j] != own_ids[i]
        }
        score = cosines if unit else {j: -float((x - g[j].double()).norm()) for j in cosines}
        near = sorted(cosines, key=lambda j: -score[j])[:k]
        weight = {j: max(0.0, cosines[j]) ** alpha for j in near}
        mean = (x + sum(weight[j] * g[j].double() for j in near)) / (1 + sum(weight.values()))
        out.append(mean / mean.norm() if unit else mean)
    return torch.stack(out).float()


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("unit", [True, False])
def test_equals_a_loop(alpha, unit):
    z = arcs(classes=3, each=12)[0]
    z = z if unit else z * torch.rand(len(z), 1)
    ids = torch.arange(len(z)) // 2
    moved, gallery = AlphaQE(alpha=alpha, k=5).move(
        z[:9], z, ids_q=ids[:9], ids_g=ids, similarity=inner if unit else minus_distance, memory="2 KB"
    )
    torch.testing.assert_close(moved, loop(z[:9], z, 5, alpha, ids[:9], ids, unit))
    assert gallery is z


def test_worked_numbers():
    """Neighbours (1, 0) and (0.6, 0.8) have weights 1 and 0.6³ = 0.216: (1.1296, 0.1728) without the query."""
    torch.testing.assert_close(
        expanded(Q, G, torch.tensor([[1, 0]]), 3.0, own=0.0), torch.tensor([[0.9885, 0.1512]]), rtol=0, atol=5e-5
    )
    torch.testing.assert_close(
        AlphaQE(k=2).move(Q, G)[0], torch.nn.functional.normalize(torch.tensor([[2.1296, 0.1728]]))
    )


def test_the_average_is_alpha_zero():
    z = arcs(classes=3, each=12)[0]
    for a, b in zip(AverageQE(k=4).neighbours(z[:8], z, 6), AlphaQE(alpha=0, k=4).neighbours(z[:8], z, 6), strict=True):
        assert torch.equal(a, b)


def test_opposite_and_missing_neighbours_weigh_nothing():
    torch.testing.assert_close(AlphaQE(k=50).move(Q, G[2:])[0], Q)
    torch.testing.assert_close(AverageQE(k=50).move(Q, G[:1])[0], torch.nn.functional.normalize(Q + G[:1]))


def test_augmentation_moves_the_gallery_and_not_the_queries():
    z = arcs(classes=3, each=12)[0]
    ids = torch.arange(len(z))
    q, g = DatabaseAugmentation(k=4).move(z[:5], z)
    assert q is not None
    assert torch.equal(q, z[:5])
    torch.testing.assert_close(g, loop(z, z, 4, 3.0, ids, ids, True))
    alone = DatabaseAugmentation(k=1, alpha=0, own=0).move(z, z)[1]  # each becomes its nearest other
    near = (z @ z.T).fill_diagonal_(-1).argmax(1)
    torch.testing.assert_close(alone, z[near])


def test_steps_follow_each_other():
    z = arcs()[0]
    ids = torch.arange(len(z))
    steps = (DatabaseAugmentation(k=4), AlphaQE(k=4), KReciprocal(k1=8, k2=2))
    q, g = steps[0].move(z, z)
    q, g = steps[1].move(q, g, ids_q=ids, ids_g=ids)
    expected = steps[2].neighbours(q, g, 7, ids_q=ids, ids_g=ids)
    chain = Then(steps=steps)
    for a, b in zip(chain.neighbours(z, z, 7, ids_q=ids, ids_g=ids), expected, strict=True):
        assert torch.equal(a, b)
    text = "Then(steps=(DatabaseAugmentation(k=4), AlphaQE(k=4), KReciprocal(k1=8, k2=2)))"
    assert repr(isometry.parse(text)) == text
    assert not chain.queries_independent
    assert Then(steps=steps[:2]).queries_independent


def test_refusals():
    with pytest.raises(ValueError, match="must be the last"):
        Then(steps=(KReciprocal(), AlphaQE()))
    with pytest.raises(ValueError, match="is none"):
        isometry.parse("Then(steps=(Recall(k=1),))")
    for bad in ("AlphaQE(k=0)", "AlphaQE(alpha=-1)", "AverageQE(k=0)", "DatabaseAugmentation(own=-1)"):
        with pytest.raises(ValueError, match="k is 1 or more"):
            isometry.parse(bad)

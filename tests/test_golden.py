"""Numbers that can be worked out by hand, and properties that the papers claim. Sources: the papers, via worked examples."""

import math

import pytest
import torch

import isometry
from isometry import losses, miners, similarities
from isometry.relation import Relation
from isometry.relations import label_tree, same_class, shared_labels

F64 = torch.float64


def row(loss, positives, negatives):
    """The loss of one row with these similarities, from its objective."""
    sim = torch.tensor([[*positives, *negatives]], dtype=F64, requires_grad=True)
    pos = torch.tensor([[True] * len(positives) + [False] * len(negatives)])
    rel = Relation(pos=lambda: pos, neg=lambda: ~pos)
    terms = loss.objective(sim, loss.miner(sim.detach(), rel))
    value = sum(total.sum() / count.sum().clamp_min(1) for total, count in terms.values())
    return value, sim


def on_circle(*degrees):
    angle = torch.tensor(degrees, dtype=F64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_multi_similarity_at_its_base():
    loss = losses.MultiSimilarity(alpha=2.0, beta=50.0, base=1.0, miner=miners.all_pairs)
    value, _ = row(loss, [1.0], [1.0])
    assert value.item() == pytest.approx(0.360437, abs=1e-6)


def test_multi_similarity_weights_are_those_of_general_pair_weighting():
    loss = losses.MultiSimilarity(alpha=2.0, beta=40.0, base=0.5, miner=miners.all_pairs)
    value, sim = row(loss, [0.3, 0.6], [0.7, 0.2, 0.5])
    value.backward()
    pos, neg = sim.detach()[0, :2], sim.detach()[0, 2:]
    pull = (-2 * (pos - 0.5)).exp() / (1 + (-2 * (pos - 0.5)).exp().sum())
    push = (40 * (neg - 0.5)).exp() / (1 + (40 * (neg - 0.5)).exp().sum())
    torch.testing.assert_close(sim.grad[0], torch.cat([-pull, push]))


def test_multi_similarity_tends_to_hinges_of_the_hardest():
    loss = losses.MultiSimilarity(alpha=5000.0, beta=5000.0, miner=miners.all_pairs)
    assert row(loss, [0.3, 0.6], [0.7, 0.2])[0].item() == pytest.approx(0.4, abs=1e-3)


def test_multi_similarity_miner_ignores_a_common_offset_and_is_the_identity_when_wide():
    sim = torch.rand(6, 6, dtype=F64)
    rel = same_class(torch.arange(6) // 2, torch.arange(6) // 2)
    mine = miners.MultiSimilarityMiner()
    for a, b in ((mine(sim, rel), mine(sim + 3, rel)), (miners.MultiSimilarityMiner(epsilon=2.0)(sim, rel), rel)):
        assert torch.equal(a.pos, b.pos)
        assert torch.equal(a.neg, b.neg)


def test_log_ratio_of_one_triplet():
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], dtype=F64, requires_grad=True)
    value = losses.LogRatio()(z, torch.tensor([0.0, 1.0, -1.0], dtype=F64), rows=slice(1))
    value.backward()
    assert value.item() == pytest.approx(math.log(4) ** 2)
    expected = torch.tensor([[5.5452, -2.7726], [-5.5452, 0.0], [0.0, 2.7726]], dtype=F64)
    torch.testing.assert_close(z.grad, expected, atol=1e-4, rtol=0)


def test_log_ratio_ignores_moving_turning_and_scaling_and_is_zero_when_ratios_agree():
    targets = torch.tensor([0.0, 1.0, 3.0, 4.5], dtype=F64)
    z = torch.randn(4, 2, dtype=F64)
    turn = torch.linalg.qr(torch.randn(2, 2, dtype=F64))[0]
    loss = losses.LogRatio()
    torch.testing.assert_close(loss(3 * z @ turn + 1, targets), loss(z, targets))
    torch.testing.assert_close(loss(z, 7 * targets), loss(z, targets))
    straight = torch.stack([2 * targets, torch.zeros(4, dtype=F64)], 1)
    assert loss(straight, targets).item() == pytest.approx(0, abs=1e-12)


def test_proxy_anchor_at_its_margins():
    loss = losses.ProxyAnchor(num_classes=2, dim=2)
    sim = torch.tensor([[0.1], [-0.1]], dtype=F64)
    pos = torch.tensor([[True], [False]])
    terms = loss.objective(sim, Relation(pos=lambda: pos, neg=lambda: ~pos))
    value = sum(total.sum() / count.sum() for total, count in terms.values())
    assert value.item() == pytest.approx(1.5 * math.log(2), abs=1e-9)  # 1.03972


def test_contrastive_in_euclidean_form():
    loss = losses.Contrastive(similarity=similarities.euclidean, positive=0.0, negative=-1.0)
    assert row(loss, [-0.3], [])[0].item() == pytest.approx(0.3)
    assert row(loss, [], [-0.4])[0].item() == pytest.approx(0.6)


def test_triplet_collapse_costs_the_margin_and_facenet_is_twice_ours():
    y = torch.tensor([0, 0, 1, 1])
    assert losses.Triplet(margin=0.1)(torch.ones(4, 3, dtype=F64), y).item() == pytest.approx(0.1)
    z = on_circle(0, 35, 50, 90)
    d = 2 - 2 * z @ z.T
    hinge = [d[a, p] - d[a, n] + 0.2 for a, p in ((0, 1), (1, 0)) for n in (2, 3)]
    hinge += [d[a, p] - d[a, n] + 0.2 for a, p in ((2, 3), (3, 2)) for n in (0, 1)]
    active = [h for h in hinge if h > 0]
    assert losses.Triplet()(z, y).item() == pytest.approx(float(sum(active)) / len(active) / 2)


def test_many_positives_are_searched_and_agree_with_looping(monkeypatch):
    from isometry.ops import triplets

    z, y = torch.randn(60, 4, dtype=F64), torch.arange(60) % 3
    weight = torch.rand(60, dtype=F64) + 0.5
    results = []
    for few in (0, 1000):
        monkeypatch.setattr(triplets, "FEW", few)
        x = z.clone().requires_grad_()
        value = losses.Triplet()(x, y, weight=weight)
        value.backward()
        results.append((value.detach(), x.grad))
    torch.testing.assert_close(*results)


def test_sup_con_of_perfect_pairs():
    z = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], dtype=F64)
    value = losses.SupCon(temperature=1.0, base_temperature=1.0)(z, torch.tensor([0, 0, 1, 1]))
    assert value.item() == pytest.approx(0.55144, abs=1e-5)


def test_snr_is_blind_to_scale_and_offset_and_asymmetric():
    h, n = torch.randn(5, 8, dtype=F64), torch.randn(5, 8, dtype=F64)
    snr = similarities.SNR()
    torch.testing.assert_close(snr(3 * h, 3 * (h + n)), snr(h, h + n))
    torch.testing.assert_close(snr(h, h + n + 5), snr(h, h + n))
    assert not torch.allclose(snr(h, n), snr(n, h).T)
    naive = -torch.stack([torch.stack([(b - a).var() / a.var() for b in n]) for a in h])
    torch.testing.assert_close(snr(h, n), naive)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean", "squared_euclidean", "SNR()"])
def test_similarities_keep_their_bounds_and_rank_a_thing_closest_to_itself(similarity):
    found = isometry.parse(similarity)
    z = torch.randn(20, 6, dtype=F64)
    sim = found(z, z)
    low, high = found.bounds
    assert sim.min() >= low - 1e-9
    assert sim.max() <= high + 1e-9
    assert (sim.argmax(1) == torch.arange(20)).all()


def test_relations_of_label_sets_and_trees():
    sets = torch.tensor([[1, 1, 0], [0, 1, 1], [0, 0, 0]])
    rel = shared_labels(sets, sets)
    assert rel.affinity[0, 1].item() == pytest.approx(1 / 3)
    assert rel.pos[0, 1]
    assert not (rel.pos[2].any())
    assert not (rel.neg[2].any())
    paths = torch.tensor([[0, 1, 2], [0, 1, 3], [1, 4, 5]])
    tree = label_tree(paths, paths)
    torch.testing.assert_close(tree.affinity[0], torch.tensor([1, 2 / 3, 0]))
    assert tree.pos[0].tolist() == [True, False, False]


def test_memory_is_a_ring_that_survives_a_save():
    loss = isometry.parse("Contrastive(reference=Memory(size=5))", dim=2)
    for start in (0, 3, 6):
        ids = torch.arange(start, start + 3)
        loss.observe(torch.stack([ids, ids], 1).float(), torch.zeros(3, dtype=torch.int64), ids)
    assert sorted(loss.reference.ids.tolist()) == [4, 5, 6, 7, 8]
    other = isometry.parse("Contrastive(reference=Memory(size=5))", dim=2)
    other.load_state_dict(loss.state_dict())
    for memory in (loss, other):
        ids = torch.tensor([9])
        memory.observe(torch.full((1, 2), 9.0), torch.zeros(1, dtype=torch.int64), ids)
        assert sorted(memory.reference.ids.tolist()) == [5, 6, 7, 8, 9]
        assert memory.reference.held == 5


def test_memory_half_full_compares_with_what_it_holds():
    loss = isometry.parse("Contrastive(reference=Memory(size=50))", dim=3)
    with pytest.raises(ValueError, match="observe"):
        loss(torch.randn(2, 3), torch.tensor([0, 1]), ids=torch.tensor([0, 1]))
    z, y, ids = torch.randn(4, 3), torch.tensor([0, 0, 1, 1]), torch.arange(4)
    loss.observe(z, y, ids)
    torch.testing.assert_close(loss(z, y, ids=ids), losses.Contrastive()(z, y))

"""Golden numbers and claims of the losses over the pairs of a row."""

import math

import pytest
import torch
import torch.nn.functional as F

import isometry
from isometry.losses import EachBranch, NTXent, RankedList, RankedListSimple
from isometry.similarities import euclidean
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


@pytest.mark.parametrize("gamma", [1.0, 80.0, 256.0])
@pytest.mark.parametrize("angle", [0.1, 0.7, 1.4])
def test_circle_is_log_two_on_its_boundary_whatever_gamma(gamma, angle):
    m = 0.4
    s_n, s_p = math.sqrt(2) * m * math.cos(angle), 1 - math.sqrt(2) * m * math.sin(angle)
    value = of_one_query(f"Circle(margin={m}, gamma={gamma})", [s_p, s_n], [0, 1])
    assert value == pytest.approx(math.log(2), rel=1e-12)


def test_circle_at_its_optimum():
    assert of_one_query("Circle()", [1.0, 0.0], [0, 1]) == pytest.approx(math.log1p(math.exp(-160 * 0.16)), rel=1e-9)


def test_circle_with_proxies_is_the_softmax_of_the_class_level_formula():
    loss, (z, y, _) = build("Circle(reference=Proxies())"), batch("Circle()")
    s = F.normalize(z) @ F.normalize(loss.reference.weight).T
    own = F.one_hot(y, CLASSES).bool()
    logits = 80 * torch.where(own, (1.4 - s).clamp_min(0) * (s - 0.6), (s + 0.4).clamp_min(0) * (s - 0.4))
    torch.testing.assert_close(loss(z, y), F.cross_entropy(logits, y), rtol=1e-12, atol=0)


def test_circle_paces_carry_no_gradient():
    sim = torch.tensor([[0.7, 0.5]], dtype=torch.float64, requires_grad=True)
    build("Circle(gamma=4.0)").objective(sim, relation([[True, False]]))["circle"].total.sum().backward()
    a_p, a_n = 1.4 - 0.7, 0.5 + 0.4
    inside = 4 * (a_n * (0.5 - 0.4) - a_p * (0.7 - 0.6))
    weight = 4 / (1 + math.exp(-inside))
    torch.testing.assert_close(sim.grad, torch.tensor([[-a_p * weight, a_n * weight]], dtype=torch.float64))


def test_nt_xent_of_two_views_is_that_of_simclr():
    z, y = F.normalize(torch.randn(12, DIM, dtype=torch.float64)), torch.arange(6).repeat(2)
    logits = (z @ z.T / 0.5).fill_diagonal_(-torch.inf)
    expected = F.cross_entropy(logits, torch.arange(12).roll(6))
    torch.testing.assert_close(NTXent(temperature=0.5)(z, y), expected)


def test_nt_xent_neither_saturates_nor_forgets_hard_positives_at_small_temperature():
    sim = torch.tensor([[0.1, 0.9, 0.3]], dtype=torch.float64, requires_grad=True)
    row = build("NTXent(temperature=0.0002)").objective(sim, relation([[True, False, False]]))["contrast"].total
    row.sum().backward()
    assert row.item() == pytest.approx(0.8 / 0.0002)
    torch.testing.assert_close(sim.grad, torch.tensor([[-5000.0, 5000.0, 0.0]], dtype=torch.float64))


def test_nt_xent_leaves_other_positives_out():
    alone = of_one_query("NTXent()", [0.2, 0.1], [0, 1])
    beside = of_one_query("NTXent()", [0.2, 0.9, 0.1], [0, 0, 1])
    nearer = of_one_query("NTXent()", [0.9, 0.1], [0, 1])
    assert beside == pytest.approx((alone + nearer) / 2)


@pytest.mark.parametrize("text", ["NTXent()", "MultiSimilarity()", "Triplet(similarity=SNR())"])
def test_both_adds_the_other_direction(text):
    z, y, _ = batch(text, seed=1)
    r, y_r, _ = batch(text, n=11, seed=2)
    loss = build(text)
    expected = loss(z, y, against=(r, y_r)) + loss(r, y_r, against=(z, y))
    torch.testing.assert_close(build(f"Both(loss={text})")(z, y, against=(r, y_r)), expected)


def test_both_weighs_references_as_rows_where_they_are_the_queries():
    z, y, ids = batch("NTXent()")
    weight = torch.arange(len(z), dtype=torch.float64) % 3
    torch.testing.assert_close(
        build("Both()")(z, y, ids=ids, weight=weight), 2 * build("NTXent()")(z, y, ids=ids, weight=weight)
    )


def test_both_refuses_a_loss_of_proxies():
    with pytest.raises(ValueError, match="references already"):
        build("Both(loss=ProxyAnchor())")


LINE = torch.tensor([[0.0], [1.0], [0.5], [2.0]], dtype=torch.float64)


@pytest.mark.parametrize(("temperature", "value"), [(0, 0.9625), (10, 1.02416), (1000, 1.0250)])
def test_ranked_list_on_a_line(temperature, value):
    loss = RankedList(temperature=temperature, similarity=euclidean)
    assert loss(LINE, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(value, abs=5e-6)


def test_ranked_list_weights_carry_no_gradient():
    sim = torch.tensor([[-1.0, -0.5, -0.9, -1.3]], dtype=torch.float64, requires_grad=True)
    terms = build("RankedList()").objective(sim, relation([[True, False, False, False]]))
    (terms["pull"].total + terms["push"].total).sum().backward()
    share = torch.tensor([10 * 0.7, 10 * 0.3], dtype=torch.float64).softmax(0)
    torch.testing.assert_close(gradient(sim)[0], torch.tensor([-1.0, *share, 0.0], dtype=torch.float64))


def test_ranked_list_leaves_classes_their_width():
    angle = torch.tensor([0.0, 0.7, 2.6], dtype=torch.float64)  # chords: 0.69 within a class, over 1.6 to the other
    z = torch.stack([angle.cos(), angle.sin()], 1)
    assert RankedList()(z, torch.tensor([0, 0, 1])) == 0


def test_the_simple_ranked_list_is_the_ranked_list_about_one():
    z, y, ids = batch("RankedList()")
    whole = RankedList(alpha=1.2, margin=0.4)(z, y, ids=ids)
    torch.testing.assert_close(RankedListSimple(margin=0.4)(z, y, ids=ids), whole / 2)


def test_each_branch_adds_the_branches_and_not_the_embedding():
    (low, y, ids), (high, _, _), (z, _, _) = (batch("RankedList()", seed=s) for s in (1, 2, 3))
    loss = EachBranch(loss=RankedList())
    value = loss(isometry.Embedded(z, branches=(low, high[:, :3])), y, ids=ids)
    torch.testing.assert_close(value, loss.loss(low, y, ids=ids) + loss.loss(high[:, :3], y, ids=ids))


def test_each_branch_refuses_references_of_one_branch():
    with pytest.raises(ValueError, match="compares each branch with itself"):
        build("EachBranch(loss=NormSoftmax())")


def test_lifted_structure_on_a_line():
    z = torch.tensor([[0.0], [1.0], [2.0], [3.0]], dtype=torch.float64)
    assert build("LiftedStructure()")(z, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(1.3228, abs=5e-5)


def test_lifted_structure_asks_both_ends_for_their_negatives():
    r = torch.tensor([[1.0], [5.0]], dtype=torch.float64)
    z = torch.tensor([[0.0], [1.25]], dtype=torch.float64)
    value = build("LiftedStructure()")(z, torch.tensor([0, 1]), against=(r, torch.tensor([0, 1])))
    near = 1 + math.log(math.exp(1 - 5) + math.exp(1 - 0.25))  # of query 0 and reference 0, one negative each
    far = 3.75 + math.log(math.exp(1 - 0.25) + math.exp(1 - 5))
    assert value.item() == pytest.approx((near**2 + far**2) / 4)


def test_lifted_structure_does_not_mind_the_order_of_references():
    (z, y, _), (r, y_r, _) = (batch("LiftedStructure()", seed=s) for s in (1, 2))
    loss, order = build("LiftedStructure()"), torch.randperm(len(r))
    torch.testing.assert_close(loss(z, y, against=(r, y_r)), loss(z, y, against=(r[order], y_r[order])))


def test_generalized_lifted_structure_of_one_triplet_is_its_hinge():
    z, y = torch.tensor([[0.0], [0.7], [1.5]], dtype=torch.float64), torch.tensor([0, 0, 1])
    expected = ((0.7 + 1 - 1.5) + (0.7 + 1 - 0.8)) / 2
    assert build("GeneralizedLiftedStructure()")(z, y).item() == pytest.approx(expected)


def test_n_pair_of_orthonormal_pairs():
    z = torch.eye(2, dtype=torch.float64)
    value = build("NPair()")(z, torch.arange(2), against=(z, torch.arange(2)))
    assert value.item() == pytest.approx(0.31326, abs=5e-6)


def test_n_pair_is_the_cross_entropy_of_inner_products():
    z, r = torch.randn(2, 7, DIM, dtype=torch.float64)
    y = torch.arange(7)
    torch.testing.assert_close(build("NPair()")(z, y, against=(r, y)), F.cross_entropy(z @ r.T, y))


def test_nca_keeps_the_gradient_of_rows_whose_probability_underflows():
    z = torch.tensor([[0.0], [40.0], [1.0]], requires_grad=True)
    value = isometry.parse("NCA()")(z, torch.tensor([0, 0, 1]))
    value.backward()
    assert value.item() == pytest.approx((1600 - 1 + 1600 - 39**2) / 2)
    assert gradient(z)[0].item() == pytest.approx((-80 + 2 - 80) / 2)


def test_nca_wants_one_near_positive():
    values = [of_one_query("NCA(scale=50.0, similarity=cosine)", [1.0, s, 0.0], [0, 0, 1]) for s in (-1.0, 0.5)]
    assert max(values) < 1e-10


@pytest.mark.parametrize(("text", "pull"), [("DecoupledContrastive()", -10.0), ("NTXent()", -10 / (1 + math.exp(9)))])
def test_decoupled_contrastive_pulls_easy_positives_as_hard_as_any(text, pull):
    sim = torch.tensor([[0.9, 0.0]], dtype=torch.float64, requires_grad=True)
    build(text).objective(sim, relation([[True, False]]))["contrast"].total.sum().backward()
    assert gradient(sim)[0, 0].item() == pytest.approx(pull)


def test_selectively_contrastive_only_pushes_while_the_negative_is_nearer():
    for s_p, s_n, pull, push in [(0.3, 0.6, 0.0, 1.0), (0.6, 0.3, -10 / (1 + math.e**3), 10 / (1 + math.e**3))]:
        sim = torch.tensor([[s_p, s_n, -0.5, -0.5]], dtype=torch.float64, requires_grad=True)
        terms = build("SelectivelyContrastive()").objective(sim, relation([[True, False, True, False]]))
        terms["triplet"].total.sum().backward()
        torch.testing.assert_close(sim.grad, torch.tensor([[pull, push, 0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize(
    ("z", "value"),
    [
        ([[1.0, 0.0]] * 4, math.log(3) - 2 * math.log(2 / 3)),
        ([[1.0, 0.0], [0.0, 1.0]] * 2, 1.816e-4),
    ],
)
def test_invariant_spread_of_two_images(z, value):
    z = torch.tensor(z, dtype=torch.float64)
    assert build("InvariantSpread()")(z, torch.tensor([0, 1, 0, 1])).item() == pytest.approx(value, rel=3e-4)


def test_invariant_spread_without_spreading_is_nt_xent():
    z, y = torch.randn(12, DIM), torch.arange(6).repeat(2)
    logits = (F.normalize(z) @ F.normalize(z).T / 0.1).fill_diagonal_(-torch.inf)
    value = build("InvariantSpread(spread_weight=0.0)")(z, y)
    torch.testing.assert_close(value, F.cross_entropy(logits, torch.arange(12).roll(6)))


def test_invariant_spread_is_exact_where_another_image_is_taken_for_it():
    sim = torch.tensor([[-1.0, 1.0, -1.0]], requires_grad=True)  # of which e^{-200} is left to the others, in float32
    terms = isometry.parse("InvariantSpread(temperature=0.01)").objective(sim, relation([[True, False, False]]))
    terms["spread"].total.sum().backward()
    assert terms["spread"].total.item() == pytest.approx(200 - math.log(2))
    torch.testing.assert_close(sim.grad, torch.tensor([[-50.0, 100.0, -50.0]]))


def test_invariant_spread_with_detached_references_moves_queries_only():
    loss, (z, y, ids) = build("InvariantSpread(reference=detached)"), batch("InvariantSpread()")
    held = value_and_gradient(build("InvariantSpread()"), z, y, ids=ids, against=(z.clone(), y, ids))
    torch.testing.assert_close(value_and_gradient(loss, z, y, ids=ids)[:2], held[:2])


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_instance_reads_labels_and_not_places_in_the_batch(labels):
    z, y = torch.eye(4, dtype=torch.float64), torch.tensor(labels)
    assert build("Instance(reference=batch)")(z, y, against=(z, y)).item() == pytest.approx(3 * math.exp(-64))


def test_instance_of_a_perfect_batch_of_two_classes_is_nothing():
    z, y = torch.eye(2, dtype=torch.float64)[[0, 1, 0, 1]], torch.tensor([0, 1, 0, 1])
    assert build("Instance(reference=batch)")(z, y).item() < 1e-25


def test_instance_is_one_softmax_over_all_instances():
    z, y, _ = batch("Instance()")
    torch.testing.assert_close(build("Instance()")(z, y), build("NormSoftmax(temperature=0.015625)")(z, y))


def test_threshold_consistent_margin_is_a_contrastive_loss_and_takes_references():
    z, y, _ = batch("Contrastive()")
    r, y_r, _ = batch("Contrastive()", seed=2)
    expected = build("Contrastive(positive=0.9, negative=0.5)")(z, y, against=(r, y_r))
    torch.testing.assert_close(build("ThresholdConsistentMargin()")(z, y, against=(r, y_r)), expected)


def test_threshold_consistent_margin_costs_nothing_between_the_two():
    assert of_one_query("ThresholdConsistentMargin()", [0.95, 0.91, 0.4, -1.0], [0, 0, 1, 2]) == 0

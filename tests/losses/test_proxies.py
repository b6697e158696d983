"""Losses on proxies: numbers that can be worked out by hand, and what their papers claim."""

import math

import pytest
import torch

import isometry
from isometry import losses, references, similarities
from isometry.references import regular_face
from isometry.relation import Relation

F64 = torch.float64
Y = torch.tensor([0, 1, 2, 0, 1, 2, 2])


def proxies(text, classes=3, dim=4, seed=0, dtype=F64):
    torch.manual_seed(seed)
    return isometry.parse(text, num_classes=classes, dim=dim).to(dtype)


def embeddings(n=7, dim=4, dtype=F64):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(3), dtype=F64).to(dtype)


def row(loss, *sims, own=0):
    """The cost of one row whose own class is column `own`, and the similarities it was made of."""
    sim = torch.tensor([sims], dtype=F64, requires_grad=True)
    pos = torch.zeros(1, len(sims), dtype=torch.bool)
    pos[0, own] = True
    ((total, _),) = loss.objective(sim, Relation(pos=lambda: pos, neg=lambda: ~pos)).values()
    return total[0], sim


def same(a, b, rtol=1e-9):
    torch.testing.assert_close(a, b, rtol=rtol, atol=1e-12)


def test_arc_face_at_its_proxy():
    """cos θ = 1, the other square to it, scale 1: log(1 + e^{−cos ½})."""
    value, _ = row(proxies("ArcFace(scale=1.0)"), 1.0, 0.0)
    assert value.item() == pytest.approx(0.34769, abs=1e-5)


def test_margins_of_nothing_are_plain_softmax():
    z, plain = embeddings(), proxies("NormSoftmax(temperature=0.1)")(embeddings(), Y)
    for name in (
        "CosFace(margin=0.0, scale=10.0)",
        "ArcFace(margin=0.0, scale=10.0)",
        "SphereFace(margin=1.0, scale=10.0)",
    ):
        same(proxies(name)(z, Y), plain)


@pytest.mark.parametrize(
    "text",
    [
        "ArcFace()",
        "ArcFace(margin=2.0)",
        "SphereFace()",
        "SphereFace(margin=4.0)",
        "CosFace()",
    ],
)
def test_the_own_class_counts_less_and_ever_less_with_the_angle(text):
    theta = torch.linspace(1e-6, math.pi - 1e-6, 4001, dtype=F64)
    counted = proxies(text).harder(theta.cos())
    assert (counted.diff() <= 1e-12).all()
    assert (counted <= theta.cos() + 1e-12).all()


def test_an_easy_margin_is_for_acute_angles_only():
    cosine = torch.tensor([0.9, 0.1, -0.1, -0.9], dtype=F64)
    easy, full = (proxies(f"ArcFace(easy_margin={easy})").harder(cosine) for easy in (True, False))
    same(easy, torch.cat([full[:2], cosine[2:]]))


def test_sphere_face_is_continued_without_a_gap():
    theta = torch.linspace(0, math.pi, 4001, dtype=F64)
    counted = proxies("SphereFace(margin=4.0)").harder(theta.cos())
    assert counted[0].item() == pytest.approx(1)
    assert counted[-1].item() == pytest.approx(-7)  # (−1)^4 cos 4π − 8
    assert counted.diff().abs().max() < 5e-3


@pytest.mark.parametrize("text", ["ArcFace()", "SphereFace()", "SubCenterArcFace()"])
@pytest.mark.parametrize("cosine", [1.0, -1.0, 1 + 1e-7, 1 - 1e-7])
def test_angles_of_0_and_half_a_turn_have_finite_forces(text, cosine):
    sim = torch.tensor([cosine], dtype=torch.float32, requires_grad=True)
    counted = proxies(text).harder(sim)
    counted.backward()
    assert torch.isfinite(counted).all()
    assert torch.isfinite(sim.grad).all()


def test_a_large_scale_costs_no_digits():
    """Ahead by 0.35 at scale 64 the loss is 2e-10, which single precision must not round to nothing."""
    sim = torch.tensor([[1.0, 0.3, 0.2]])
    pos = torch.tensor([[True, False, False]])
    terms = losses.CosFace(num_classes=3, dim=2).objective(sim, Relation(pos=lambda: pos, neg=lambda: ~pos))
    exact, _ = row(proxies("CosFace()"), 1.0, 0.3, 0.2)
    assert terms["softmax"].total.item() == pytest.approx(exact.item(), rel=1e-4)


def test_p2s_grad_has_the_force_of_its_paper():
    value, sim = row(proxies("P2SGrad()"), 0.2, -0.5, 0.9, own=2)
    value.backward()
    same(sim.grad[0], torch.tensor([0.2, -0.5, 0.9 - 1], dtype=F64))


def test_sub_center_arc_face_with_one_center_is_arc_face():
    z = embeddings()
    same(proxies("SubCenterArcFace(reference=Proxies())")(z, Y), proxies("ArcFace()")(z, Y))


def test_only_the_nearest_center_learns():
    loss = proxies("SubCenterArcFace()", classes=1, dim=2)
    angles = torch.tensor([0.0, 80.0, 160.0], dtype=F64).deg2rad()
    loss.reference.weight.data = torch.stack([angles.cos(), angles.sin()], 1)[None]
    sim = loss.similarity(torch.tensor([[1.0, 0.2]], dtype=F64), loss.reference.weight)
    sim.sum().backward()
    assert (loss.reference.weight.grad.abs().sum(2)[0] > 0).tolist() == [True, False, False]


def test_clean_keeps_what_is_near_the_dominant_center():
    def at(*degrees):
        angle = torch.tensor(degrees, dtype=F64).deg2rad()
        return torch.stack([angle.cos(), angle.sin()], 1)

    loss = proxies("SubCenterArcFace()", classes=2, dim=2)
    loss.reference.weight.data = torch.stack([at(0, 120, 240), at(60, 180, 300)])
    z = at(5, -10, 118, 20, 178, 170, 60, 250)
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    assert loss.clean(z, y).tolist() == [True, True, False, True, True, True, False, True]
    assert loss.clean(z, y, degrees=15.0).tolist() == [True, True, False, False, True, True, False, False]


def test_soft_triple_with_one_center_is_cos_face():
    z = embeddings()
    one = proxies("SoftTriple(reference=Proxies(penalty=SparseCentres()))")
    same(one(z, Y), proxies("CosFace(scale=20.0, margin=0.01)")(z, Y))


def test_soft_triple_does_not_know_the_order_of_centers():
    loss, z = proxies("SoftTriple()"), embeddings()
    before = loss(z, Y)
    loss.reference.weight.data = loss.reference.weight.data[:, torch.randperm(10)]
    same(loss(z, Y), before)


def test_similarity_over_centres_lies_between_mean_and_largest():
    z, r = embeddings(), torch.randn(3, 5, 4, dtype=F64)
    cosines = torch.stack([similarities.cosine(z, r[:, k]) for k in range(5)], 2)
    same(similarities.MaxOverCentres()(z, r), cosines.amax(2))
    same(similarities.SoftOverCentres(gamma=1e-4)(z, r), cosines.amax(2))
    same(similarities.SoftOverCentres(gamma=1e9)(z, r), cosines.mean(2), rtol=1e-6)


def test_soft_similarity_is_the_log_sum_exp_less_the_entropy():
    z, r, gamma = embeddings(), torch.randn(3, 5, 4, dtype=F64), 0.1
    cosines = torch.stack([similarities.cosine(z, r[:, k]) for k in range(5)], 2)
    q = (cosines / gamma).softmax(2)
    entropy = -(q * q.log()).sum(2)
    same(similarities.SoftOverCentres(gamma=gamma)(z, r), gamma * ((cosines / gamma).logsumexp(2) - entropy))


def test_sparse_centres_of_two_square_centres():
    """The paper's divisor makes it half the mean distance: √2/2, times τ."""
    centres = torch.eye(2, dtype=F64)[None]
    assert references.SparseCentres()(centres).item() == pytest.approx(0.2 * math.sqrt(0.5))


def test_sparse_centres_pull_as_hard_when_near():
    """Half the distance 2 sin(φ/2) of two centres, so that the pull on the angle between them is ½ cos(φ/2)."""
    for phi in (1e-3, 0.1, 1.0):
        angle = torch.tensor(phi, dtype=F64, requires_grad=True)
        turned = torch.stack([angle.cos(), angle.sin()])
        references.SparseCentres(weight=1.0)(torch.stack([torch.eye(2, dtype=F64)[0], turned])[None]).backward()
        assert angle.grad.item() == pytest.approx(0.5 * math.cos(phi / 2), rel=1e-6)


def test_sparse_centres_of_very_many_classes():
    """A matrix of all centres by all centres would take 40 GB."""
    weight = torch.randn(50_000, 2, 4, requires_grad=True)
    references.SparseCentres()(weight).backward()
    assert torch.isfinite(weight.grad).all()


def test_regular_face_is_least_on_a_simplex():
    """C classes cannot have all cosines below −1/(C − 1)."""
    corners = torch.eye(4, dtype=F64) - 0.25
    assert references.RegularFace()(corners).item() == pytest.approx(-1 / 3)


def test_regular_face_in_blocks_is_the_same(monkeypatch):
    weight = torch.randn(40, 3, 4, dtype=F64, requires_grad=True)
    results = []
    for block in (2**23, 7):
        monkeypatch.setattr(regular_face, "BLOCK", block * 120)
        value = references.RegularFace()(weight)
        results.append((value, *torch.autograd.grad(value, weight)))
    same(results[0][0], results[1][0])
    same(results[0][1], results[1][1])


def test_centre_invariance_is_met_by_equal_lengths_only():
    weight = torch.nn.functional.normalize(torch.randn(5, 4, dtype=F64), dim=1)
    assert references.CentreInvariant()(3 * weight).item() == pytest.approx(0, abs=1e-20)
    assert references.CentreInvariant()(torch.cat([weight[:4], 2 * weight[4:]])).item() > 0.1


def test_a_penalty_is_added_once():
    z = embeddings()
    plain, more = proxies("ProxyAnchor()"), proxies("ProxyAnchor(reference=Proxies(penalty=RegularFace(weight=3.0)))")
    once = plain(z, Y) + more.reference.penalty(more.reference.weight)
    same(more(z, Y), once)
    with isometry.memory_budget(2 * len(z) * 8):
        same(more(z, Y), once)
    same(more(z, Y, against=(z, Y)), plain(z, Y, against=(z, Y)))


def test_centres_need_a_similarity_over_them():
    with pytest.raises(ValueError, match=r"several vectors \[3, 2, 4\].*MaxOverCentres.*cosine"):
        proxies("CosFace(reference=Proxies(centres=2))")(embeddings(), Y)
    with pytest.raises(ValueError, match="positive number"):
        proxies("CosFace(reference=Proxies(centres=0))")


def test_proxy_nca_can_be_negative():
    """At its own proxy with the other square to it: −log(e^0 / e^{−2}) = −2, since the own proxy is not in the sum."""
    value, _ = row(proxies("ProxyNCA(scale=1.0)"), 1.0, 0.0)
    assert value.item() == pytest.approx(-2.0)


def test_proxy_nca_of_hopeless_rows_still_pulls():
    value, sim = row(proxies("ProxyNCA(scale=50.0)"), -1.0, 1.0)
    value.backward()
    assert value.item() == pytest.approx(10_000)
    same(sim.grad[0], torch.tensor([-5000.0, 5000.0], dtype=F64))


def test_proxy_nca_plus_plus_is_proxy_nca_with_the_own_proxy_in_the_sum():
    """−log(a/(a + b)) = log(1 + e^{−log(a/b)}), for T = 1/scale²."""
    z = embeddings()
    ours, classic = proxies("ProxyNCAPlusPlus()").per_row(z, Y), proxies("ProxyNCA(scale=3.0)").per_row(z, Y)
    same(ours, torch.nn.functional.softplus(classic))


def test_proxy_nca_plus_plus_is_normalised_softmax():
    z = embeddings()
    same(proxies("ProxyNCAPlusPlus(temperature=0.2)")(z, Y), proxies("NormSoftmax(temperature=0.1)")(z, Y))


def test_a_loss_on_several_centres_trains():
    """Two well-separated groups in each class: several centres fit what one cannot."""
    angles = torch.tensor([0.0, 180.0, 90.0, 270.0]).repeat(4).deg2rad()
    z, y = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 0, 1, 1]).repeat(4)
    reached = []
    for text in ("CosFace(scale=10.0)", "SoftTriple(scale=10.0, reference=Proxies(centres=2))"):
        loss = proxies(text, classes=2, dim=2, seed=1, dtype=torch.float32)
        optimiser = torch.optim.Adam(loss.parameters(), lr=0.1)
        for _ in range(60):
            optimiser.zero_grad()
            value = loss(z, y)
            value.backward()
            optimiser.step()
        reached.append(value.item())
    assert reached[1] < 0.01 < 0.5 < reached[0]

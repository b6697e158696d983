"""Losses of continuous labels: numbers by hand, what they ignore, and what each claims."""

import itertools
import math

import pytest
import torch

import isometry
from isometry import losses
from isometry.ops import log_ratios
from isometry.relation import Relation
from isometry.similarities import SNR, Truncated, chord, cosine, dot, hamming, squared_euclidean

F64 = torch.float64
SCALE_FREE = ("LogRatio()", "LogRatio(huber=0.4)", "LogRatio(aligned=0.7)", "LogRatio(nearest=0.5)", "Ratio()")


def points(n=12, d=4, t=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=F64), torch.randn(n, t, generator=g, dtype=F64)


def row(loss, near, far):
    """The cost of one row from distances of embeddings and of labels, and its gradient in the former."""
    near, far = torch.tensor([near], dtype=F64, requires_grad=True), torch.tensor([far], dtype=F64)
    both = torch.ones_like(far, dtype=torch.bool)
    terms = loss.objective(-near, Relation(pos=lambda: both, neg=lambda: ~both, gap=lambda: far))
    value = loss.finish({name: total.sum() / count.sum() for name, (total, count) in terms.items()})
    value.backward()
    return value.item(), near.grad[0]


@pytest.mark.parametrize("text", SCALE_FREE)
def test_moving_turning_and_scaling_either_side_change_nothing(text):
    z, y = points()
    turn, loss = torch.linalg.qr(torch.randn(4, 4, dtype=F64))[0], isometry.parse(text)
    torch.testing.assert_close(loss(3 * z @ turn + 1, y), loss(z, y))
    torch.testing.assert_close(loss(z, 7 * y - 2), loss(z, y))


@pytest.mark.parametrize("text", [text for text in SCALE_FREE if "nearest" not in text])  # a floor is held still
def test_nothing_is_gained_by_growing(text):
    """Euler: the gradient is at right angles to z as seen from the anchor, Σ (z_k − z_a)·∂ℓ/∂z_k = 0."""
    z, y = points()
    z.requires_grad_()
    isometry.parse(text)(z, y, rows=slice(1)).backward()
    assert (z.grad * (z - z[0])).sum().item() == pytest.approx(0, abs=1e-9)
    assert z.grad.abs().sum() > 0.1


@pytest.mark.parametrize("text", [*SCALE_FREE, "DenseTriplet(similarity=euclidean, margin=0.0)"])
def test_nothing_is_to_be_paid_where_distances_agree_and_something_where_one_does_not(text):
    y, loss = points(d=3)[1], isometry.parse(text)
    assert loss(0.2 * y + 3, y).item() == pytest.approx(0, abs=1e-12)
    moved = y.clone()
    moved[0] *= 5
    assert loss(moved, y) > 1e-3


def test_log_ratio_is_twice_the_unbiased_variance():
    z, y = points()
    u = (2 * (torch.cdist(z, z).log() - torch.cdist(y, y).log())).flatten()[1:].view(11, 13)[:, :-1].reshape(12, 11)
    torch.testing.assert_close(losses.LogRatio()(z, y), 2 * u.var(1).mean())
    pairs = [(u[a, i] - u[a, j]) ** 2 for a in range(12) for i, j in itertools.combinations(range(11), 2)]
    torch.testing.assert_close(losses.LogRatio()(z, y), torch.stack(pairs).mean())


def test_powers_of_both_sides_multiply_the_log_ratio():
    z, y = points()
    half = losses.LogRatio(embedding_power=1.0, label_power=1.0)
    torch.testing.assert_close(4 * half(z, y), losses.LogRatio()(z, y))
    logs = torch.stack([far[far > 0].log() for far in torch.cdist(y, y)])  # 2 log D − log D of labels as embeddings
    mixed = losses.LogRatio(embedding_power=2.0, label_power=1.0)
    torch.testing.assert_close(mixed(y, y), 2 * logs.var(1).mean())


@pytest.mark.parametrize("text", ["LogRatio()", "LogRatio(huber=0.5, aligned=1.0)", "Ratio()", "DenseTriplet()"])
def test_equal_labels_and_equal_embeddings_are_finite(text):
    z, y = points()
    y[1:5], z[2:4] = y[0].clone(), z[0].clone()
    z.requires_grad_()
    value = isometry.parse(text)(z, y)
    value.backward()
    assert value.isfinite()
    assert z.grad.isfinite().all()
    constant = isometry.parse(text)(z, torch.zeros(12, dtype=F64))
    assert constant.isfinite()


def test_rounding_in_single_precision_pulls_at_nothing():
    """Coinciding embeddings: one matrix product leaves some of them 3e-4 apart, and the slope of a log there is 3,000."""
    z, y = points(n=40, d=16)
    z[1:6] = z[0] + 1e-6 * torch.randn(5, 16, generator=torch.Generator().manual_seed(1), dtype=F64)
    found = []
    for kind, nearest in ((torch.float32, 1e-6), (F64, log_ratios.told_apart(torch.float32))):
        x = z.to(kind).requires_grad_()
        value = losses.LogRatio(nearest=nearest)(x, y.to(kind))
        value.backward()
        found.append((value.double(), x.grad.double()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=0)
    assert (found[0][1] - found[1][1]).norm() < 1e-3 * found[1][1].norm()


def test_the_scale_of_aligned_anchors_costs_no_digits_in_single_precision():
    """At 10⁴ against 10⁻⁸, c is 55: of c², 3,000, single precision keeps three digits behind the point."""
    z, y = points(n=30)
    exact = losses.LogRatio(aligned=1.0)(z, y) - losses.LogRatio()(z, y)
    z, y = (1e4 * z).float(), (1e-8 * y).float()
    apart = losses.LogRatio(aligned=1.0)(z, y) - losses.LogRatio()(z, y)
    assert apart.dtype == torch.float32
    assert apart.item() == pytest.approx(exact.item(), rel=1e-4)


@pytest.mark.parametrize("loss", [losses.LogRatio, losses.Ratio, losses.DenseTriplet])
@pytest.mark.parametrize(
    "similarity", [cosine, dot, squared_euclidean, hamming, SNR(), Truncated(size=2, similarity=squared_euclidean)]
)
def test_powers_are_of_distances(loss, similarity):
    with pytest.raises(ValueError, match=rf"^{loss.__name__} raises distances to powers, .* take chord or euclidean"):
        loss(similarity=similarity)
    z, y = points()
    assert loss(similarity=Truncated(size=4, similarity=chord))(z, y) == loss(similarity=chord)(z, y)


def test_a_wide_huber_is_the_square():
    z, y = points()
    for aligned in (0.0, 0.5):
        wide = losses.LogRatio(huber=100.0, aligned=aligned)
        torch.testing.assert_close(wide(z, y), losses.LogRatio(aligned=aligned)(z, y))


def test_huber_bounds_what_a_wrong_label_can_do():
    """In log D a pair's gradient is at most 4 huber/(m − 1) times the power; that of a square has no bound."""
    near = [1.0, 1.2, 0.7, 2.0, 1.5, 0.9]
    steep = {}
    for wrong in (1.0, 1e3, 1e9):
        far = [1.1, 1.0, 0.8, 1.7, 1.4, wrong]
        for huber in (0.5, math.inf):
            loss = losses.LogRatio(huber=huber, nearest=0.0)
            steep[huber, wrong] = (row(loss, near, far)[1] * torch.tensor(near, dtype=F64)).abs().max().item() / 2
    assert max(steep[0.5, wrong] for wrong in (1.0, 1e3, 1e9)) <= 4 * 0.5 / 5 + 1e-9
    assert steep[math.inf, 1e9] > 2.5 * steep[math.inf, 1e3] > 10 * 4 * 0.5 / 5


def test_a_wrong_label_leaves_the_robust_scale_where_it_is():
    """Of log-ratios 0, 0, 0, 0, M the clipped deviations cancel at huber/4, whatever M; the mean goes with it."""
    for far in (1e2, 1e6):
        value, slope = row(losses.LogRatio(huber=0.4, embedding_power=1.0, label_power=1.0, nearest=0.0),
                           [1.0, 1.0, 1.0, 1.0, far], [1.0] * 5)  # fmt: skip
        beyond = math.log(far) - 0.1
        assert value == pytest.approx(2 / 4 * (4 * 0.1**2 + 2 * 0.4 * beyond - 0.4**2))
        assert slope[:4].tolist() == pytest.approx([-0.1] * 4)


def test_aligned_adds_the_variance_of_the_anchors_scales():
    z, y = points()
    far = torch.cdist(z, z)[~torch.eye(12, dtype=torch.bool)].view(12, 11)
    gap = torch.cdist(y, y)[~torch.eye(12, dtype=torch.bool)].view(12, 11)
    scale = (2 * (far.log() - gap.log())).mean(1)
    expected = losses.LogRatio()(z, y) + 0.3 * scale.var(correction=0)
    torch.testing.assert_close(losses.LogRatio(aligned=0.3)(z, y), expected)


def test_aligned_anchors_end_at_one_scale_where_free_ones_do_not():
    """Labels in 6 dimensions do not fit into 2, so that each anchor would choose a scale of its own."""
    z, y = points(n=20, d=2, t=6)
    spread = {}
    for aligned in (0.0, 100.0):
        x = z.clone().requires_grad_()
        optimizer, loss = torch.optim.Adam([x], lr=0.05), losses.LogRatio(aligned=aligned)
        for _ in range(80):
            optimizer.zero_grad()
            loss(x, y).backward()
            optimizer.step()
        with torch.no_grad():
            spread[aligned] = (losses.LogRatio(aligned=1.0)(x, y) - losses.LogRatio()(x, y)).item()
    assert spread[100.0] < 0.1 * spread[0.0]


@pytest.mark.parametrize("settings", [{"huber": 0.0}, {"huber": -1.0}, {"aligned": -0.1}, {"nearest": -1e-3}])
def test_log_ratio_refuses_what_means_nothing(settings):
    with pytest.raises(ValueError, match="wants huber above 0"):
        losses.LogRatio(**settings)


def test_a_ratio_costs_one_way_what_it_does_not_the_other():
    """D = (1, 4), Y = (1, 2): (1/4 − 1/2)² = 0.0625 and (4 − 2)² = 4; the log-ratio is (log 2)² = .48045 both ways."""
    plain = {"embedding_power": 1.0, "label_power": 1.0}
    assert row(losses.Ratio(**plain), [1.0, 4.0], [1.0, 2.0])[0] == pytest.approx((0.0625 + 4) / 2)
    assert row(losses.LogRatio(**plain), [1.0, 4.0], [1.0, 2.0])[0] == pytest.approx(0.48045, abs=1e-5)


def test_a_ratio_near_its_end_keeps_its_digits_in_single_precision():
    """Distances right to one part in 1,000: the sums would cancel six digits; the value is that of the loop in double."""
    g = torch.Generator().manual_seed(0)
    far = torch.rand(1, 200, generator=g, dtype=F64) + 0.5
    near = far * (1 + 1e-3 * torch.randn(1, 200, generator=g, dtype=F64))
    near, far = near.float(), far.float()
    every = Relation(pos=lambda: torch.ones(1, 200, dtype=torch.bool), gap=lambda: far)
    (total, _) = losses.Ratio(embedding_power=1.0, label_power=1.0).objective(-near, every)["ratio"]
    a, b = near[0].double(), far[0].double()
    apart = (a[:, None] / a - b[:, None] / b).square().sum() / (200 * 199)
    assert total.item() == pytest.approx(apart.item(), rel=1e-4)


def test_nearest_bounds_the_pull_of_a_ratio():
    """Of a pair that nearly coincides: without a floor the gradient grows as 1/D³."""
    steep = [row(losses.Ratio(nearest=nearest), [1e-2, 1.0, 1.0], [1.0, 1.0, 1.0])[1].abs().max().item()
             for nearest in (0.1, 1e-6)]  # fmt: skip
    assert steep[1] > 1e4 * steep[0]
    with pytest.raises(ValueError, match="nearest is above 0"):
        losses.Ratio(nearest=0.0)

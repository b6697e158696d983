"""Losses over ranked lists: numbers worked by hand, and what their papers claim."""

import math

import pytest
import torch

import isometry
from isometry import losses, metrics
from isometry.losses import Heaviside, Sigmoid, Soft, UpperBound
from isometry.relation import Relation
from isometry.relations import label_tree, same_class

F64 = torch.float64


def row(loss, sims, hits):
    """The loss of one row, and its gradient, from similarities and whether each is a positive."""
    sim, pos = torch.tensor([sims], dtype=F64, requires_grad=True), torch.tensor([hits])
    terms = loss.objective(sim, Relation(pos=lambda: pos, neg=lambda: ~pos))
    value = sum(total.sum() / count.sum().clamp_min(1) for total, count in terms.values())
    value.backward()
    return value.item(), sim.grad[0]


def ranked(n=40, classes=8, seed=0):
    g = torch.Generator().manual_seed(seed)
    z, y = torch.randn(n, 5, dtype=F64, generator=g), torch.randint(0, classes, (n,), generator=g)
    unit, ids = torch.nn.functional.normalize(z, dim=1), torch.arange(n)
    return z, y, unit @ unit.T, same_class(y, y).without_self(ids, ids)


@pytest.mark.parametrize("text", ["MAP()", "MAPAtR()", "RPrecision()", "Precision(k=3)", "Recall(k=2)", "MRR()"])
def test_a_soft_metric_with_hard_steps_is_the_metric(text):
    z, y, sim, rel = ranked()
    metric = isometry.parse(text)
    hard = Soft(metric=metric, step=Heaviside(), cut=Heaviside())
    assert hard(z, y).item() == pytest.approx(1 - metric(sim, rel).nanmean().item(), abs=1e-6)


def test_a_soft_graded_metric_with_hard_steps_is_the_metric():
    z, _, sim, _ = ranked()
    paths, ids = torch.randint(0, 3, (40, 2)), torch.arange(40)
    hard = Soft(metric=metrics.NDCG(k=7), step=Heaviside(), cut=Heaviside(), relate=label_tree)
    exact = metrics.NDCG(k=7)(sim, label_tree(paths, paths).without_self(ids, ids))
    assert hard(z, paths).item() == pytest.approx(1 - exact.nanmean().item(), abs=1e-6)


@pytest.mark.parametrize("text", ["MAP()", "MRR()"])
def test_a_soft_metric_tends_to_the_metric_as_the_temperature_falls(text):
    z, y, sim, rel = ranked()
    metric = isometry.parse(text)
    sharp = Soft(metric=metric, step=Sigmoid(temperature=1e-6))
    assert sharp(z, y).item() == pytest.approx(1 - metric(sim, rel).nanmean().item(), abs=1e-4)


def test_a_metric_without_a_soft_form_says_so():
    class Depth(metrics.MAP):
        soft = metrics.metric.Metric.soft

    with pytest.raises(ValueError, match="has no soft form"):
        Soft(metric=Depth())(*ranked()[:2])


def test_smooth_ap_of_perfect_classes_of_any_size_and_order_is_zero():
    """A peer groups by the wrong size: .33 for 8 classes of 4, and another value when they are shuffled."""
    y = torch.arange(8).repeat_interleave(torch.tensor([4, 4, 4, 2, 3, 9, 1, 5]))[torch.randperm(32)]
    assert losses.SmoothAP()(torch.eye(8, dtype=F64)[y], y).item() == pytest.approx(0, abs=1e-9)


def test_smooth_ap_by_hand():
    value, _ = row(losses.SmoothAP(temperature=1e-4), [0.9, 0.8, 0.7, 0.3], [True, False, True, False])
    assert value == pytest.approx(1 - (1 + 2 / 3) / 2)


def test_ranks_of_many_positives_need_no_triplets():
    z, y = torch.randn(300, 4, requires_grad=True), torch.arange(300) % 2
    value = losses.SmoothAP()(z, y)
    value.backward()
    with isometry.memory_budget(40 * 300 * 4):
        torch.testing.assert_close(losses.SmoothAP()(z, y), value)
    assert z.grad.isfinite().all()


def test_fast_ap_on_bin_centres_is_average_precision():
    centres = [1 - d / 2 for d in (0.4, 0.8, 1.2)]
    value, _ = row(losses.FastAP(), centres, [True, False, True])
    assert 1 - value == pytest.approx(0.83333, abs=1e-5)


def test_fast_ap_is_blind_inside_a_bin():
    perfect, _ = row(losses.FastAP(), [0.98, 0.97, 0.96, 0.1], [True, True, True, False])
    assert perfect == pytest.approx(0)
    tied, _ = row(losses.FastAP(), [0.6] * 5, [True, True, False, False, False])
    assert 1 - tied == pytest.approx(2 / 5)


def test_fast_ap_gradient_is_that_of_its_paper():
    """∂/∂h⁺_l = (H⁺H + h⁺H⁻)/H² + Σ_{l'>l} h⁺H⁻/H², ∂/∂h⁻_l = −Σ_{l'≥l} h⁺H⁺/H², each over N⁺."""
    from isometry.ops import histograms

    sim, pos = torch.rand(1, 30, dtype=F64) * 2 - 1, torch.rand(1, 30) < 0.4
    h_pos, h_neg = (h[0] for h in histograms.tents((1 - sim) * 5, pos, ~pos, 10))
    up, down = h_pos.cumsum(0), h_neg.cumsum(0)
    whole = (up + down).clamp_min(1e-30)
    later = h_pos * down / whole**2
    on_pos = (up * whole + h_pos * down) / whole**2 + later.flip(0).cumsum(0).flip(0) - later
    on_neg = -(h_pos * up / whole**2).flip(0).cumsum(0).flip(0)
    bins = ((1 - sim) * 5).long()[0]
    slope = torch.where(pos[0], on_pos.diff()[bins], on_neg.diff()[bins]) * -5 / pos.sum()
    _, grad = row(losses.FastAP(), sim[0].tolist(), pos[0].tolist())
    torch.testing.assert_close(grad, -slope)


@pytest.mark.parametrize("name", ["FastAP", "Histogram"])
def test_histograms_want_a_similarity_with_bounds(name):
    with pytest.raises(ValueError, match="a similarity with bounds"):
        isometry.parse(f"{name}(similarity=squared_euclidean)")
    with pytest.raises(ValueError, match="one bin or more"):
        isometry.parse(f"{name}(bins=0)")


@pytest.mark.parametrize(("k", "margin", "expected"), [(2, 0.1, 0.2), (2, 0.0, 0.1), (1, 0.1, 0), (3, 0.1, 0)])
def test_precision_at_k_by_hand(k, margin, expected):
    value, _ = row(losses.PrecisionAtK(k=k, margin=margin), [0.9, 0.8, 0.7, 0.3], [True, False, True, False])
    assert value == pytest.approx(expected)


def test_precision_at_k_bounds_what_is_misplaced():
    """ℓ ≥ margin × misplaced, and 0 exactly when all of the first min(k, |P|) are positives by the margin."""
    loss = losses.PrecisionAtK(k=4, margin=0.1)
    for seed in range(30):
        g = torch.Generator().manual_seed(seed)
        sim, hits = torch.rand(12, generator=g, dtype=F64), torch.rand(12, generator=g) < 0.4
        if not hits.any():
            continue
        value, _ = row(loss, sim.tolist(), hits.tolist())
        wanted = min(4, int(hits.sum()))
        found = int(hits[sim.argsort(descending=True)][:4].sum())
        assert value >= 0.1 * (wanted - found) - 1e-9
        allowed = hits[(sim + 0.1 * ~hits).argsort(descending=True)][:4]
        assert (value < 1e-9) == (int(allowed.sum()) == wanted)


def test_precision_at_one_is_the_triplet_of_easiest_positive_and_hardest_negative():
    value, grad = row(losses.PrecisionAtK(k=1, margin=0.2), [0.3, 0.5, 0.6, 0.1], [True, True, False, False])
    assert value == pytest.approx(0.3)
    assert grad.tolist() == [0, -1, 1, 0]


@pytest.mark.parametrize(
    ("pos", "neg", "expected"), [([0.8, 0.9], [0.1, -0.2], 0), ([0.1, -0.2], [0.8, 0.9], 1), ([0.5], [0.5], 1)]
)
def test_histogram_loss_is_the_chance_of_a_reversed_pair(pos, neg, expected):
    loss = losses.Histogram(bins=20)
    sim, hits = torch.tensor([pos + neg], dtype=F64), torch.tensor([[True] * len(pos) + [False] * len(neg)])
    terms = loss.objective(sim, Relation(pos=lambda: hits, neg=lambda: ~hits))
    means = {name: total.sum(0) / count.sum() for name, (total, count) in terms.items()}
    assert loss.finish(means).item() == pytest.approx(expected)


def test_histogram_loss_tends_to_the_share_of_reversed_pairs():
    z, y, sim, rel = ranked()
    pos, neg = sim[rel.pos], sim[rel.neg]
    share = (neg[:, None] > pos[None]).double().mean().item()
    assert losses.Histogram(bins=100_000)(z, y).item() == pytest.approx(share, abs=1e-3)


def test_recall_at_k_of_a_perfect_row():
    """Ranks 1 and 2: at k = 1 the first counts σ(0) and the second σ(−1/τ₂), of min(k, |P|) = 1."""
    loss = losses.RecallAtK(k=(1,), temperature=1e-4)
    value, _ = row(loss, [0.9, 0.8, 0.1], [True, True, False])
    assert value == pytest.approx(1 - 0.5 - 1 / (1 + math.e))
    with pytest.raises(ValueError, match="looks at no place"):
        losses.RecallAtK(k=(0, 1))


def test_sup_ap_is_never_below_one_minus_average_precision():
    for seed in range(10):
        z, y, sim, rel = ranked(seed=seed)
        bound = losses.ROADMAP(balance=0.0).per_row(z, y)
        exact = 1 - metrics.MAP()(sim, rel)
        known = exact.isfinite()
        assert (bound[known] >= exact[known] - 1e-6).all()


def test_the_upper_bound_is_above_the_step_and_joins_at_delta():
    step, x = UpperBound(), torch.linspace(-1, 1, 4001, dtype=F64)
    assert (step(x) >= (x > 0).double()).all()
    assert step(torch.tensor([0.05, 0.05 + 1e-9], dtype=F64)).tolist() == pytest.approx([1.4933] * 2, abs=1e-4)
    assert (step(x).diff() >= 0).all()


def test_pnp_charges_a_positive_for_the_negatives_before_it_only():
    hits = [False, True, True, False]
    value, _ = row(losses.PNP(temperature=1e-4), [0.9, 0.8, 0.7, 0.1], hits)
    assert value == pytest.approx(1)
    assert row(losses.PNP(temperature=1e-4), [0.9, 0.2, 0.15, 0.1], hits)[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("penalty", "rising"), [("PNPIu()", True), ("PNPIb()", True), ("PNPDs()", False), ("PNPDq(alpha=4.0)", False)]
)
def test_slopes_of_pnp_penalties_rise_or_fall(penalty, rising):
    r = torch.linspace(0, 20, 200, dtype=F64)
    bend = isometry.parse(penalty)(r[None])[0].diff().diff()
    assert (bend > 0).all() if rising else (bend < 0).all()


def test_blackbox_ap_has_the_value_of_average_precision():
    z, y, sim, rel = ranked()
    value = losses.BlackboxAP(margin=0.0)(z, y).item()
    assert value == pytest.approx(1 - metrics.MAP()(sim, rel).nanmean().item(), abs=1e-6)


def test_blackbox_ap_gradient_comes_from_ranking_twice():
    """s = .5⁻ .4⁺: rank 2, g = 1/4, s + 4 g = 1.4 is first: the ranks change by −1 and +1, over λ = 4."""
    value, grad = row(losses.BlackboxAP(margin=0.0), [0.5, 0.4], [False, True])
    assert value == pytest.approx(0.5)
    assert grad.tolist() == [0.25, -0.25]


def test_blackbox_ap_is_lowered_by_steps_that_change_ranks():
    z, y, *_ = ranked(24, classes=4)
    loss, x = losses.BlackboxAP(), z.clone().requires_grad_()
    before = loss(x, y).item()
    for _ in range(100):
        (grad,) = torch.autograd.grad(loss(x, y), x)
        x = (x - 10 * grad).detach().requires_grad_()
    assert loss(x, y).item() < 0.5 * before


def hierarchical(s, paths, i, step, alpha=1.0):
    """The paper's surrogate of one row, in loops."""
    levels, others = len(paths[i]), [j for j in range(len(paths)) if j != i]
    level = {j: next((at for at in range(levels) if paths[i][at] != paths[j][at]), levels) for j in others}
    many = [sum(level[j] == at for j in others) for at in range(levels + 1)]
    rel = {j: (level[j] / levels) ** alpha / many[level[j]] for j in others}
    total = 0.0
    for k in others:
        if level[k]:
            up = [j for j in others if s[j] > s[k]]
            rank = 1 + sum(level[j] >= level[k] for j in up)
            rank += sum(step(s[j] - s[k]).item() for j in others if level[j] < level[k])
            total += (rel[k] + sum(min(rel[j], rel[k]) for j in up)) / rank
    return 1 - total / sum(rel.values())


@pytest.mark.parametrize("alpha", [1.0, 2.0])
@pytest.mark.parametrize("text", ["UpperBound()", "Heaviside()"])
def test_happier_equals_its_double_loop_on_a_tree(text, alpha):
    z, *_, step = *ranked(24), isometry.parse(text)
    paths = torch.stack([torch.arange(24) // 12, torch.arange(24) // 4, torch.arange(24) // 2], 1)
    loss = losses.HAPPIER(relate=label_tree, step=step, alpha=alpha)
    sim = torch.nn.functional.normalize(z, dim=1)
    expected = [hierarchical(sim[i] @ sim.T, paths.tolist(), i, step, alpha) for i in range(24)]
    assert loss.per_row(z, paths).tolist() == pytest.approx(expected, rel=1e-9)


def test_happier_of_a_tree_that_is_kept_is_zero_and_of_coarse_levels_alone_is_not():
    paths = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 1], [1, 2], [1, 2], [1, 3], [1, 3]])
    degrees = torch.tensor([0.0, 1, 40, 41, 180, 181, 220, 221], dtype=F64).deg2rad()
    z = torch.stack([degrees.cos(), degrees.sin()], 1)
    loss = losses.HAPPIER(relate=label_tree)
    assert loss(z, paths).item() == pytest.approx(0, abs=1e-4)
    assert loss(z[[0, 2, 1, 3, 4, 6, 5, 7]], paths).item() > 0.05

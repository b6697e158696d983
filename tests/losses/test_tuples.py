"""Losses of tuples, bounds and trees: numbers by hand, and what the papers claim."""

import itertools
import math

import numpy as np
import pytest
import torch

import isometry
from isometry import losses
from isometry.ops import spanning_tree
from isometry.references import Simplex
from tests.losses.points import at_distances, on_circle, random

F64 = torch.float64


def test_tuplet_margin_without_slack_is_the_normalised_n_pair_loss():
    z, y = random()
    s = torch.nn.functional.normalize(z) @ torch.nn.functional.normalize(z).T
    rows = range(len(y))
    pairs = [(a, p) for a in rows for p in rows if a != p and y[a] == y[p]]
    each = [math.log1p(sum(math.exp(8 * (s[a, n] - s[a, p])) for n in rows if y[n] != y[a])) for a, p in pairs]
    value = losses.TupletMargin(scale=8.0, beta=0.0)(z, y)
    assert value.item() == pytest.approx(sum(each) / len(each))


def test_tuplet_slack_is_an_angle():
    z, y = on_circle(0, 30, 90), torch.tensor([0, 0, 1])
    value = losses.TupletMargin(scale=2.0, beta=math.radians(10))(z, y, rows=slice(1), ids=torch.arange(3))
    assert value.item() == pytest.approx(math.log1p(math.exp(-2 * math.cos(math.radians(20)))))


def test_duplicates_have_a_finite_angle():
    z, y = torch.eye(3, dtype=F64)[[0, 0, 1, 1]].requires_grad_(), torch.tensor([0, 0, 1, 1])
    value = losses.TupletMargin()(z, y)
    value.backward()
    assert value.item() == pytest.approx(math.exp(-64 * math.cos(0.1)) * 2)
    assert z.grad.isfinite().all()


def test_angular_is_the_triangle_of_the_paper():
    z, y = random(3, 4, 2)
    y = torch.tensor([0, 0, 1])
    a, p, n = torch.nn.functional.normalize(z)
    t = math.tan(math.radians(40)) ** 2
    hinge = (a - p).square().sum() - 4 * t * (n - (a + p) / 2).square().sum()
    value = losses.Angular(alpha=40.0).per_row(z, y)[0]
    assert value.item() == pytest.approx(math.log1p(math.exp(hinge - 2 + 6 * t)))


def test_angular_does_not_depend_on_lengths():
    z, y = random()
    lengths = torch.linspace(0.1, 10, len(y), dtype=F64)[:, None]
    torch.testing.assert_close(losses.Angular()(lengths * z, y), losses.Angular()(z, y))


def test_the_angular_loss_has_a_gradient_at_steep_angles():
    """4 t is 3,283 at 88°: powers of positives, which do not count, are beyond all numbers."""
    z, y = random(16, 8, 4)
    z = z.float().requires_grad_()
    (slope,) = torch.autograd.grad(losses.Angular(alpha=88.0)(z, y), z)
    assert slope.isfinite().all()
    assert slope.norm() > 1


def test_angular_takes_negatives_from_a_memory_and_positives_from_the_batch():
    z, y = random(6, 4, 2)
    more, y_more = random(5, 4, 1, seed=1)
    y_more = y_more + 7
    ids = torch.arange(11)
    value = losses.Angular()(z, y, ids=ids[:6], against=(torch.cat([more, z]), torch.cat([y_more, y]), ids.roll(5)))
    both = losses.Angular()(torch.cat([z, more]), torch.cat([y, y_more]), ids=ids, rows=slice(6))
    assert value.item() == pytest.approx(both.item())
    with pytest.raises(ValueError, match="Angular finds positives among the queries by their ids"):
        losses.Angular()(z, y, against=(z, y))


def bound(x, y, c):
    """Σ over all triplets of the bound and of what it bounds."""
    n = range(len(y))
    d = lambda a, b: np.linalg.norm(a - b)  # noqa: E731
    upper = lower = 0.0
    for i, j, k in itertools.product(n, n, n):
        if i != j and y[i] == y[j] != y[k]:
            lower += d(x[i], x[j]) - d(x[i], x[k])
            upper += d(x[i], c[y[i]]) - d(x[i], c[y[k]]) + d(x[j], c[y[i]]) + d(x[k], c[y[k]])
    return upper, lower


def test_discriminative_is_the_sum_over_triplets_and_bounds_them():
    z, y = random(12, 4, 3)
    loss = losses.Discriminative(num_classes=3, dim=4).double()
    c = loss.reference.embeddings.numpy()
    upper, lower = bound(torch.nn.functional.normalize(z).numpy(), y.numpy(), c)
    often = 3 * (3 - 1) * (12 / 3 - 1) * (12 / 3)
    assert often * 12 * loss(z, y).item() == pytest.approx(upper)
    assert upper > lower
    y[0] = 1
    uneven, _ = bound(torch.nn.functional.normalize(z).numpy(), y.numpy(), c)
    assert often * 12 * loss(z, y).item() != pytest.approx(uneven, rel=1e-3)


def test_the_bound_is_tight_at_the_centroids():
    c = Simplex(num_classes=4, dim=6).embeddings.double()
    y = torch.arange(12) % 4
    upper, lower = bound(c[y].numpy(), y.numpy(), c.numpy())
    assert upper == pytest.approx(lower)


@pytest.mark.parametrize(("classes", "dim"), [(1, 3), (2, 1), (6, 5), (20, 64), (100, 128)])
def test_a_simplex_is_regular_where_it_fits(classes, dim):
    c = Simplex(num_classes=classes, dim=dim).embeddings.double()
    assert c.shape == (classes, dim)
    expected = torch.full((classes, classes), -1 / max(classes - 1, 1), dtype=F64).fill_diagonal_(1)
    torch.testing.assert_close(c @ c.T, expected, rtol=0, atol=1e-6)


def test_a_simplex_that_does_not_fit_is_directions_of_its_seed():
    c = [Simplex(num_classes=50, dim=8, seed=seed).embeddings for seed in (0, 0, 1)]
    assert torch.equal(c[0], c[1])
    assert not torch.equal(c[0], c[2])
    torch.testing.assert_close(c[0].norm(dim=1), torch.ones(50))


def edges(points, labels, ids=None):
    """Edges of the trees of points on a line, as pairs of positions."""
    z, y = torch.tensor(points, dtype=F64)[:, None], torch.tensor(labels)
    ids = torch.arange(len(y)) if ids is None else torch.tensor(ids)
    rel = isometry.relations.same_class(y, y).without_self(ids, ids)
    found = spanning_tree.tree(isometry.similarities.euclidean(z, z), rel.pos, ids, ids)
    assert torch.equal(found, found.T)
    return {(i, j) for i, j in found.nonzero().tolist() if i < j}


def test_a_class_on_a_line_is_a_chain():
    assert edges([0.0, 1.0, 3.0, 7.0], [0] * 4) == {(0, 1), (1, 2), (2, 3)}
    assert edges([7.0, 0.0, 3.0, 1.0], [0] * 4) == {(1, 3), (2, 3), (0, 2)}
    assert edges([0.0, 5.0, 1.0, 5.1, 9.0], [0, 1, 0, 1, 2]) == {(0, 2), (1, 3)}  # a class of one has no edges
    assert edges([0.0, 1.0, 2.0], [0, -1, 0]) == {(0, 2)}
    assert len(edges([4.0] * 5, [0] * 5)) == 4  # among equals any tree will do
    assert edges([0.0, 0.0, 1.0], [0] * 3, ids=[7, 7, 3]) == {(0, 2), (1, 2)}  # one item, listed twice


def test_trees_are_minimal():
    from scipy.sparse.csgraph import minimum_spanning_tree

    z, _ = random(30, 3, 1)
    d = torch.cdist(z, z)
    n = torch.arange(30)
    found = spanning_tree.tree(-d, n[:, None] != n, n, n)
    assert found.sum() == 2 * 29
    assert float((d * found).sum()) / 2 == pytest.approx(float(minimum_spanning_tree(d.numpy()).sum()))


def test_damlrrm_pulls_along_the_tree_only():
    z, y = on_circle(0, 10, 30, 200), torch.tensor([0, 0, 0, 1])
    s = torch.nn.functional.normalize(z) @ torch.nn.functional.normalize(z).T
    pull = (1 - s[0, 1]) * 2 + (1 - s[1, 2]) * 2
    value = losses.DAMLRRM(loss=losses.Contrastive(negative=1.0))(z, y)
    assert value.item() == pytest.approx(float(pull) / 4)
    with pytest.raises(ValueError, match="chooses pairs of a row"):
        losses.DAMLRRM(loss=losses.ProxyAnchor(num_classes=3, dim=2))
    with pytest.raises(ValueError, match=r"has similarity=chord and DAMLRRM cosine: say similarity=chord of both"):
        losses.DAMLRRM(loss=losses.Margin(dim=2))


def test_identical_triplets_weigh_their_whole_share():
    loss = losses.DynamicSoftMargin(bins=5).double()  # bins at −2, −1, 0, 1, 2
    z, y = torch.ones(6, 3, dtype=F64), torch.arange(6) % 2
    loss.observe(z, y)
    assert loss.histogram.tolist() == pytest.approx([0, 0, 1, 0, 0])
    gap = at_distances(1.0, 1.0)  # D_ap = D_an: the difference is 0, where the whole share has been reached
    value = loss(gap, torch.tensor([0, 0, 1]), rows=slice(1), ids=torch.arange(3))
    assert value.item() == pytest.approx(0)
    near = at_distances(1.0, 0.9999)  # hardly harder: it weighs 1 all the same
    value = loss(near, torch.tensor([0, 0, 1]), rows=slice(1), ids=torch.arange(3))
    assert value.item() == pytest.approx(1e-4)


def test_the_largest_difference_has_a_bin():
    loss = losses.DynamicSoftMargin().double()
    z, y = on_circle(0, 180, 0), torch.tensor([0, 0, 1])  # D_ap − D_an = 2
    loss.observe(z, y)
    assert loss.histogram[-1] > 0.4
    assert loss(z, y, rows=slice(1), ids=torch.arange(3)).item() == pytest.approx(2)


def test_the_distribution_moves_by_its_momentum_and_resumes():
    loss, (z, y) = losses.DynamicSoftMargin(bins=64, momentum=0.25).double(), random()
    loss.observe(z, y)
    first = loss.histogram.clone()
    assert first.sum().item() == pytest.approx(1)
    loss.observe(-z.roll(1, 1), y)
    other = losses.DynamicSoftMargin(bins=64).double()
    other.observe(-z.roll(1, 1), y)
    torch.testing.assert_close(loss.histogram, first.lerp(other.histogram, 0.25))
    loss.observe(z[:1], y[:1])  # nothing to see
    torch.testing.assert_close(loss.histogram, first.lerp(other.histogram, 0.25))
    with isometry.memory_budget(3 * len(z) * 8):
        blocked = losses.DynamicSoftMargin(bins=64).double()
        blocked.observe(-z.roll(1, 1), y)
    torch.testing.assert_close(blocked.histogram, other.histogram)
    again = losses.DynamicSoftMargin(bins=64).double()
    again.load_state_dict(loss.state_dict())
    assert again(z, y) == loss(z, y)
    with pytest.raises(ValueError, match="has no bounds"):
        losses.DynamicSoftMargin(similarity=isometry.similarities.euclidean)


def test_a_class_without_a_boundary_is_named():
    with pytest.raises(ValueError, match="Label 3 has no boundary: labels are 0 … 2"):
        losses.Margin(dim=4, num_classes=3, per_class=True)(*random(classes=4))


def test_the_easiest_positive_in_a_memory_is_not_the_row_itself():
    z, y = random()
    loss = isometry.parse("Triplet(select=EasyPositive(), reference=Memory(size=12))", dim=4).double()
    loss.observe(z, y, torch.arange(12))
    plain = losses.Triplet(select=losses.EasyPositive())(z, y)
    assert plain > 0
    torch.testing.assert_close(loss(z, y, ids=torch.arange(12)), plain)

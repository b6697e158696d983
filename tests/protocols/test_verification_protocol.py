"""Verification from pair lists: the published folds and grid, the exact best threshold, and rates of error."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from isometry.data.pairs import Pairs
from isometry.protocols.verification import grid_accuracy, verify
from isometry.similarities import euclidean


def lists(n=240, noise=1.0, seed=0):
    """Embeddings of `2n` items, interleaved as in the published packs, half of the pairs the same."""
    g = torch.Generator().manual_seed(seed)
    same = torch.rand(n, generator=g) < 0.5
    left = torch.randn(n, 16, generator=g)
    other = torch.where(same[:, None], left, torch.randn(n, 16, generator=g))
    z = torch.stack([left, other + noise * torch.randn(n, 16, generator=g)], 1).flatten(0, 1)
    return z, Pairs(torch.arange(0, 2 * n, 2), torch.arange(1, 2 * n, 2), same)


def published(z, same, folds):
    """Ten consecutive folds, thresholds 0, 0.01, … on squared distances of unit vectors, by loops."""
    unit = z.double().numpy() / np.linalg.norm(z.double().numpy(), axis=1, keepdims=True)
    dist, same = ((unit[0::2] - unit[1::2]) ** 2).sum(1), same.numpy()
    accuracy, chosen = [], []
    for rest, tested in KFold(folds, shuffle=False).split(dist):
        grid = np.arange(0, 4, 0.01)
        right = [((dist[rest] < t) == same[rest]).mean() for t in grid]
        chosen.append(grid[int(np.argmax(right))])
        accuracy.append(((dist[tested] < chosen[-1]) == same[tested]).mean())
    return np.array(accuracy), np.array(chosen)


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_the_published_protocol(noise):
    z, pairs = lists(noise=noise)
    found, (accuracy, threshold) = grid_accuracy(z, pairs), published(z, pairs.same, 10)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(found.threshold, threshold, atol=1e-12)
    assert (found.mean, found.std) == (pytest.approx(accuracy.mean()), pytest.approx(accuracy.std()))
    assert found.standard_error == pytest.approx(accuracy.std(ddof=1) / 10**0.5)
    assert repr(found) == f"{accuracy.mean():.4f} ± {accuracy.std():.4f}"


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_the_exact_threshold_is_the_best_of_all_on_the_other_folds(noise):
    z, pairs = lists(noise=noise)
    found = verify(z, pairs)
    for k, (threshold, accuracy) in enumerate(zip(found.accuracy.threshold, found.accuracy.accuracy, strict=True)):
        rest, tested = found.fold != k, found.fold == k
        every = torch.cat([found.score[rest], torch.tensor([torch.inf])]).double()[:, None]
        right = ((found.score[rest].double() >= every) == found.same[rest]).double().mean(1)
        assert ((found.score[rest].double() >= threshold) == found.same[rest]).double().mean() == right.max()
        assert ((found.score[tested].double() >= threshold) == found.same[tested]).double().mean() == accuracy
    assert not torch.isin(found.accuracy.threshold, found.score).any()  # between scores


def test_a_threshold_between_the_grid_is_missed_by_the_grid_only():
    """Distances 0.012 and 0.018 lie between 0.01 and 0.02."""
    angle = torch.tensor([0.012, 0.018] * 4).sqrt()
    z = torch.stack([torch.ones(8), torch.zeros(8), angle.cos(), angle.sin()], 1).view(16, 2)
    order = torch.arange(8)
    pairs = Pairs(2 * order, 2 * order + 1, order % 2 == 0, order // 4)
    assert verify(z, pairs).accuracy.mean == 1
    assert grid_accuracy(z, pairs).mean == 0.5


def test_rates_of_error_of_a_list():
    z, pairs = lists(noise=2.0)
    found = verify(z, pairs)
    unit = torch.nn.functional.normalize(z, dim=1)
    torch.testing.assert_close(found.score, (unit[0::2] * unit[1::2]).sum(1))
    assert found.auroc == pytest.approx(roc_auc_score(pairs.same, found.score))
    impostor, genuine = found.score[~pairs.same], found.score[pairs.same]
    for far in (0.05, 0.2):
        threshold = found.threshold(far)
        assert (impostor >= threshold).double().mean() <= far
        assert found.tar(far) == pytest.approx((genuine >= threshold).double().mean().item())
    assert 0 < found.eer < 0.5
    far, tar = found.steps.rates()
    assert (far[0], tar[0], far[-1], tar[-1]) == (0, 0, 1, 1)
    with pytest.raises(ValueError, match="cannot measure"):
        found.tar(1e-4)


def test_consecutive_folds_are_those_of_published_code_whatever_the_count():
    z, pairs = lists(n=47, noise=3.0)
    accuracy, _ = published(z, pairs.same, 10)
    assert len(set(accuracy)) > 3
    np.testing.assert_allclose(grid_accuracy(z, pairs).accuracy, accuracy, atol=1e-12)


def test_any_similarity_and_its_text():
    z, pairs = lists(n=150)
    by_distance = verify(z, pairs, similarity="euclidean").score
    torch.testing.assert_close(by_distance, -(z[0::2] - z[1::2]).norm(dim=1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(verify(z, pairs, similarity=euclidean).score, by_distance)
    own = verify(z, pairs, similarity=lambda q, r: q @ r.T).score
    torch.testing.assert_close(own, (z[0::2] * z[1::2]).sum(1), atol=1e-5, rtol=1e-5)


def test_a_collapsed_model_scores_chance():
    _, pairs = lists(n=200)
    pairs = Pairs(pairs.left, pairs.right, torch.arange(200) % 2 == 0)
    found = verify(torch.ones(400, 3), pairs)
    assert (found.auroc, found.eer, found.tar(0.1)) == (0.5, 0.5, 0)
    assert found.accuracy.mean == grid_accuracy(torch.ones(400, 3), pairs).mean == 0.5


def test_bad_input_is_refused():
    z, pairs = lists(n=20)
    with pytest.raises(ValueError, match=r"items 0 to 39 and there are 30 embeddings"):
        verify(z[:30], pairs)
    with pytest.raises(ValueError, match="NaN or Inf"):
        verify(z.clone().fill_(torch.nan), pairs)
    with pytest.raises(ValueError, match="other folds"):
        verify(z, Pairs(pairs.left, pairs.right, pairs.same, torch.zeros(20, dtype=torch.int64)))
    with pytest.raises(ValueError, match="no pair"):
        verify(z, pairs.select(torch.zeros(20, dtype=torch.bool)))
    with pytest.raises(ValueError, match=r"\[n d\]"):
        grid_accuracy(z[0], pairs)
    with pytest.raises(ValueError, match="The similarity of some pair is NaN"):
        verify(z, pairs, similarity=lambda q, r: (q @ r.T).log())

"""Error rates against scikit-learn, against loops over all thresholds, and against numbers worked by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from isometry.ops import roc


def draw(seed, genuine, impostor, levels):
    """Scores of both kinds with many ties (few levels) or few."""
    random = np.random.default_rng(seed)
    g = np.round(random.normal(0.6, 0.3, genuine) * levels) / levels
    i = np.round(random.normal(0.0, 0.3, impostor) * levels) / levels
    return torch.tensor(g, dtype=torch.float32), torch.tensor(i, dtype=torch.float32)


CASES = [(seed, g, i, levels) for seed in range(2) for g, i in ((40, 60), (1, 50), (50, 1), (99, 300))
         for levels in (3, 20, 10**6)]  # fmt: skip


@pytest.fixture(params=CASES, ids=str)
def scores(request):
    return draw(*request.param)


def test_areas_equal_scikit_learn(scores):
    genuine, impostor = scores
    truth, score = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], torch.cat([genuine, impostor]).numpy()
    found = roc.steps(genuine, impostor)
    assert roc.auroc(found).value == pytest.approx(metrics.roc_auc_score(truth, score), abs=1e-12)
    assert roc.average_precision(found).value == pytest.approx(metrics.average_precision_score(truth, score), abs=1e-12)
    assert roc.auroc(found).error == roc.average_precision(found).error == 0


def test_the_curve_is_scikit_learns(scores):
    genuine, impostor = scores
    truth, score = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], torch.cat([genuine, impostor]).numpy()
    fpr, tpr, threshold = metrics.roc_curve(truth, score, drop_intermediate=False)
    found = roc.steps(genuine, impostor)
    far, tar = found.rates()
    np.testing.assert_allclose(far, fpr, atol=1e-12)
    np.testing.assert_allclose(tar, tpr, atol=1e-12)
    np.testing.assert_array_equal(found.low, threshold[1:])


@pytest.mark.parametrize("far", [1.0, 0.1, 1 / 3, 1 / 50])
def test_tar_is_the_largest_of_all_thresholds_and_its_threshold_attains_it(scores, far):
    genuine, impostor = scores
    if far < 1 / len(impostor):
        with pytest.raises(ValueError, match="cannot measure"):
            roc.tar_at(roc.steps(genuine, impostor), far)
        return
    reading = roc.tar_at(roc.steps(genuine, impostor), far)
    t = torch.cat([genuine, impostor, torch.tensor([math.inf])])[:, None]
    fits = (impostor >= t).double().mean(1) <= far
    assert reading.value == (genuine >= t).double().mean(1)[fits].max()
    assert (genuine >= reading.threshold).double().mean().item() == reading.value
    assert (impostor >= reading.threshold).double().mean().item() <= far
    assert reading.threshold in [*genuine.tolist(), math.inf]


def test_the_equal_error_rate_is_where_the_interpolated_roc_meets_the_diagonal(scores):
    genuine, impostor = scores
    truth, score = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], torch.cat([genuine, impostor]).numpy()
    fpr, tpr, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
    over = fpr - (1 - tpr)
    at = int(np.argmax(over >= 0))
    share = -over[at - 1] / (over[at] - over[at - 1])
    expected = fpr[at - 1] + share * (fpr[at] - fpr[at - 1])
    assert roc.eer(roc.steps(genuine, impostor)).value == pytest.approx(expected, abs=1e-12)


def test_best_accuracy_is_that_of_the_best_of_all_thresholds(scores):
    genuine, impostor = scores
    reading = roc.best_accuracy(roc.steps(genuine, impostor))
    t = torch.cat([genuine, impostor, torch.tensor([math.inf, reading.threshold])])[:, None]
    accuracy = ((genuine >= t).double().mean(1) + (impostor < t).double().mean(1)) / 2
    assert reading.value == pytest.approx(accuracy.max().item(), abs=1e-12)
    assert reading.value == pytest.approx(accuracy[-1].item(), abs=1e-12)


def test_worked_by_hand():
    """Thresholds .9 .8 .7 .6 .4 accept genuine 1 1 2 2 3 of 3 and impostors 0 1 1 2 3 of 4 (.7: one of each)."""
    found = roc.steps(torch.tensor([0.9, 0.7, 0.4]), torch.tensor([0.8, 0.6, 0.4, 0.2]))
    assert found.low.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.4, 0.2])
    assert found.genuine.tolist() == [1, 0, 1, 0, 1, 0]
    assert found.impostor.tolist() == [0, 1, 0, 1, 1, 1]
    assert roc.auroc(found).value == pytest.approx((4 + 3 + 1.5) / 12)
    assert roc.average_precision(found).value == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert roc.tar_at(found, 0.25).value == pytest.approx(2 / 3)
    assert roc.tar_at(found, 0.25).threshold == pytest.approx(0.7)
    assert roc.tar_at(found, 0.75).value == 1
    assert roc.eer(found).value == pytest.approx(1 / 3)  # between FAR 1/4 and 1/2, where FNMR stays 1/3
    assert roc.best_accuracy(found).value == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_all_scores_equal():
    found = roc.steps(torch.ones(5), torch.ones(20))
    assert roc.auroc(found).value == roc.eer(found).value == roc.best_accuracy(found).value == 0.5
    assert roc.average_precision(found).value == 0.2
    assert roc.tar_at(found, 0.5).value == 0
    assert roc.tar_at(found, 0.5).threshold == math.inf
    assert roc.tar_at(found, 1.0).value == 1


def test_scores_that_part_the_kinds_and_scores_the_wrong_way_round():
    found = roc.steps(torch.tensor([0.9, 0.8]), torch.tensor([0.1, 0.2]))
    assert (roc.auroc(found).value, roc.eer(found).value, roc.tar_at(found, 0.5).value) == (1, 0, 1)
    found = roc.steps(torch.tensor([0.1, 0.2]), torch.tensor([0.9, 0.8]))
    assert (roc.auroc(found).value, roc.eer(found).value, roc.tar_at(found, 0.5).value) == (0, 1, 0)


def test_minus_zero_is_zero():
    assert roc.auroc(roc.steps(torch.tensor([0.0]), torch.tensor([-0.0]))).value == 0.5


@pytest.mark.parametrize("far", [0.0, -0.1, 1.5, math.nan])
def test_what_is_no_rate_is_refused(far):
    with pytest.raises(ValueError, match="at most 1"):
        roc.tar_at(roc.steps(torch.ones(3), torch.zeros(3)), far)


def test_a_rate_the_data_cannot_measure_is_refused_and_the_least_is_named():
    with pytest.raises(ValueError, match=r"less than one of 50 impostor pairs.*0\.02 or more"):
        roc.tar_at(roc.steps(torch.ones(3), torch.zeros(50)), 0.01)


def test_one_kind_alone_has_no_rates():
    with pytest.raises(ValueError, match="no impostor pair"):
        roc.auroc(roc.steps(torch.ones(3), torch.zeros(0)))
    with pytest.raises(ValueError, match="no genuine pair"):
        roc.eer(roc.steps(torch.ones(0), torch.zeros(3)))

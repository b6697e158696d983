"""Wrong labels are ranked first, and the chance that is stated is not far from what is true."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from isometry.audit.mislabels import chances, mislabels


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x - x.mean(0)).float(), torch.tensor(y)


def wrong(labels, share, seed=0):
    dice = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(labels), generator=dice)[: round(share * len(labels))]
    given = labels.clone()
    given[rows] = (labels[rows] + torch.randint(1, 10, (len(rows),), generator=dice)) % 10
    return given, given != labels


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_planted_labels_are_found_with_high_precision_and_recall(digits, share):
    z, labels = digits
    given, bad = wrong(labels, share)
    found = mislabels(z, given)
    called = found.chance >= 0.5
    assert float((called & bad).sum() / called.sum()) > 0.8
    assert float((called & bad).sum() / bad.sum()) > 0.9
    assert float((found.other[bad] == labels[bad]).float().mean()) > 0.9
    assert 0.5 * share < found.share < 2 * share


def test_the_ranking_beats_the_plain_vote(digits):
    z, labels = digits
    given, bad = wrong(labels, 0.02)
    found = mislabels(z, given)
    plain = (given[found.neighbours[:, :10]] != given[:, None]).float().mean(1)
    scores = found.score.nan_to_num(neginf=-1e3), plain  # −inf: no neighbour speaks against the label
    precision = [average_precision_score(bad.numpy(), score.numpy()) for score in scores]
    assert precision[0] > precision[1] + 0.05


def test_clean_labels_are_left_alone(digits):
    z, labels = digits
    found = mislabels(z, labels)
    assert float((found.chance >= 0.5).float().mean()) < 0.01
    assert found.share < 0.02


def test_where_the_embedding_knows_no_classes_no_label_is_called_wrong():
    """Labels drawn by lot are all wrong by their neighbours, and none should be replaced on their word."""
    z = torch.randn(300, 16, generator=torch.Generator().manual_seed(1))
    found = mislabels(z, torch.randint(12, (300,), generator=torch.Generator().manual_seed(2)))
    assert found.share > 0.5
    assert not found.chance.any()
    assert "nothing is said" in found.said


def test_a_score_by_hand():
    """Two classes on a plane; s = ln(e^{s₁/T} / √n_c) − ln(Σ e^{s/T} / √n_y)."""
    angle = torch.tensor([0.0, 0.1, 0.3, 1.0])
    z = torch.stack([angle.cos(), angle.sin()], 1)
    found = mislabels(z, torch.tensor([0, 1, 1, 0]), heat=0.1)
    s = lambda i, j: np.cos(float(angle[i] - angle[j])) / 0.1  # noqa: E731
    against = np.logaddexp(s(0, 1), s(0, 2)) - np.log(2) / 2
    assert float(found.score[0]) == pytest.approx(against - s(0, 3), rel=1e-4)


def test_copies_have_no_say():
    """A copy with the same wrong label does not hide it."""
    z = torch.nn.functional.one_hot(torch.arange(2).repeat_interleave(10)).float()
    labels = torch.arange(2).repeat_interleave(10)
    labels[:2] = 1
    group = torch.arange(20)
    group[1] = 0
    assert int(mislabels(z, labels, group).score[:2].argmin()) in (0, 1)
    assert bool((mislabels(z, labels, group).score[:2] > mislabels(z, labels, group).score[2:].max()).all())


def test_what_cannot_be_said():
    """No label, one class alone, or no other of the class: no score, no chance."""
    z = torch.eye(4)
    for labels in (torch.full((4,), -1), torch.zeros(4, dtype=torch.int64), torch.arange(4)):
        found = mislabels(z, labels)
        assert not found.score.isfinite().any()
        assert not found.chance.any()


def test_chances_rise_with_the_score_and_stay_below_one():
    dice = torch.Generator().manual_seed(0)
    score = torch.cat([torch.randn(950, generator=dice), 4 + torch.randn(50, generator=dice)])
    chance, share = chances(score, 4 + torch.randn(500, generator=dice))
    assert 0.02 < share < 0.08
    order = score.argsort()
    assert bool((chance[order].diff() >= 0).all())
    assert float(chance.max()) <= 1
    assert float(chance[-50:].mean()) > 0.5 > 10 * float(chance[:950].mean())

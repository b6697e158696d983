"""Statistics of verification against scikit-learn on the list of all pairs, whatever the memory."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics

from isometry.metrics.statistic import Space
from isometry.metrics.verification import AUROC, EER, FNMR, TAR, AveragePrecisionOfPairs, VerificationAccuracy
from isometry.ops.ranking import inner
from isometry.protocols.retrieval import evaluate

ALL = [AUROC(), AveragePrecisionOfPairs(), EER(), TAR(far=0.01), FNMR(fmr=0.01), VerificationAccuracy()]


def space(z, y, ids=None, query=None, gallery=None, **more):
    every = torch.arange(len(z))
    ids = every if ids is None else ids
    query = every if query is None else query
    return Space(z, y, ids, query, query if gallery is None else gallery, lambda z: z, inner, **more)


def clustered(n, classes, noise=1.0):
    y = torch.randint(0, classes, (n,))
    return torch.randn(classes, 8)[y] + noise * torch.randn(n, 8), y


def listed(at):
    """Truth and score of every pair."""
    truth, score = [], []
    sim = (at.z.double() @ at.z.double().T).float()
    both = (
        itertools.combinations(range(len(at.z)), 2)
        if at.searches_itself
        else itertools.product(at.query.tolist(), at.gallery.tolist())
    )
    for i, j in both:
        if at.ids[i] != at.ids[j] and at.y[i] != -1 and at.y[j] != -1:
            truth.append(bool(at.y[i] == at.y[j]))
            score.append(sim[i, j].item())
    return np.array(truth), np.array(score)


def oracle(truth, score):
    fpr, tpr, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
    line = np.linspace(0, 1, 2_000_001)
    eer = line[np.abs(line - 1 + np.interp(line, fpr, tpr)).argmin()]
    tar = tpr[fpr <= 0.01].max()
    return [metrics.roc_auc_score(truth, score), metrics.average_precision_score(truth, score), eer, tar, 1 - tar,
            ((tpr + 1 - fpr) / 2).max()]  # fmt: skip


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("sides", [1, 2])
def test_values_are_those_of_all_pairs(unknown, sides):
    z, y = clustered(100, 12)
    y[: 20 * unknown] = -1
    ids = torch.randperm(100) // (1 + unknown)
    parts = {} if sides == 1 else {"query": torch.arange(0, 100, 2), "gallery": torch.randperm(100)[:70]}
    at = space(z, y, ids, **parts)
    values = [statistic.measure(at).value for statistic in ALL]
    assert values == pytest.approx(oracle(*listed(at)), abs=1e-6)
    assert values[:2] == pytest.approx(oracle(*listed(at))[:2], abs=1e-12)


def test_all_statistics_share_one_pass():
    calls = []

    def compare(q, g):
        calls.append(1)
        return q @ g.T

    z, y = clustered(50, 5)
    at = Space(z, y, torch.arange(50), query := torch.arange(50), query, lambda z: z, compare, samples=0)
    for statistic in ALL:
        statistic.measure(at)
    assert len(calls) == 2  # once for genuine scores, once for all


def test_little_memory_gives_the_same_rates_and_says_what_it_does_not_know():
    z, y = clustered(300, 3, noise=4.0)
    rich, poor = space(z, y), space(z, y, memory="64 KB")
    for statistic in (EER(), TAR(far=0.01), TAR(far=0.3), FNMR(fmr=0.05)):
        assert statistic.measure(poor).value == pytest.approx(statistic.measure(rich).value, abs=1e-12)
    for statistic in (AUROC(), AveragePrecisionOfPairs(), VerificationAccuracy()):
        with pytest.warns(UserWarning, match="more memory"):
            value = statistic.measure(poor).value
        assert value == pytest.approx(statistic.measure(rich).value, abs=1e-2)


def test_enough_memory_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AUROC().measure(space(*clustered(100, 5)))


def test_a_collapsed_model_scores_chance():
    z = torch.nn.functional.normalize(torch.randn(1, 33), dim=1).repeat(60, 1)
    at = space(z, torch.arange(60) // 4)
    assert AUROC().measure(at).value == EER().measure(at).value == VerificationAccuracy().measure(at).value == 0.5
    assert (TAR(far=0.01).measure(at).value, FNMR(fmr=0.01).measure(at).value) == (0, 1)
    assert AveragePrecisionOfPairs().measure(at).value == pytest.approx(3 / 59)  # the share of genuine pairs


def test_random_embeddings_score_chance():
    at = space(torch.randn(400, 16), torch.arange(400) // 4)
    assert AUROC().measure(at).value == pytest.approx(0.5, abs=0.05)
    assert EER().measure(at).value == pytest.approx(0.5, abs=0.05)
    assert TAR(far=0.1).measure(at).value == pytest.approx(0.1, abs=0.05)


def test_label_sets_match_where_they_share_a_label():
    z, y = clustered(60, 6)
    sets = torch.nn.functional.one_hot(y, 6).bool()
    assert AUROC().measure(space(z, sets)).value == pytest.approx(AUROC().measure(space(z, y)).value, abs=1e-12)  # fmt: skip


def test_intervals_cover_the_figures_of_very_many_classes():
    """Classes differ in how wide they are. Of 40 data sets of 40 classes, 80 % intervals cover the truth about 32 times."""

    def draw(classes, seed):
        g = torch.Generator().manual_seed(seed)
        width = 0.3 + torch.rand(classes, 1, 1, generator=g)
        z = torch.randn(classes, 1, 6, generator=g) + width * torch.randn(classes, 5, 6, generator=g)
        return z.flatten(0, 1), torch.arange(classes).repeat_interleave(5)

    statistics = (AUROC(), EER(), TAR(far=0.05))
    truth = {s: s.measure(space(*draw(500, 1000))).value for s in statistics}
    covered = dict.fromkeys(statistics, 0)
    for seed in range(40):
        at = space(*draw(40, seed), confidence=0.8)
        for statistic in statistics:
            found = statistic.measure(at)
            assert found.low < found.value < found.high
            covered[statistic] += found.low <= truth[statistic] <= found.high
    assert all(26 <= times <= 38 for times in covered.values()), covered


@pytest.mark.parametrize("statistic", ALL, ids=repr)
def test_no_interval_where_there_can_be_none(statistic):
    z, y = clustered(150, 6)
    two = space(z[y < 2], y[y < 2])  # without one class there is no impostor pair
    for at in (space(z, torch.nn.functional.one_hot(y).bool()), space(z, y, samples=0), two):
        assert math.isnan(statistic.measure(at).low)
        assert math.isnan(statistic.measure(at).high)


def test_what_cannot_be_measured_is_refused():
    z, y = clustered(40, 4)
    with pytest.raises(ValueError, match="cannot measure it"):
        TAR(far=1e-6).measure(space(z, y))
    with pytest.raises(ValueError, match="no impostor pair"):
        AUROC().measure(space(z, torch.zeros_like(y)))
    for labels in (torch.arange(40), torch.full((40,), -1)):
        with pytest.raises(ValueError, match="no genuine pair"):
            EER().measure(space(z, labels))
    for labels in (torch.rand(40), torch.randint(0, 3, (40, 2))):
        with pytest.raises(ValueError, match="labels are classes"):
            EER().measure(space(z, labels))


def test_they_are_asked_for_by_name():
    z, y = clustered(100, 8)
    results = evaluate(z, y, "Recall(k=1), AUROC(), EER(), TAR(far=0.1), FNMR(fmr=0.1)", similarity="dot")
    for statistic in (AUROC(), EER(), TAR(far=0.1), FNMR(fmr=0.1)):
        assert results[repr(statistic)].value == pytest.approx(statistic.measure(space(z, y)).value, abs=1e-12)

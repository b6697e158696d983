"""DIR and FNIR of a space: by hand, against loops over thresholds, under collapse, and their intervals."""

import math

import pytest
import torch

from isometry.expression import parse
from isometry.metrics.open_set import DIR, FNIR
from isometry.metrics.statistic import Space
from isometry.ops.ranking import inner


def space(z, y, query=None, gallery=None, **more):
    every = torch.arange(len(z))
    query = every if query is None else query
    gallery = query if gallery is None else gallery
    return Space(z, y, every, query, gallery, lambda z: torch.nn.functional.normalize(z, dim=1), inner, **more)


def people(known=12, unknown=30, noise=0.7):
    """Two items of each known person, one in the gallery; strangers among the probes."""
    centre = torch.randn(known, 6)
    z = torch.cat([centre, centre + noise * torch.randn(known, 6), torch.randn(unknown, 6)])
    y = torch.cat([torch.arange(known), torch.arange(known), torch.arange(unknown) % 9 + 100])
    return z, y, torch.arange(known, len(z)), torch.arange(known)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("far", [1 / 30, 0.1, 0.5, 1.0])
def test_equals_the_best_of_all_thresholds(far, k):
    z, y, query, gallery = people()
    sim = torch.nn.functional.normalize(z, dim=1)
    sim = (sim[query].double() @ sim[gallery].double().T).float()
    known = torch.arange(12)
    mate = sim[known, known]
    rank = (sim[known] > mate[:, None]).sum(1) + 1
    rates = []
    for t in [*sim.flatten().tolist(), math.inf]:
        if (sim[12:].amax(1) >= t).double().mean().item() <= far:
            rates.append(((rank <= k) & (mate >= t)).double().mean().item())
    at = space(z, y, query, gallery, samples=200)
    found = DIR(far=far, k=k).measure(at)
    assert found.value == pytest.approx(max(rates), abs=1e-12)
    assert found.low <= found.value <= found.high
    missed = FNIR(fpir=far, k=k).measure(at)
    assert (missed.value, missed.low, missed.high) == (1 - found.value, 1 - found.high, 1 - found.low)


def test_singletons_and_unknown_labels_are_the_strangers_where_all_search_all():
    """Items 0–3 are two classes, 4 is alone and 5 has no label."""
    z = torch.tensor(
        [[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.3], [0.3, 0.0, 1.0], [0.0, 0.1, 1.0]]
    )
    at = space(z, torch.tensor([3, 3, 5, 5, 9, -1]))
    assert DIR(far=0.5).measure(at).value == 1
    with pytest.raises(ValueError, match="one of 2 probes of unknown"):
        DIR(far=0.1).measure(at)


def test_closed_set_needs_no_stranger():
    z, y, query, gallery = people(unknown=0)
    assert 0.4 < DIR(far=1.0).measure(space(z, y, query, gallery)).value <= 1
    with pytest.raises(ValueError, match="unknown"):
        DIR(far=0.5).measure(space(z, y, query, gallery))


def test_a_collapsed_model_scores_chance():
    _, y, query, gallery = people()
    at = space(torch.ones(len(y), 3), y, query, gallery)
    assert DIR(far=0.5).measure(at).value == 0
    assert DIR(far=1.0).measure(at).value == pytest.approx(1 / 12)
    assert DIR(far=1.0, k=6).measure(at).value == pytest.approx(0.5)


def test_the_interval_covers_the_value_of_other_probes():
    """Of 100 draws of the probes, the 80 % intervals cover the rate over very many probes about 80 times."""
    centre = torch.nn.functional.normalize(torch.randn(10, 6), dim=1)

    def draw(known, unknown):
        truth = torch.arange(known) % 10
        z = torch.cat([centre, centre[truth] + 0.6 * torch.randn(known, 6), torch.randn(unknown, 6)])
        y = torch.cat([torch.arange(10), truth, torch.full((unknown,), -1)])
        ids = torch.arange(len(z))
        return z, y, ids[10:], ids[:10]

    truth = DIR(far=0.2).measure(space(*draw(20000, 20000), samples=0)).value
    covered = 0
    for seed in range(100):
        found = DIR(far=0.2).measure(space(*draw(200, 200), samples=200, confidence=0.8, seed=seed))
        covered += found.low <= truth <= found.high
    assert 65 <= covered <= 95


def test_no_samples_no_interval():
    found = DIR(far=0.1).measure(space(*people(), samples=0))
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_text_and_bad_knobs():
    for text in ("DIR(far=0.1, k=2)", "FNIR(fpir=0.1)"):
        assert repr(parse(text)) == text
    for wrong in (DIR, FNIR):
        with pytest.raises(ValueError, match=r"\(k=0\)"):
            wrong(k=0)
    z, y, query, gallery = people()
    with pytest.raises(ValueError, match="Identities are classes"):
        DIR().measure(space(z, torch.nn.functional.one_hot(y).bool(), query, gallery))
    with pytest.raises(ValueError, match="at most 1"):
        DIR(far=2.0).measure(space(z, y, query, gallery))

"""Calibration of a gallery: the rate is of a search in all of it, and what known pictures lose is said."""

import json
import math

import pytest
import torch

from isometry import openset
from isometry.openset.calibration import from_json
from isometry.openset.scoring import NEIGHBOURS, best, fit_scales
from tests.openset.conftest import clusters, held


def gallery_and_strangers(seed=0, classes=12, strangers=60, each=4):
    z, names = clusters(classes, each, seed=1000 + seed)
    return openset.Vectors(z, names), held(*clusters(strangers, each, seed=2000 + seed))


def naive_best(gallery, z):
    """The largest cosine of each row with any item, and that item's label, by looking at all pairs."""
    cosine = torch.nn.functional.cosine_similarity(z[:, None].double(), gallery.z[None].double(), dim=2)
    return [max(zip(row, gallery.labels, strict=True)) for row in cosine.tolist()]


def test_the_threshold_is_that_of_best_scores_in_the_whole_gallery():
    gallery, strangers = gallery_and_strangers()
    found = openset.calibrate(gallery, strangers, rate=0.1)
    scores = [score for score, _ in naive_best(gallery, strangers.z)]
    allowed = 0.1 * 61 - 1
    want = math.inf
    for t in sorted(scores, reverse=True):
        shares = {}
        for score, name in zip(scores, strangers.labels, strict=True):
            shares.setdefault(name, []).append(score >= t)
        if sum(sum(own) / len(own) for own in shares.values()) > allowed:
            break
        want = t
    below = max(score for score in scores if score < want)
    assert below - 1e-6 <= found.threshold <= want + 1e-6
    assert found.classes == 60
    assert found.fpir <= allowed / 60


def test_a_larger_gallery_has_a_higher_threshold():
    gallery, strangers = gallery_and_strangers(classes=40)
    small = openset.Vectors(gallery.z[:40], gallery.labels[:40])
    of_all = openset.calibrate(gallery, strangers, rate=0.1).threshold
    assert openset.calibrate(small, strangers, rate=0.1).threshold < of_all


@pytest.mark.parametrize("per_class", [False, True])
def test_new_classes_are_named_no_more_often_than_asked(per_class):
    rates = []
    for seed in range(8):
        gallery, strangers = gallery_and_strangers(seed)
        new, names = clusters(200, 2, seed=3000 + seed)
        found = openset.calibrate(gallery, strangers, rate=0.1, per_class=per_class)
        named = openset.match_vectors(Listed(gallery), new, calibration=found, k=0)
        rates.append(sum(one.known for one in named) / len(names))
    rates = torch.tensor(rates)
    assert rates.mean() <= 0.1 + 3 * rates.std() / math.sqrt(len(rates))
    assert rates.mean() > 0.01


class Listed:
    """A gallery that is asked for no matches."""

    def __init__(self, gallery):
        self.gallery = gallery

    def __getattr__(self, name):
        return getattr(self.gallery, name)

    def __len__(self):
        return len(self.gallery)


def test_a_confidence_asks_for_more_and_says_so_where_it_cannot():
    gallery, strangers = gallery_and_strangers(strangers=120)
    loose, sure = (openset.calibrate(gallery, strangers, rate=0.1, confidence=c) for c in (None, 0.95))
    assert sure.threshold > loose.threshold
    assert "with confidence 0.95" in sure.promise
    with pytest.raises(openset.TooFew, match=r"0.01 takes 99 held-out classes, and there are 60: .* 0.0164 or above"):
        openset.calibrate(*gallery_and_strangers(), rate=0.01)
    assert openset.calibrate(*gallery_and_strangers(), rate=0.0164).fpir == 0


def test_classes_of_the_gallery_among_the_held_out_are_known_probes_and_no_strangers():
    z, names = clusters(20, 6, seed=5)
    first = torch.arange(len(z)) % 6 < 3
    gallery = openset.Vectors(z[first], [n for n, keep in zip(names, first.tolist(), strict=True) if keep])
    more, others = clusters(50, 3, seed=6)
    data = held(torch.cat([z[~first], more]), [n for n, k in zip(names, first.tolist(), strict=True) if not k] + others)
    found = openset.calibrate(gallery, data, rate=0.05)
    assert (found.classes, found.pictures) == (50, 150)
    assert (found.known.pictures, found.known.classes) == (60, 20)
    probes = naive_best(gallery, z[~first])
    own = [n for n, keep in zip(names, first.tolist(), strict=True) if not keep]
    right = [label == name and score >= found.threshold for (score, label), name in zip(probes, own, strict=True)]
    assert found.known.dir == pytest.approx(sum(right) / 60)
    assert found.known.dir + found.known.misnamed + found.known.refused == pytest.approx(1)


def test_without_known_probes_each_picture_of_the_gallery_is_left_out_in_turn():
    gallery, strangers = gallery_and_strangers()
    single = openset.Vectors(torch.cat([gallery.z, torch.randn(3, 12)]), [*gallery.labels, "alone", "", ""])
    found = openset.calibrate(single, strangers, rate=0.1).known
    assert "left out" in found.source
    assert found.pictures == 48  # neither one of a class of its own nor those of no class
    twice = openset.Vectors(torch.cat([gallery.z, gallery.z]), [*gallery.labels, *gallery.labels])
    assert openset.calibrate(twice, strangers, rate=0.1).known.dir == 1.0  # copies find each other


def test_probes_that_are_pictures_of_the_gallery_find_themselves_and_are_left_out():
    z, names = clusters(20, 4, seed=5, noise=1.5)
    gallery = openset.Vectors(z, names)
    more, others = clusters(50, 3, seed=6)
    alone = openset.calibrate(gallery, held(more, others), rate=0.05)
    both = openset.calibrate(gallery, held(torch.cat([z[:40], more]), names[:40] + others), rate=0.05)
    assert both.known == alone.known
    assert both.known.dir < 0.9  # each of the gallery's pictures finds itself, and nothing is learnt of that
    assert any("40 pictures of known classes are in the gallery itself" in note for note in both.notes)


def test_pictures_without_a_label_and_classes_of_the_training_take_no_part():
    gallery, strangers = gallery_and_strangers()

    class Trained(Listed):
        model = type("Model", (), {"classes": tuple(sorted(set(strangers.labels))[:10]), "digest": "d"})()

    labels = ["" if i % 7 == 0 else name for i, name in enumerate(strangers.labels)]
    found = openset.calibrate(Trained(gallery), held(strangers.z, labels), rate=0.1)
    assert found.classes == 50
    assert any("10 classes that the model was trained on" in note for note in found.notes)
    with pytest.raises(ValueError, match="has no class that the gallery does not hold"):
        openset.calibrate(gallery, held(gallery.z, gallery.labels))


def test_scales_are_where_the_closest_tenth_of_strangers_begins_and_the_way_to_the_class_itself():
    gallery, strangers = gallery_and_strangers(classes=5, strangers=30, each=2)
    uneven = torch.arange(60) % 7 > 0  # some classes have one picture
    z, group = strangers.z[uneven], strangers.codes()[1][uneven]
    scales = fit_scales(gallery, z, group)
    cosine = torch.nn.functional.cosine_similarity(z[:, None].double(), gallery.z[None].double(), dim=2)
    near = []
    for name in scales.classes:
        rows = [i for i, label in enumerate(gallery.labels) if label == name]
        seen = 0.0
        for value, own in sorted((float(cosine[i, rows].max()), int(group[i])) for i in range(len(z))):
            seen += 1 / (30 * int((group == own).sum()))
            if seen >= 0.9 - 1e-9:
                near.append(value)
                break
    assert scales.near.tolist() == pytest.approx(near, abs=1e-5)
    mean = sum(1 - n for n in near) / 5
    assert scales.way.tolist() == pytest.approx([1 - n + 0.05 * mean for n in near], abs=1e-5)
    assert scales.fitted == 30


def test_thresholds_of_classes_say_what_the_score_says():
    gallery, strangers = gallery_and_strangers(classes=10)
    found = openset.calibrate(gallery, strangers, rate=0.1, per_class=True)
    assert len(gallery) <= NEIGHBOURS
    scored = best(gallery, strangers.z, found.scales)
    for score, similarity, label in zip(scored.score.tolist(), scored.similarity.tolist(), scored.label, strict=True):
        if abs(score - found.threshold) > 1e-4:
            assert (score >= found.threshold) == (similarity >= found.similarity_for(label))
    assert len({round(found.similarity_for(name), 4) for name in found.scales.classes}) > 1


@pytest.mark.parametrize("per_class", [False, True])
def test_json_gives_it_back(per_class):
    found = openset.calibrate(*gallery_and_strangers(), rate=0.1, per_class=per_class)
    again = from_json(json.loads(json.dumps(found.as_json(), allow_nan=False)))
    probes = torch.linspace(-1, 6, 40)
    assert torch.equal(again.tail.p(probes), found.tail.p(probes))
    for name in ("rate", "threshold", "known", "curve", "closest", "stamp", "promise", "notes"):
        assert getattr(again, name) == getattr(found, name)
    assert again.similarity_for("1000-3") == found.similarity_for("1000-3")
    with pytest.raises(ValueError, match="upgrade"):
        from_json({**found.as_json(), "format": 99})
    with pytest.raises(ValueError, match="calibrate again"):
        from_json({k: v for k, v in found.as_json().items() if k != "tail"})


def test_the_curve_falls_from_strict_to_loose_and_begins_at_the_smallest_rate():
    found = openset.calibrate(*gallery_and_strangers(), rate=0.1)
    rates, thresholds = [p.rate for p in found.curve], [p.threshold for p in found.curve]
    assert rates == sorted(rates)
    assert thresholds == sorted(thresholds, reverse=True)
    assert rates[0] == pytest.approx(1 / 61)
    assert [p.dir for p in found.curve] == sorted(p.dir for p in found.curve)


def test_a_rate_near_one_lets_all_pass():
    found = openset.calibrate(*gallery_and_strangers(), rate=0.9999)
    assert from_json(json.loads(json.dumps(found.as_json()))).threshold == found.threshold
    assert found.known.refused == 0

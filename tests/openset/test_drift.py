"""A drift check: quiet on more of the same, loud on another camera, and right about its units."""

import math

import pytest
import torch

from isometry import openset
from isometry.openset.drift_page import render as drift_page
from isometry.openset.page import render as calibration_page
from tests.openset.conftest import clusters, held


@pytest.fixture(scope="module")
def calibrated():
    gallery = openset.Vectors(*clusters(10, 4, seed=1))
    reference = held(*clusters(60, 4, seed=2))
    return gallery, reference, openset.calibrate(gallery, reference, rate=0.1)


def checked(calibrated, new, **how):
    gallery, reference, calibration = calibrated
    return openset.drift(gallery, new, calibration=calibration, reference=reference, **{"draws": 999, **how})


def test_more_of_the_same_is_no_drift_as_often_as_the_level_says(calibrated):
    gallery, _, calibration = calibrated
    wrong = 0
    for i in range(16):
        old, new = (held(*clusters(40, 3, seed=seed)) for seed in (100 + i, 200 + i))
        found = openset.drift(gallery, new, calibration=calibration, reference=old, level=0.1, draws=199)
        wrong += found.drifted
    assert wrong / 16 <= 0.1 + 3 * math.sqrt(0.09 / 16)


def test_another_camera_is_one(calibrated):
    z, names = clusters(40, 4, seed=3)
    found = checked(calibrated, held(z + 1.0, names))
    assert found.drifted
    assert found.verdict.startswith("drift: ")
    assert {t.name for t in found.tests if t.corrected < 0.01} >= {"embeddings", "centre of embeddings"}
    assert "\n" not in found.verdict


def test_units_are_classes_where_there_are_labels_and_pictures_where_not(calibrated):
    z, names = clusters(40, 6, seed=4)
    labelled, bare = checked(calibrated, held(z, names)), checked(calibrated, held(z, [""] * len(z)))
    assert (labelled.before.units, labelled.after.units) == (60, 40)
    assert len(labelled.after.held) == 160  # four of each, as in calibration
    assert (bare.before.units, bare.after.units) == (60, 240)
    assert len(bare.before.held) == 60  # one of each class
    assert any("p values are too small" in note for note in bare.notes)
    assert not any("p values are too small" in note for note in labelled.notes)


def test_of_large_classes_a_part_is_compared(calibrated):
    """Every pair of pictures is gone through, so there are few enough."""
    sides = [held(*clusters(2, 4000, seed=seed, dim=12)) for seed in (7, 8)]
    gallery, _, calibration = calibrated
    found = openset.drift(gallery, sides[1], calibration=calibration, reference=sides[0], draws=9)
    assert len(found.before.held) == len(found.after.held) == 5000


def test_known_pictures_in_place_of_strangers_are_fewer_unknowns(calibrated):
    gallery = calibrated[0]
    z = gallery.z + 0.05 * torch.randn(len(gallery), 12, generator=torch.Generator().manual_seed(0))
    whole = checked(calibrated, held(z, list(gallery.labels)))
    assert any("the gallery holds 0%, of the new ones 100%" in note for note in whole.notes)
    found = {t.name: t for t in whole.tests}
    assert found["share of unknowns"].effect < -0.8
    assert found["share of unknowns"].corrected < 0.01


def test_sizes_and_unreadable_files_are_looked_at(calibrated):
    gallery, reference, calibration = calibrated
    z, names = clusters(40, 4, seed=5)
    old = openset.Held(reference.z, reference.labels, torch.full((len(reference), 2), 32))
    new = openset.Held(z, names, torch.tensor([[64, 32]]).expand(len(z), 2), unreadable=30)
    found = openset.drift(gallery, new, calibration=calibration, reference=old)
    far = {t.name for t in found.tests if t.corrected < 0.01}
    assert far == {"size of pictures", "shape of pictures", "share of unreadable files"}
    assert {t.name: t.after for t in found.tests}["shape of pictures"] == "2.00"


def test_the_same_call_gives_the_same_page_and_it_asks_nobody(calibrated):
    z, names = clusters(40, 4, seed=6)
    one, two = (drift_page(checked(calibrated, held(z + 1, names)), "<new>") for _ in range(2))
    assert one == two
    for page in (one, calibration_page(calibrated[2], "<gallery>")):
        assert "default-src 'none'" in page
        assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
        assert "<new>" not in page
        assert "<gallery>" not in page

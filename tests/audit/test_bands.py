"""Copies are proposed without comparing all with all, and told from likenesses."""

import numpy as np
import pytest
import torch

from isometry.audit.bands import propose
from isometry.audit.copies import Pair, grouped
from isometry.audit.likeness import likeness
from isometry.audit.planted import copies
from isometry.audit.signature import Box, crops, grey, resampling, signature, stacked, viewed

from .planted import drawing


def pictures(n: int, seed: int = 0) -> list[torch.Tensor]:
    dice = np.random.default_rng(seed)
    return [torch.from_numpy(np.array(drawing(dice))).permute(2, 0, 1) for _ in range(n)]


def test_every_copy_is_proposed_among_hundreds():
    made = pictures(300)
    again = [copy for picture in made[:20] for copy in copies(picture)]
    found = propose(grey(stacked([signature(p) for p in [*made, *again]])))
    pairs = {frozenset(pair) for pair in zip(found.first.tolist(), found.second.tolist(), strict=True)}
    hits = [frozenset((k // 4, 300 + k)) in pairs for k in range(len(again))]
    assert np.mean(hits) >= 0.98
    assert len(pairs) < 0.02 * 380 * 379 / 2


def test_likeness_finds_the_crop():
    whole = grey(stacked([signature(picture) for picture in pictures(6)]))
    box = Box(0.03, 0.05, 0.97, 0.98)
    part = viewed(whole, box)
    found = likeness(whole, part, torch.tensor([Box()] * 6))
    assert found.box == pytest.approx(torch.tensor([box] * 6), abs=0.02)
    assert float(found.worst.max()) < 0.65
    other = likeness(whole, part.roll(1, 0), torch.tensor([Box()] * 6))
    assert float(other.worst.min()) > 0.65


def test_brightness_and_contrast_do_not_matter():
    whole = grey(stacked([signature(picture) for picture in pictures(3)]))
    found = likeness(whole, 0.5 * whole + 40, torch.tensor([Box()] * 3))
    assert found.alike == pytest.approx(torch.ones(3), abs=1e-4)
    assert found.worst == pytest.approx(torch.zeros(3), abs=1e-2)


def test_a_black_square_is_no_copy_of_a_pale_one():
    shape = torch.zeros(32, 32)
    shape[8:24, 8:24] = 1.0
    black, pale, grey_one = (255 - depth * shape[None] for depth in (210.0, 26.0, 120.0))
    whole = torch.tensor([Box()])
    assert float(likeness(black, pale, whole).worst) > 0.65
    assert float(likeness(pale, black, whole).worst) > 0.65
    assert float(likeness(black, grey_one, whole).worst) < 1e-3


@pytest.mark.parametrize("box", crops()[1:4])
def test_resampling_weights_add_up_to_one(box):
    assert resampling(box.left, box.right).sum(1) == pytest.approx(torch.ones(32), abs=1e-5)


def test_a_signature_does_not_depend_on_the_size():
    dice = np.random.default_rng(3)
    image = drawing(dice)
    one, other = (
        signature(torch.from_numpy(np.array(i)).permute(2, 0, 1)).astype(int) for i in (image, image.resize((480, 360)))
    )
    assert np.abs(one - other).max() <= 12


def test_groups_join_what_pairs_join():
    pairs = [Pair(4, 5, "same bytes", 1.0), Pair(1, 4, "near-duplicate", 0.8)]
    assert grouped(6, pairs).tolist() == [0, 1, 2, 3, 1, 1]

"""Taking out what a heat map calls important lowers the match more than taking out as much at random."""

import pytest
import torch
from torch import nn

from isometry.attribution import why_each
from isometry.attribution.deletion import Deletion, alone, deletion, hottest, without
from isometry.attribution.path import comparison
from isometry.data import read, split
from isometry.ops.paired import sign_flip
from tests.attribution.test_heat import Line, ready


@pytest.fixture(scope="module")
def letter_pairs():
    """Two pictures each of 40 classes that training has not seen."""
    test = split(read("glyphs")).test
    labels = test.present()[torch.randperm(len(test.present()), generator=torch.Generator().manual_seed(0))][:40]
    rows = torch.stack([(test.labels == label).nonzero()[:2, 0] for label in labels])
    return test.images.tensor[rows[:, 0]], test.images.tensor[rows[:, 1]]


def test_the_top_fifth_matters_more_than_a_random_fifth(letters, letter_pairs):
    found = deletion(letters, *letter_pairs, batch_size=64)
    assert isinstance(found, Deletion)
    further = found.heat - found.random
    assert float(further.mean(0).min()) > 0.1
    assert float(sign_flip(further, torch.arange(40)).max()) < 0.001


def test_other_weights_give_another_map(letters, letter_pairs):
    """A map that does not change with the weights would show the picture and not the model (Adebayo et al., 2018)."""
    import copy

    other = copy.deepcopy(letters)
    torch.manual_seed(5)
    for layer in other.model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.reset_parameters()
    a, b = (side[:16] for side in letter_pairs)
    maps = [torch.stack([w.heat_a.flatten() for w in why_each(m, a, b, steps=4)]) for m in (letters, other)]
    ranks = [nn.functional.normalize(x.argsort(1).argsort(1).double() - (x.shape[1] - 1) / 2) for x in maps]
    assert float((ranks[0] * ranks[1]).sum(1).mean()) < 0.6


def test_without_the_only_thing_that_counts_nothing_is_left():
    """A model of one pixel: without it, the inner product is what the fill gives; with nothing else it is whole."""
    weights = torch.zeros(16, 1)
    weights[5] = 1.0
    images = torch.zeros(1, 1, 4, 4)
    images[0, 0, 1, 1] = 1.0
    heat = torch.zeros(1, 4, 4)
    heat[0, 1, 1] = 1.0
    given = Line(weights), comparison("dot"), images, torch.ones(1, 1), heat, 1 / 16
    assert float(without(*given)[0, 1]) == pytest.approx(1 / 16)
    assert float(alone(*given)[0, 1]) == pytest.approx(1.0)
    assert without(*given[:4], -heat, 1 / 16)[0].tolist() == pytest.approx([1.0, 1.0])


def test_exactly_the_share_is_taken_whatever_is_equal():
    chosen = hottest(torch.zeros(3, 5, 7), 0.2)
    assert chosen.sum((1, 2)).tolist() == [7, 7, 7]
    assert hottest(torch.rand(1, 4, 4), 0.0).sum() == 0
    assert hottest(torch.rand(1, 4, 4), 1.0).all()


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_is_a_share(share):
    with pytest.raises(ValueError, match="in 0 … 1"):
        hottest(torch.zeros(1, 2, 2), share)


def test_pictures_of_several_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        deletion(ready(), [torch.rand(1, 12, 12), torch.rand(1, 16, 16)], [torch.rand(1, 12, 12)] * 2, steps=1)

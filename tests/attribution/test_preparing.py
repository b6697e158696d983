"""Where a prepared picture lies in the picture that was given, and heat maps over either."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from isometry.attribution import why
from isometry.attribution.preparing import box, placed, prepared
from isometry.data.transforms import CentreCrop, Chain, PerBatch, Same
from tests.attribution.test_heat import ready


class Turned(PerBatch):
    """Turns pictures by a quarter."""

    def forward(self, images):
        return images.transpose(2, 3)


def given(w, h):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, h, w), dtype=np.uint8))


@pytest.mark.parametrize(
    ("transform", "size", "expected"),
    [
        (Same(), (40, 30), (0, 0, 40, 30)),
        (CentreCrop(size=24, resize=24), (80, 50), (15, 0, 65, 50)),
        (CentreCrop(size=24, resize=24), (50, 80), (0, 15, 50, 65)),
        (CentreCrop(size=28, resize=32), (64, 64), (4, 4, 60, 60)),
        (CentreCrop(size=224, resize=256), (20, 20), (1.25, 1.25, 18.75, 18.75)),
        (v2.RandomHorizontalFlip(1.0), (40, 30), (40, 0, 0, 30)),
        (v2.Resize((16, 64)), (40, 30), (0, 0, 40, 30)),
        (v2.Pad(10), (40, 30), None),
        (v2.RandomRotation((30, 30)), (40, 30), None),
        (Turned(), (40, 30), None),
        (Chain(steps=()), (5, 4), (0, 0, 5, 4)),
    ],
)
def test_the_box_is_what_the_preparation_shows(transform, size, expected):
    found = box(transform, given(*size))
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, abs=0.02 * max(size))


def test_heat_goes_back_to_where_it_came_from():
    heat = torch.zeros(10, 10)
    heat[2, 7] = 1.0
    found = placed(heat, given(40, 30), (10, 5, 30, 25))
    assert found.shape == (30, 40)
    assert float(found.sum()) == pytest.approx(1, abs=0.05)
    y, x = divmod(int(found.argmax()), 40)
    assert (y, x) in {(9, 24), (9, 25), (10, 24), (10, 25)}
    assert float(found[:, :10].abs().sum() + found[:, 30:].abs().sum()) == 0


def test_mirrored_heat_goes_back_to_the_other_side():
    heat = torch.zeros(30, 40)
    heat[4, 39] = 1.0
    assert int(placed(heat, given(40, 30), (40, 0, 0, 30))[4].argmax()) == 0


def test_why_of_cropped_pictures_fits_the_pictures_that_were_given():
    model = ready("ConvNet(widths=(8,), channels=3, size=24)", transform="CentreCrop(size=24, resize=24)")
    found = why(model, given(80, 50), given(36, 48))
    assert found.heat_a.shape == (24, 24)
    assert found.whole_a.shape == (50, 80)
    assert found.whole_b.shape == (48, 36)
    assert float(found.whole_a.sum()) == pytest.approx(float(found.heat_a.sum()), rel=0.1, abs=1e-3)
    assert float(found.whole_a[:, :14].abs().max()) == 0


def test_pictures_are_prepared_as_for_embedding():
    model = ready("ConvNet(widths=(8,), channels=3, size=24)", transform="CentreCrop(size=24, resize=24)")
    pictures = [given(80, 50), given(36, 48)]
    with torch.no_grad():
        z = model.model(torch.stack([one.seen for one in prepared(model, pictures)])).z
    torch.testing.assert_close(z, model(pictures), rtol=1e-4, atol=1e-5)

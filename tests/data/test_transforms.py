import math
import time

import pytest
import torch

from isometry import parse
from isometry.data.transforms import CentreCrop, RandomAffine, RandomCrop, RandomReflection, Same


@pytest.mark.parametrize(
    "text",
    [
        "RandomAffine(turn=5.0)",
        "RandomCrop(size=64, flip=0.0)",
        "CentreCrop(size=64)",
        "Same()",
        "RandomReflection(share=0.3)",
    ],
)
def test_text_rebuilds_it(text):
    assert repr(parse(text)) == text


def test_a_batch_is_reflected_as_a_whole_in_every_way_and_not_always():
    torch.manual_seed(0)
    images, reflect = torch.rand(3, 1, 4, 4), RandomReflection(share=0.6, quarter_turns=True)
    ways = [turned for m in (images, images.transpose(2, 3)) for turned in (m, m.flip(2), m.flip(3), m.flip(2, 3))]
    seen = []
    for _ in range(700):
        out = reflect(images)
        seen.append(next(place for place, way in enumerate(ways) if torch.equal(out, way)))
    counts = [seen.count(place) / 700 for place in range(8)]
    assert 0.33 < counts[0] < 0.47
    assert min(counts[1:]) > 0.05
    wide = torch.rand(2, 1, 3, 5)  # without quarter turns the size stays
    assert all(RandomReflection(share=1.0)(wide).shape == wide.shape for _ in range(20))


def test_a_chain_is_one_after_the_other_and_is_text():
    chain = parse("Chain(steps=(RandomReflection(share=1.0), Same()))")
    assert repr(chain) == "Chain(steps=(RandomReflection(share=1.0), Same()))"
    images = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    torch.manual_seed(1)
    changed = chain(images)
    torch.manual_seed(1)
    assert torch.equal(changed, RandomReflection(share=1.0)(images))
    with pytest.raises(ValueError, match="batches"):
        parse("Chain(steps=(RandomCrop(),))")


def test_a_map_of_no_size_changes_nothing():
    images = torch.rand(5, 1, 32, 32)
    still = RandomAffine(turn=0, stretch=0, slant=0, shift=0)(images)
    assert torch.allclose(still, images, atol=1e-5)


def test_bytes_and_floats_are_the_same_picture():
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(Same()(images), images / 255)
    torch.manual_seed(0)
    of_bytes = RandomAffine()(images)
    torch.manual_seed(0)
    assert torch.equal(of_bytes, RandomAffine()(images / 255))


def test_each_picture_is_changed_by_its_own_amount_within_the_limits():
    maps = RandomAffine(turn=10, stretch=0.2, slant=0, shift=0.1).draw(4_000)
    area = torch.linalg.det(maps[:, :, :2]).log()  # log of the two stretches' product
    assert len(area.unique()) > 3_900
    assert area.abs().max() <= 0.4
    assert area.mean().abs() < 0.01
    angle = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]).rad2deg()
    assert 9.5 < angle.abs().max() <= 10.001
    assert 0.19 < maps[:, :, 2].abs().max() <= 0.2


def test_turning_is_by_the_angle_drawn():
    bar = torch.zeros(1, 1, 65, 65)
    bar[:, :, 31:34, 40:60] = 1  # a bar to the right of the middle
    torch.manual_seed(3)
    (cos, _, _), (sin, _, _) = RandomAffine(turn=90, stretch=0, slant=0, shift=0).draw(1)[0]
    torch.manual_seed(3)
    turned = RandomAffine(turn=90, stretch=0, slant=0, shift=0)(bar)[0, 0]
    steps = torch.arange(65.0) - 32
    down, right = (turned.sum(1) @ steps / turned.sum(), turned.sum(0) @ steps / turned.sum())
    assert math.isclose(math.hypot(down, right), 17.5, abs_tol=1)
    assert torch.allclose(torch.stack([right, down]) / 17.5, torch.stack([cos, -sin]), atol=0.06)


@pytest.mark.parametrize("transform", [RandomCrop(size=48), CentreCrop(size=48)])
@pytest.mark.parametrize("shape", [(3, 20, 100), (3, 100, 20), (1, 48, 48)])
def test_photographs_of_any_shape_get_one_size(transform, shape):
    image = torch.randint(0, 256, shape, dtype=torch.uint8)
    changed = transform(image)
    assert changed.shape == (shape[0], 48, 48)
    assert changed.dtype == torch.uint8


def test_the_centre_is_kept():
    image = torch.zeros(3, 70, 140, dtype=torch.uint8)
    image[:, 30:40, 60:80] = 255
    middle = CentreCrop(size=64, resize=70)(image)
    assert middle[:, 27:37, 22:42].float().mean() == 255
    assert middle.float().sum() == 3 * 200 * 255


@pytest.mark.parametrize(
    "wrong", ["RandomAffine(turn=-1)", "RandomCrop(smallest=0.0)", "RandomCrop(size=0)", "CentreCrop(size=9, resize=8)"]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=wrong.partition("(")[0]):
        parse(wrong)


@pytest.mark.slow
def test_a_batch_is_changed_in_a_few_milliseconds():
    images, change = torch.randint(0, 256, (128, 1, 32, 32), dtype=torch.uint8), RandomAffine()
    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        change(images)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.01  # 0.003 on two quiet cores

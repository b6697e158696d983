"""What drawn data sets are painted with."""

import numpy as np
import pytest

from isometry.data.canvas import Canvas, Stream, pattern, stripes

BITS = [0.8720734548204873, 0.29536538151378355]


def canvas(side=32, size=1):
    return Canvas(np.zeros((size, 3, side, side)))


def row(*values):
    return np.array([values], dtype=float)


def test_a_capsule_covers_its_area():
    one = np.ones(1)
    cover, bright = canvas().capsule(row(8, 16), row(24, 16), 3 * one, 3 * one, row(0, 1))
    assert cover.sum() == pytest.approx(16 * 6 + np.pi * 9, rel=0.01)
    assert bright[0, 18, 16] > 0 > bright[0, 13, 16]  # lit from below
    assert not canvas().capsule(row(8, 16), row(24, 16), -9 * one, -9 * one, row(0, 1))[0].any()


def test_a_cone_is_as_thick_at_its_ends_as_is_said():
    cover, _ = canvas().capsule(row(6, 16), row(26, 16), np.array([2.0]), np.array([5.0]), row(0, 0))
    widths = cover[0].sum(0)
    assert widths[6] == pytest.approx(4, abs=0.4)
    assert widths[25] == pytest.approx(10, abs=0.4)


@pytest.mark.parametrize(("round_", "area"), [(False, 4 * 8 * 5), (True, np.pi * 8 * 5)])
def test_a_block_keeps_its_area_when_it_is_turned(round_, area):
    for turn in (0.0, 0.4, 1.3):
        cover = canvas(48).block(row(24, 24), row(8, 5), np.array([turn]), np.array([round_]))
        assert cover.sum() == pytest.approx(area, rel=0.03)


def test_paint_lays_as_much_as_it_covers():
    board = canvas(4)
    board.paint(np.full((1, 4, 4), 0.25, np.float32), np.ones((1, 3, 1, 1), np.float32))
    assert (board.pixels == 0.25).all()


def test_softening_keeps_the_sum():
    board = canvas(9)
    board.pixels[0, 0, 4, 4] = 1
    board.soften(np.array([0.25]))
    assert board.pixels.sum() == pytest.approx(1)
    assert board.pixels[0, 0, 4, 4] == pytest.approx(0.25)


def test_random_numbers_are_those_of_their_seed_and_batch():
    first = Stream(1, 2, 5).between(0, 1, 3)
    assert np.array_equal(first, Stream(1, 2, 5).between(0, 1, 3))
    for other in (Stream(1, 3, 5), Stream(2, 2, 5)):
        assert not np.array_equal(first, other.between(0, 1, 3))
    # Bits of Philox, written down: other versions of numpy draw the same.
    assert Stream(7, 0, 2).between(0, 1) == pytest.approx(BITS, abs=1e-15)


def test_bells_have_their_moments_and_an_end():
    bell = Stream(0, 0, 100_000).bell()
    assert bell.mean() == pytest.approx(0, abs=0.02)
    assert bell.std() == pytest.approx(1, abs=0.02)
    assert np.abs(bell).max() <= 3


def test_choices_keep_to_their_weights():
    chosen = Stream(0, 0, 40_000).one_of([3, 0, 1])
    assert np.bincount(chosen, minlength=3) / 40_000 == pytest.approx([0.75, 0, 0.25], abs=0.01)


def test_stripes_are_half_and_half_and_repeat():
    phase = np.linspace(-3, 3, 6001, dtype=np.float32)[None, None]
    assert stripes(phase).mean() == pytest.approx(0.5, abs=0.01)
    assert np.allclose(stripes(phase), stripes(phase + 5), atol=1e-3)


def test_a_plain_pattern_is_plain():
    board = canvas(size=3)
    assert not pattern(board, Stream(0, 0, 3), (1, 0, 0, 0, 0)).any()
    striped = pattern(board, Stream(0, 0, 3), (0, 1, 0, 0, 0))
    assert 0.3 < striped.mean() < 0.7

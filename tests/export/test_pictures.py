"""Pictures prepared without torch have the values that they have with it, bit for bit."""

import numpy as np
import pytest
import torch
from PIL import Image

from isometry.data.pixels import decode, to_uint8
from isometry.data.pixels import with_channels as torch_channels
from isometry.data.transforms import CentreCrop
from isometry.lite.pictures import Preparation, pixels, with_channels

NATIVE = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
FAR = 0 if NATIVE else 1  # elsewhere torchvision goes through floats


def picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "size", "resize"),
    [
        (50, 80, 32, 0), (80, 50, 32, 32), (375, 500, 64, 73), (20, 31, 32, 40), (33, 47, 32, 33), (64, 65, 32, 0),
        (700, 900, 24, 0), (37, 37, 32, 37), (1, 3, 8, 8), (45, 32, 31, 32),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_and_cutting_is_torchvisions(height, width, size, resize, channels):
    crop = CentreCrop(size=size, resize=resize)
    x = picture(height, width, channels)
    prepare = Preparation(channels=channels, height=size, width=size, shorter=crop.shorter)
    mine = prepare.one(x).astype(int)
    for t in (torch.from_numpy(x).permute(2, 0, 1), torch.from_numpy(x).permute(2, 0, 1).contiguous()):
        assert np.abs(crop(t).permute(1, 2, 0).numpy() - mine).max() <= FAR


def test_values_are_those_that_the_trunk_sees():
    x = picture(2, 9, 9, 3)
    prepare = Preparation(channels=3, height=9, width=9)
    assert np.array_equal(prepare(x), (torch.from_numpy(x).permute(0, 3, 1, 2) / 255).numpy())
    assert prepare(x).dtype == np.float32


def test_grey_is_the_same_grey_of_every_colour_that_rounding_is_near():
    x = picture(1000, 1000, 3)
    grey = torch_channels(torch.from_numpy(x).permute(2, 0, 1), 1)[0].numpy()
    assert np.array_equal(with_channels(x, 1)[:, :, 0], grey)
    assert np.array_equal(with_channels(x[:, :, :1], 3), np.repeat(x[:, :, :1], 3, 2))


def saved(folder):
    """A file in each mode that a reader meets."""
    colour, alpha = picture(13, 11, 3), picture(13, 11, 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb = Image.fromarray(colour)
    files = {
        "rgb.png": (rgb, {}),
        "grey.png": (rgb.convert("L"), {}),
        "alpha.png": (Image.fromarray(alpha), {}),
        "grey_alpha.png": (Image.fromarray(alpha).convert("LA"), {}),
        "palette.png": (rgb.convert("P"), {}),
        "see_through.png": (rgb.convert("P"), {"transparency": 3}),
        "bits.png": (rgb.convert("1"), {}),
        "deep.png": (Image.fromarray(colour[:, :, 0].astype(np.uint16) * 257), {}),
        "float.tiff": (Image.fromarray(colour[:, :, 0].astype(np.float32) / 255), {}),
        "turned.jpg": (rgb, {"exif": exif}),
        "print.jpg": (rgb.convert("CMYK"), {}),
    }
    for name, (image, how) in files.items():
        image.save(folder / name, **how)
    return [folder / name for name in files]


def test_files_are_decoded_alike(tmp_path):
    for path in saved(tmp_path):
        assert np.array_equal(pixels(path), decode(str(path)).permute(1, 2, 0).numpy()), path.name
        with Image.open(path) as image:
            assert np.array_equal(pixels(image), to_uint8(image).permute(1, 2, 0).numpy()), path.name


@pytest.mark.parametrize(
    "x",
    [
        picture(7, 9), picture(7, 9, 1), picture(7, 9, 3), picture(3, 7, 9), picture(7, 9, 4), picture(4, 7, 9),
        picture(3, 9, 4), picture(3, 9, 3), picture(7, 9, 3) / 255, (picture(7, 9, 3) / 255).astype(np.float32),
        picture(7, 9) > 100, picture(7, 9, 3).astype(np.int64), picture(7, 9, 4).astype(np.float16) / 256,
    ],
    ids=lambda x: f"{x.dtype}{x.shape}",
)  # fmt: skip
def test_arrays_are_read_alike(x):
    assert np.array_equal(pixels(x), to_uint8(x).permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((5, 5, 7), np.uint8), r"1, 3 or 4 channels; got \[5, 5, 7\]"),
        (np.zeros(5, np.uint8), r"1, 3 or 4 channels; got \[5\]"),
        (np.full((5, 5), -2.0), "0.0 … 1.0; got float64 from -2 to -2"),
        (np.full((5, 5), 300), "0 … 255 or 0.0 … 1.0; got int64 from 300"),
    ],
)
def test_what_is_no_picture_is_refused(x, says):
    with pytest.raises(ValueError, match=says):
        pixels(x)


def test_a_damaged_file_is_named(tmp_path):
    Image.fromarray(picture(40, 40, 3)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    (tmp_path / "words.png").write_text("no picture")
    prepare = Preparation(channels=3, height=40, width=40)
    for name, kind in (("cut.png", ValueError), ("words.png", ValueError), ("none.png", FileNotFoundError)):
        with pytest.raises(kind, match=rf"{name} cannot be read: "):
            prepare([tmp_path / "whole.png", tmp_path / name])


def test_pictures_that_are_taken_as_they_are_have_one_size():
    with pytest.raises(ValueError, match="8 × 8 pixels as they are; got 9 × 8"):
        Preparation(channels=1, height=8, width=8)([picture(9, 8)])

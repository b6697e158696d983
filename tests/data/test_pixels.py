import numpy as np
import pytest
import torch
from PIL import Image

from isometry.data.pixels import Unreadable, decode, stack_to_uint8, to_uint8, with_channels

RED = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]


def test_modes_of_png(tmp_path):
    file = tmp_path / "x.png"
    red = Image.new("RGB", (5, 4), (255, 0, 0))
    see_through = Image.new("RGBA", (5, 4), (255, 0, 0, 0))
    for image, expected in [
        (red, RED),
        (red.convert("P"), RED),
        (red.convert("RGBA"), RED),
        (see_through, torch.full((3, 1, 1), 255, dtype=torch.uint8)),
        (Image.new("L", (5, 4), 7), torch.tensor([[[7]]], dtype=torch.uint8)),
        (Image.new("LA", (5, 4), (7, 255)), torch.full((3, 1, 1), 7, dtype=torch.uint8)),
        (Image.new("1", (5, 4), 1), torch.tensor([[[255]]], dtype=torch.uint8)),
    ]:
        image.save(file)
        pixels = decode(str(file))
        assert pixels.dtype == torch.uint8
        assert torch.equal(pixels, expected.expand(len(expected), 4, 5)), image.mode


def test_transparent_palette_turns_white(tmp_path):
    image = Image.new("P", (5, 4), 0)
    image.putpalette([255, 0, 0] * 256)
    image.save(tmp_path / "x.png", transparency=0)
    assert decode(str(tmp_path / "x.png")).eq(255).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_keep_the_upper_eight(tmp_path, ending):
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    file = tmp_path / f"x.{ending}"
    Image.fromarray(deep).save(file)
    assert decode(str(file)).tolist() == [[[0, 0, 1, 255]]]


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    pixels = decode(str(tmp_path / "x.jpg")).float()
    assert pixels.shape == (3, 16, 16)
    assert (pixels - RED.float()).abs().max() < 12


def test_exif_turns_the_picture_upright(tmp_path):
    image = Image.new("RGB", (16, 8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "x.jpg", exif=exif)
    assert decode(str(tmp_path / "x.jpg")).shape == (3, 16, 8)


def test_first_frame_of_a_film(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "green")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert torch.equal(decode(str(tmp_path / "x.gif")), RED.expand(3, 4, 4))


def test_damaged_files_are_unreadable_with_a_reason(tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "half.jpg").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "letter.jpg").write_text("Dear reader,")
    (tmp_path / "noise.jpg").write_bytes(whole.read_bytes()[:20] + bytes(range(256)) * 4)
    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "p.png").read_bytes()[:-30])
    for name, why in [
        ("half.jpg", "truncated"),
        ("empty.jpg", "empty"),
        ("letter.jpg", "not a picture"),
        ("noise.jpg", "."),
        ("half.png", "."),
        ("gone.jpg", "no such file"),
    ]:
        with pytest.raises(Unreadable, match=why) as caught:
            decode(str(tmp_path / name))
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_box_is_cut_out(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    file = str(tmp_path / "x.png")
    assert decode(file, (2, 1, 5, 3)).tolist() == [pixels[1:3, 2:5].tolist()]
    assert decode(file, (6, 4, 100, 100)).shape == (1, 2, 2)
    assert decode(file, (0, 0, 0, 0)).shape == (1, 6, 8)
    with pytest.raises(Unreadable, match="outside"):
        decode(file, (8, 0, 12, 3))


def test_arrays_of_every_layout_are_the_same_pictures():
    rgb = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    first = torch.from_numpy(rgb).permute(0, 3, 1, 2)
    for given in (rgb, first, first.numpy(), rgb.astype(np.int64), rgb / 255, (rgb / 255).astype(np.float32)):
        assert torch.equal(stack_to_uint8(given), first)
        assert torch.equal(to_uint8(given[0]), first[0])
    assert torch.equal(stack_to_uint8(rgb[..., 0]), first[:, :1])
    assert torch.equal(to_uint8(Image.fromarray(rgb[0])), first[0])


def test_ambiguous_layout_is_last_for_numpy_and_first_for_torch():
    x = np.arange(9, dtype=np.uint8).reshape(1, 3, 1, 3)
    assert stack_to_uint8(x).shape == (1, 3, 3, 1)
    assert stack_to_uint8(torch.from_numpy(x)).shape == (1, 3, 1, 3)


def test_alpha_of_an_array_shows_white():
    x = np.zeros((1, 4, 5, 5), np.uint8)
    assert stack_to_uint8(x).eq(255).all()
    x[:, 3] = 255
    assert stack_to_uint8(x).eq(0).all()


@pytest.mark.parametrize("wrong", [torch.randn(2, 3, 4, 4), torch.full((2, 3, 4, 4), 300), torch.zeros(2, 5, 7, 9)])
def test_what_is_no_picture(wrong):
    with pytest.raises(ValueError, match=r"(?s)^[^\n]+$"):
        stack_to_uint8(wrong)


def test_grey_and_colour():
    grey = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(with_channels(with_channels(grey, 3), 1), grey)
    assert with_channels(RED, 1).item() == 76
    assert with_channels(grey, None) is grey

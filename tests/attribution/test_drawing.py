"""What is drawn says what it shows; the command writes it whole or not at all."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from isometry.attribution import drawn, overlay, why
from isometry.attribution.drawing import words, written
from isometry.cli import app, main
from tests.attribution.test_heat import pictures, ready


def test_orange_is_for_and_blue_is_against_and_none_is_grey():
    heat = torch.tensor([[1.0, -1.0, 0.0]])
    pixels = np.asarray(overlay(torch.full((3, 1, 3), 0.5), heat)).astype(int)[0]
    assert pixels[0, 0] > pixels[0, 2] + 100
    assert pixels[1, 2] > pixels[1, 0] + 100
    assert len(set(pixels[2])) == 1


def test_colours_differ_to_the_red_green_blind():
    """Seen through Viénot, Brettel and Mollon's (1999) matrix for deuteranopia, the two stay far apart."""
    pixels = np.asarray(overlay(torch.full((3, 1, 2), 0.5), torch.tensor([[1.0, -1.0]]))).astype(float)[0]
    seen = (pixels / 255) ** 2.2 @ np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]).T
    assert np.abs(seen[0] - seen[1]).max() > 0.2


def test_twice_the_heat_looks_the_same_unless_a_scale_is_given():
    picture, heat = torch.rand(1, 5, 6), torch.randn(5, 6)
    assert np.array_equal(overlay(picture, heat), overlay(picture, 2 * heat))
    assert not np.array_equal(overlay(picture, heat, strongest=9.0), overlay(picture, 2 * heat, strongest=9.0))


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="as large as its picture"):
        overlay(torch.rand(1, 5, 6), torch.rand(6, 5))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_holds_four_panels_and_the_legend(channels):
    trunk = f"ConvNet(widths=(8,), channels={channels})"
    found = why(ready(trunk), *pictures(channels=channels))
    sheet = drawn(found, side=64, names=("one with a long name.png", "other.png"))
    assert sheet.width > 4 * 64
    assert sheet.height > 64 + 4 * 20
    assert "orange" in words(found)[0]
    assert f"{found.score:.3f}" in words(found)[2]


@pytest.fixture
def files(tmp_path):
    ready().save(tmp_path)
    for name, picture in zip(("a.png", "b.png"), pictures(), strict=True):
        Image.fromarray(picture[0].numpy()).save(tmp_path / name)
    return tmp_path


def test_the_command_draws(files):
    done = CliRunner().invoke(
        app, ["why", str(files), str(files / "a.png"), str(files / "b.png"), "-o", str(files / "why.png")]
    )
    assert done.exit_code == 0, done.output
    with Image.open(files / "why.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1000
    assert "cosine" in done.output
    assert "orange" in done.output


@pytest.mark.parametrize(
    ("a", "out", "options", "says"),
    [
        ("nowhere.png", "why.png", [], "nowhere.png"),
        ("a.png", "why.jpg", [], "written as a .png file"),
        ("a.png", "no/such/why.png", [], "There is no folder"),
        ("a.png", "why.png", ["--similarity", "hamming"], "has no gradient"),
        ("a.png", "why.png", ["--steps", "0"], "at least 1"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(files, capsys, monkeypatch, a, out, options, says):
    words = ["why", str(files), str(files / a), str(files / "b.png"), "-o", str(files / out), *options]
    monkeypatch.setattr("sys.argv", ["isometry", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert not (files / out).exists()


def test_what_was_there_before_stays_when_writing_fails(tmp_path):
    path = tmp_path / "why.txt"
    path.write_text("mine")
    with pytest.raises(ValueError, match="png"):
        written(Image.new("RGB", (2, 2)), path)
    assert path.read_text() == "mine"

"""Pictures from strangers: pixel for pixel those of the library where they are pictures, and one line where they are not."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

from isometry.data.pixels import decode, to_uint8
from isometry.serve import Limits, Refused, decoded
from tests.serve.hostile import JPEG, PICTURES, REFUSED, WHOLE, png, rgb, saved, scans, zeros


def looked_at(data):
    """A picture and no status, or none and one."""
    try:
        return decoded(data, Limits()), 0
    except Refused as refused:
        return None, refused.status


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_that_the_library_reads_from_a_file(name, tmp_path):
    (tmp_path / "picture").write_bytes(PICTURES[name])
    assert torch.equal(to_uint8(decoded(PICTURES[name], Limits())), decode(str(tmp_path / "picture")))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_in_one_line(name):
    data, status = REFUSED[name]
    with pytest.raises(Refused) as told:
        decoded(data, Limits())
    assert told.value.status == status
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WebP", "GIF", "CMYK JPEG", "PNG with a palette"])
def test_cut_anywhere_it_is_refused_or_whole(name, tmp_path):
    """A picture cut short gives what the library makes of such a file, or is refused: nothing else."""
    data, path = PICTURES[name], tmp_path / "cut"
    for length in [*range(0, 64), *range(64, len(data), 97)]:
        path.write_bytes(data[:length])
        image, status = looked_at(data[:length])
        assert status in (415, 422) if image is None else torch.equal(to_uint8(image), decode(str(path)))


def test_changed_anywhere_it_is_refused_or_a_picture():
    drawn = torch.Generator().manual_seed(0)
    for data in (WHOLE, JPEG, PICTURES["WebP"], PICTURES["GIF"]):
        for _ in range(60):
            changed = bytearray(data)
            for place in torch.randint(0, min(len(data), 400), (3,), generator=drawn).tolist():
                changed[place] ^= 1 + place % 255
            image, status = looked_at(bytes(changed))
            assert status in (413, 415, 422) if image is None else min(image.size) > 0


def test_hostile_pictures_take_little_memory():
    """All of them one after the other, in a process of their own: less than 150 MB more than before the first."""
    code = (
        "import resource; from tests.serve.hostile import PICTURES, REFUSED; from isometry.serve import *\n"
        "decoded(PICTURES['PNG'], Limits()); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for data, _ in REFUSED.values():\n    try: decoded(data, Limits())\n    except Refused: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < 150


def test_limits_are_those_that_were_set():
    large = saved(rgb().resize((400, 300)), "PNG")
    assert decoded(large, Limits(pixels=120_000)).size == (400, 300)
    with pytest.raises(Refused, match="400×300 pixels, more than 119,999"):
        decoded(large, Limits(pixels=119_999))
    thin = saved(Image.new("L", (500, 10)), "PNG")
    assert decoded(thin, Limits(ratio=50)).size == (500, 10)
    with pytest.raises(Refused, match="one side is over 49 times the other"):
        decoded(thin, Limits(ratio=49))


def test_a_jpeg_of_many_scans_has_few_pixels():
    """What its passes cost together is limited: each goes over the whole picture."""
    file = scans(40)
    assert decoded(file, Limits(pixels=10_000)).size == (50, 40)
    with pytest.raises(Refused, match="more than 20 scans"):
        decoded(file, Limits(pixels=2000))


def test_pixels_are_counted_before_they_are_decoded():
    """A header alone is enough to be refused: there is nothing behind it."""
    with pytest.raises(Refused, match="5001×5000 pixels"):
        decoded(png(5001, 5000, pixels=b"nothing"), Limits())
    assert decoded(png(5000, 5000, colour=0, depth=1, pixels=zeros(4)), Limits()).size == (5000, 5000)


@pytest.mark.parametrize(
    "field", ["body", "pixels", "ratio", "pictures", "vectors", "k", "requests", "batch", "reading"]
)
def test_a_limit_that_lets_nothing_through_is_refused(field):
    with pytest.raises(ValueError, match=f"The limit {field} is 1 or more; got 0."):
        Limits(**{field: 0})

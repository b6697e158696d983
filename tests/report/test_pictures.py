"""Pictures inside the page: what comes out of a data URI is what went in."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from isometry.report import Items
from isometry.report.pictures import LARGE, Album, atlas, read

from .conftest import pictures


def items(thumbnail, n=3):
    return Items(z=torch.randn(n, 2), labels=torch.zeros(n, dtype=torch.int64), thumbnail=thumbnail)


def decode(uri):
    head, data = uri.split(",", 1)
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3)])
def test_a_drawing_survives_without_loss(shape):
    drawing = np.zeros(shape, dtype=np.uint8)
    drawing[2:5, 3] = 255
    picture = Album(items(lambda i: drawing))(0)
    assert (picture.width, picture.height) == (7, 9)
    grey = drawing if drawing.ndim == 2 else drawing[:, :, 0]
    assert np.array_equal(np.array(decode(picture.uri).convert("L")), grey)


def test_large_pictures_shrink_and_keep_their_shape():
    picture = Album(items(pictures(3, height=300, width=600)))(1)
    assert (picture.width, picture.height) == (LARGE, LARGE // 2)


def test_each_tile_of_the_atlas_is_its_item():
    flat = np.stack([np.full((10, 14), 40 * k, dtype=np.uint8) for k in range(5)])
    source = items(flat.__getitem__, n=5)
    sheet = atlas([(source, k) for k in range(5)])
    image = np.array(decode(sheet.uri).convert("L"))
    for k in range(5):
        y, x = k // sheet.columns * sheet.tile, k % sheet.columns * sheet.tile
        assert (image[y : y + sheet.tile, x : x + sheet.tile] == 40 * k).all()


def test_tiles_shrink_until_the_atlas_fits_its_budget():
    source = items(pictures(100, 64, 64), n=100)
    spots = [(source, k) for k in range(100)]
    small, large = atlas(spots, budget=40_000), atlas(spots)
    assert len(small.uri) <= 40_000 * 4 / 3
    assert small.tile < large.tile


def unreadable(i):
    raise OSError("gone")


@pytest.mark.parametrize("thumbnail", [None, unreadable, lambda i: np.zeros((0, 4), dtype=np.uint8)])
def test_without_a_picture_there_is_none(thumbnail):
    source = items(thumbnail)
    assert read(source, 0) is None
    assert Album(source)(0) is None
    assert atlas([(source, 0)]) is None


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((4, 4, 4), dtype=np.uint8), np.zeros(4, dtype=np.uint8)])
def test_what_is_no_picture_is_named(wrong):
    with pytest.raises(ValueError, match=r"thumbnail\(2\) gave .*, expected uint8"):
        read(items(lambda i: wrong), 2)
